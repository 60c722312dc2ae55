"""Encrypted scores over HTTP: the client's answers against plain products, and who gets none."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from feature_repo.errors import AccessError, InputError
from feature_repo.home import Home
from feature_repo.homomorphic.parameters import padded
from feature_repo.model_theft import AnswerSettings, TheftSettings
from inference import RecommendationEngine
from inference.api import encrypted
from inference.api.app import create_app
from inference.api.encrypted import EncryptedService
from inference.api.permission import Permission
from inference.api.predictions import PredictionService
from inference.api.schemas.encrypted import EncryptedRequest
from inference.features import OnlineFeatures
from inference.security.caller import Limits
from inference.security.keys import KeyRing
from inference.security.theft.counts import QuestionCounts
from refrain.client import AsyncClient
from refrain.client.encryption import EncryptionKeys
from refrain.client.errors import Forbidden, InvalidRequest, NotFound, TooManyRequests
from tests.inference.encrypted import linear_bundles
from training.estimators.linear import Linear

BUDGET = 2_000
"""Distinct questions a day of the key."""


@pytest.fixture
def app(own_world: Home) -> Iterator[Any]:
    yield create_app(home=own_world)
    QuestionCounts.open(own_world).release("ann")


@pytest.fixture
def ask(app: Any, own_world: Home) -> Callable[[Callable[[AsyncClient], Awaitable[Any]]], Any]:
    """Runs a function of a client with a key."""
    text, _ = KeyRing(own_world).create("ann", ["predict"], limits=Limits(1e6, 1_000_000, None, BUDGET))

    def run(work: Callable[[AsyncClient], Awaitable[Any]]) -> Any:
        async def with_client() -> Any:
            transport = httpx.ASGITransport(app)
            async with AsyncClient("http://localhost", api_key=text, transport=transport, retries=0) as client:
                return await work(client)

        return asyncio.run(with_client())

    return run


def test_the_client_ranks_as_the_service_would(ask: Callable[..., Any], own_world: Home) -> None:
    engine = RecommendationEngine.load(home=own_world)
    listener = OnlineFeatures("listener_v1", own_world).get({"user_id": ["u000007"]})
    vector, fit = (listener.columns[f"user_taste__{name}"][0] for name in ("vector", "fit"))
    tracks = engine.catalogue.track_ids
    expected = engine.catalogue.vectors("taste", np.arange(len(tracks))) @ np.asarray(vector)

    async def work(client: AsyncClient) -> None:
        (model,) = await client.list_encrypted_models()
        assert (model.model, model.kind, model.dimensions) == ("recommendation", "tracks", len(vector))
        assert model.fit == fit
        keys = EncryptionKeys(model.dimensions)
        with pytest.raises(NotFound, match="sent within the hour"):
            await client.score_encrypted(keys, "recommendation", vector)
        sent = await client.send_encryption_keys(keys)
        assert (sent.context, sent.expires_s) == (keys.digest, 3600.0)
        answer = await client.score_encrypted(keys, "recommendation", vector, fit=int(fit))
        assert answer.model.startswith("recommendation:") and answer.ids == tracks
        assert answer.scores == pytest.approx(expected, abs=1e-4)
        assert [track for track, _ in answer.best(10)] == [tracks[place] for place in np.argsort(-expected)[:10]]
        two = await client.score_encrypted(keys, "recommendation", vector, tracks=[tracks[5], tracks[2]])
        assert two.scores == pytest.approx(expected[[5, 2]], abs=1e-4)
        with pytest.raises(InvalidRequest, match="no such track"):
            await client.score_encrypted(keys, "recommendation", vector, tracks=["nothing"])
        with pytest.raises(InvalidRequest, match=f"a vector of the fit {fit}"):
            await client.score_encrypted(keys, "recommendation", vector, fit=int(fit) + 1)
        with pytest.raises(NotFound, match="no such model"):
            await client.score_encrypted(keys, "nothing", vector)
        with pytest.raises(InputError, match="finite numbers"):
            await client.score_encrypted(keys, "recommendation", [0.0] * len(vector))

    ask(work)


def test_every_score_is_a_question(ask: Callable[..., Any], own_world: Home) -> None:
    tracks = RecommendationEngine.load(home=own_world).catalogue.track_ids[:250]

    async def work(client: AsyncClient) -> None:
        (model,) = await client.list_encrypted_models()
        keys, vector = EncryptionKeys(model.dimensions), [1.0] * model.dimensions
        await client.send_encryption_keys(keys)
        for _ in range(BUDGET // len(tracks)):
            await client.score_encrypted(keys, "recommendation", vector, tracks=tracks)
        with pytest.raises(TooManyRequests, match=f"{BUDGET:,} distinct questions"):
            await client.score_encrypted(keys, "recommendation", vector, tracks=tracks[:1])

    ask(work)
    assert not QuestionCounts.open(own_world).flags()


def test_every_track_counts_in_the_budget_of_the_catalogue(app: Any, ask: Callable[..., Any], own_world: Home) -> None:
    app.state.theft.settings = TheftSettings(keys_per_month={"track_id": 5})
    tracks = RecommendationEngine.load(home=own_world).catalogue.track_ids[:6]

    async def work(client: AsyncClient) -> None:
        (model,) = await client.list_encrypted_models()
        keys, vector = EncryptionKeys(model.dimensions), [1.0] * model.dimensions
        await client.send_encryption_keys(keys)
        for _ in range(2):  # the same tracks again are none more
            await client.score_encrypted(keys, "recommendation", vector, tracks=tracks[:5])
        for others in (tracks[5:], None):
            with pytest.raises(TooManyRequests, match="5 distinct track_id"):
                await client.score_encrypted(keys, "recommendation", vector, tracks=others)

    ask(work)


@pytest.mark.parametrize("fit", [0, None], ids=["of own tables", "private or federated"])
def test_a_recommender_without_taste_vectors_answers_nothing(own_world: Home, fit: int | None) -> None:
    engine = RecommendationEngine.load(home=own_world)
    engine.bundle.manifest["extra"]["taste_fit"] = fit
    recommender = SimpleNamespace(is_promoted=True, live=SimpleNamespace(get=lambda: engine))
    predictions = SimpleNamespace(settings=TheftSettings())
    service = EncryptedService(own_world, recommender, predictions)  # type: ignore[arg-type]
    assert service.models() == []
    with pytest.raises(InputError, match="a recommender with taste vectors"):
        service.question(EncryptedRequest(model="recommendation", context="0" * 64, vector=b"AAAA"))


def test_who_is_held_back_in_the_open_is_held_back_here(app: Any, ask: Callable[..., Any], own_world: Home) -> None:
    app.state.theft.settings = TheftSettings(action="refuse")
    QuestionCounts.open(own_world).flag("ann", "recommendation", "canary")

    async def work(client: AsyncClient) -> None:
        (model,) = await client.list_encrypted_models()
        keys = EncryptionKeys(model.dimensions)
        await client.send_encryption_keys(keys)
        with pytest.raises(Forbidden, match="held back"):
            await client.score_encrypted(keys, "recommendation", [1.0] * model.dimensions)

    ask(work)


def test_a_context_is_of_one_key_and_without_a_secret(app: Any, ask: Callable[..., Any], own_world: Home) -> None:
    other, _ = KeyRing(own_world).create("bob", ["predict"])
    events, _ = KeyRing(own_world).create("eve", ["send_events"])
    keys = EncryptionKeys(2)
    ask(lambda client: client.send_encryption_keys(keys))
    private = keys._context.serialize(save_public_key=True, save_secret_key=True)
    with TestClient(app, headers={"authorization": f"Bearer {other}"}) as http:

        def post(route: str, **options: Any) -> tuple[int, str]:
            answer = http.post(f"/v1/encrypted/{route}", **options)
            return answer.status_code, answer.json()["detail"]

        vector = base64.b64encode(keys.encrypt([1.0, 2.0]).content).decode()
        question = {"model": "recommendation", "context": keys.digest, "vector": vector}
        assert post("scores", json=question)[0] == 404
        for content, found in ((private, "without a secret key"), (b"", "parameters"), (bytes(4_000_001), "longer")):
            status, detail = post("contexts", content=content)
            assert status == (413 if found == "longer" else 422)
            assert found in detail
        assert not list(own_world.encryption_contexts.glob("*")) or post("scores", json=question)[0] == 404
        assert http.post("/v1/encrypted/contexts", content=keys.public).status_code == 200
        status, detail = post("scores", json=question)  # keys for two numbers, a model of more
        assert status == 422 and "keys of rotations" in detail
        for changed in (
            {"vector": "!"},
            {"vector": ""},
            {"context": "../x"},
            {"tracks": []},
            {"more": 1},
            {"fit": "1"},
        ):
            assert post("scores", json=question | changed)[0] == 422
        status, detail = post("scores", json=question | {"vector": base64.b64encode(b"abc").decode()})
        assert status == 422 and "an encrypted vector" in detail
        http.headers["authorization"] = f"Bearer {events}"
        assert http.get("/v1/encrypted/models").status_code == 403
        assert post("contexts", content=keys.public)[0] == 403
        assert post("scores", json=question)[0] == 403


def test_answers_that_are_rounded_in_the_open_are_not_given_encrypted(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TheftSettings, "answers_of", lambda settings, model: AnswerSettings(digits=2))

    async def work(client: AsyncClient) -> None:
        assert await client.list_encrypted_models() == []
        keys = EncryptionKeys(2)
        await client.send_encryption_keys(keys)
        with pytest.raises(Forbidden, match="rounded or marked"):
            await client.score_encrypted(keys, "recommendation", [1.0, 2.0])

    ask(work)


def test_a_question_has_a_bounded_cost(ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: AsyncClient) -> None:
        (model,) = await client.list_encrypted_models()
        keys = EncryptionKeys(model.dimensions)
        monkeypatch.setattr(encrypted, "MAX_ROTATIONS", padded(model.dimensions) - 1)
        await client.send_encryption_keys(keys)
        with pytest.raises(InvalidRequest, match="rotations"):
            await client.score_encrypted(keys, "recommendation", [1.0] * model.dimensions)

    ask(work)


def test_under_rules_of_access_only_a_whole_role_may_ask(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Permission, request: Any, what: str) -> None:
        raise AccessError(expected=f"a role that sees everything, for {what}", found="none", next_command="")

    monkeypatch.setattr(Permission, "check_everything", refuse)

    async def work(client: AsyncClient) -> None:
        keys = EncryptionKeys(2)
        for call in (
            client.list_encrypted_models(),
            client.send_encryption_keys(keys),
            client.score_encrypted(keys, "recommendation", [1.0, 2.0]),
        ):
            with pytest.raises(Forbidden, match="sees everything"):
                await call

    ask(work)


def test_a_linear_model_answers_about_an_encrypted_row(
    ask: Callable[..., Any], own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = linear_bundles.rows(np.random.default_rng(5))
    fitted = Linear().fit(inputs, inputs[:, 2] > 0, "binary", {})
    bundle = linear_bundles.bundle_of(tmp_path, fitted, inputs[:50], "binary")
    monkeypatch.setattr(PredictionService, "model", lambda self, name: SimpleNamespace(bundle=bundle))
    monkeypatch.setattr(encrypted, "promoted_models", lambda home, kind: {"m": "1"})
    monkeypatch.setattr(encrypted, "open_bundle", lambda name, home: bundle)

    async def work(client: AsyncClient) -> None:
        _, model = await client.list_encrypted_models()
        assert (model.model, model.kind, model.dimensions) == ("m", "binary", 9)
        keys = EncryptionKeys(model.dimensions)
        await client.send_encryption_keys(keys)
        for row in inputs[:3]:
            values = dict(zip(model.inputs, row.tolist(), strict=True))
            answer = await client.score_encrypted(keys, "m", model.row(values), fit=model.fit)
            assert answer.ids == ["score"]
            assert answer.scores[0] == pytest.approx(fitted.contributions(row[None]).sum(), abs=1e-3)
        with pytest.raises(InvalidRequest, match="a vector without tracks"):
            await client.score_encrypted(keys, "m", model.row({}), tracks=["t1"])
        again = linear_bundles.bundle_of(tmp_path, fitted, 3 * inputs[:50], "binary")  # other centers and units
        monkeypatch.setattr(PredictionService, "model", lambda self, name: SimpleNamespace(bundle=again))
        for fit, found in ((model.fit, f"one of the fit {model.fit}"), (None, "one without its fit")):
            with pytest.raises(InvalidRequest, match=found):
                await client.score_encrypted(keys, "m", model.row({}), fit=fit)

    ask(work)


def test_an_act_is_written_without_the_vector(app: Any, ask: Callable[..., Any], own_world: Home) -> None:
    tracks = RecommendationEngine.load(home=own_world).catalogue.track_ids[:3]

    async def work(client: AsyncClient) -> None:
        (model,) = await client.list_encrypted_models()
        keys = EncryptionKeys(model.dimensions)
        await client.send_encryption_keys(keys)
        await client.score_encrypted(keys, "recommendation", [1.0] * model.dimensions, tracks=tracks)

    ask(work)
    app.state.access.audit.flush()
    lines = [line for file in own_world.audit_log.rglob("*.jsonl") for line in file.read_text().splitlines()]
    (act,) = [json.loads(line) for line in lines if "encrypted scores" in line]
    assert act["model"].startswith("recommendation:") and act["scores"] == 3
    assert not any(isinstance(value, str) and len(value) > 100 for value in act.values())
