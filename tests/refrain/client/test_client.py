"""The clients against the real application: every route, its errors, and many requests at once."""

import asyncio
import inspect
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import msgspec
import numpy as np
import pytest

import inference.api.schemas.anomalies as anomalies_schemas
import inference.api.schemas.audio as audio_schemas
import inference.api.schemas.events as events_schemas
import inference.api.schemas.experiments as experiments_schemas
import inference.api.schemas.features as features_schemas
import inference.api.schemas.forecasts as forecasts_schemas
import inference.api.schemas.models as models_schemas
import inference.api.schemas.recommendations as recommendations_schemas
import inference.api.schemas.texts as texts_schemas
from feature_repo import experiments
from feature_repo.experiments import Variant
from feature_repo.home import REPOSITORY, Home
from feature_repo.packed.address import Address
from feature_repo.stores import redis_server
from inference.api.app import create_app
from inference.features import OnlineFeatures
from inference.security.caller import ROLES, Limits
from inference.security.keys import KeyRing
from refrain.client import AsyncClient, Client, answers, calls, requests
from refrain.client.errors import Forbidden, InvalidRequest, NotFound, TooManyRequests, Unauthorized, Unavailable
from tests.serving import serving
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

USER = "u000007"


@pytest.fixture(scope="module")
def closed_world(world: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, str]]:
    """A copy of the small world that needs a key, and a key with all roles."""
    folder = Home(tmp_path_factory.mktemp("client") / "world")
    shutil.copytree(world.root, folder.root, ignore=shutil.ignore_patterns("redis.*", "start.lock", "audit_log"))
    experiments.add(folder, experiments.Experiment("fresh", (Variant("control"), Variant("new"))))
    key, _ = KeyRing(folder).create("tests", ROLES, limits=Limits(1_000.0, 1_000))
    yield folder, key
    redis_server.stop(folder)


@pytest.fixture(scope="module")
def url(closed_world: tuple[Home, str]) -> Iterator[str]:
    """`refrain serve` in a process of its own."""
    with serving(closed_world[0]) as (http, _):
        yield str(http.base_url)


@pytest.fixture(scope="module")
def client(url: str, closed_world: tuple[Home, str]) -> Iterator[Client]:
    with Client(url, api_key=closed_world[1]) as client:
        yield client


def test_features_are_those_of_a_lookup_in_process(client: Client, closed_world: tuple[Home, str]) -> None:
    users = [USER, "nobody", None, "u000042"]
    expected = OnlineFeatures("listener_v1", closed_world[0]).get({"user_id": users})
    for keys in (users, np.array(users, object), (user or float("nan") for user in users)):
        features = client.look_up_features("listener_v1", {"user_id": keys})  # type: ignore[dict-item]
        assert (features.service, features.rows) == ("listener_v1", 4)
        assert features.fingerprint == expected.service.fingerprint
        assert set(features.values) == set(expected.values)
        for name in ("user_history__distinct_tracks", "user_history__track_ids"):
            assert features.values[name] == [
                value.tolist() if isinstance(value, np.ndarray) else value for value in expected.values[name]
            ]
    assert client.look_up_features("listener_v1", {"user_id": USER}).rows == 1


def test_recommendations_for_one_and_many(client: Client) -> None:
    context: requests.Context = {"device": "phone", "at": datetime(2026, 2, 4, 10, tzinfo=UTC)}
    answer = client.recommend(USER, count=7, context=context)
    assert (answer.user_id, answer.known, len(answer.items), answer.model) == (USER, True, 7, "recommendation:1")
    excluded = client.recommend(USER, count=7, context=context, exclude_tracks=[answer.items[0].track_id])
    assert answer.items[0].track_id not in {item.track_id for item in excluded.items}
    results = client.recommend_batch([{"user_id": USER, "count": 3}, {"user_id": "nobody", "count": 4}])
    assert [(result.get().known, len(result.get().items)) for result in results] == [(True, 3), (False, 4)]


def test_forecasts_without_a_forecaster_are_unavailable(url: str, closed_world: tuple[Home, str]) -> None:
    with Client(url, api_key=closed_world[1], retries=0) as client:
        with pytest.raises(Unavailable) as caught:
            client.forecast("track", "t000001", horizon=7)
        assert "refrain model" in caught.value.next_command
        (result,) = client.forecast_batch([{"entity": "track", "id": "t000001"}])
        with pytest.raises(Unavailable) as caught:
            result.get()
        assert "refrain model" in caught.value.next_command


def test_texts_and_sounds(client: Client, tmp_path: Path) -> None:
    import io

    import soundfile

    texts = client.analyze_texts(["a gem of a record, I love it", "je t'aime mon amour"])
    assert [result.language for result in texts.results] == ["en", "fr"]
    with pytest.raises(TypeError, match="list of texts"):
        client.analyze_texts("one text")
    wav = io.BytesIO()
    soundfile.write(wav, np.sin(np.arange(16_000) * 0.3) / 2, 8_000, format="WAV")
    (tmp_path / "sound.wav").write_bytes(wav.getvalue())
    for sound in (wav.getvalue(), tmp_path / "sound.wav", str(tmp_path / "sound.wav")):
        analysis = client.analyze_audio(sound)
        assert (analysis.seconds, analysis.rate, analysis.channels) == (pytest.approx(2.0), 8_000, 1)
        assert analysis.structure is None
    structure = client.analyze_audio(wav.getvalue(), structure=True).structure
    assert structure and structure["track"]["duration"] == pytest.approx(2.0)


def test_operation_and_experiments(client: Client) -> None:
    assert client.check_health() == answers.Health("ok", "recommendation:1")
    assert client.check_live() == answers.Liveness("live")
    assert client.check_ready().models["recommendation"] == "recommendation:1"
    assert {model.serves: model.versions for model in client.list_models()}["recommendations"] == {
        "recommendation": "recommendation:1"
    }
    assert "refrain_http_requests_total" in client.read_metrics()
    assert [experiment.name for experiment in client.list_experiments().experiments] == ["fresh"]
    started = client.start_experiment("fresh", share=0.5)
    assert (started.state, started.share, [arm.name for arm in started.variants]) == (
        "running",
        0.5,
        ["control", "new"],
    )
    assert client.stop_experiment("fresh", "enough seen").reason == "enough seen"
    with pytest.raises(NotFound):
        client.stop_experiment("stale", "none of this name")


def test_errors_are_typed(client: Client, url: str, closed_world: tuple[Home, str]) -> None:
    with pytest.raises(NotFound, match="no such model"):
        client.predict("churn_model", {"user_id": [USER]})
    for name in ("nothing_v1", "no thing/..", "ü?x#"):
        with pytest.raises(NotFound):
            client.look_up_features(name, {"user_id": [USER]})
    with pytest.raises(InvalidRequest, match="user_id"):
        client.look_up_features("listener_v1", {"track_id": ["t000001"]})
    with pytest.raises(InvalidRequest, match="count: Extra inputs|counts: Extra inputs"):
        client.recommend(USER, counts=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="a name"):
        client.predict("..", {"user_id": [USER]})
    with Client(url) as stranger, pytest.raises(Unauthorized) as unauthorized:
        stranger.recommend(USER)
    assert "refrain keys create" in unauthorized.value.next_command
    ring = KeyRing(closed_world[0])
    reporter, _ = ring.create("reporter", ["send_events"])
    with Client(url, api_key=reporter) as client_of_events, pytest.raises(Forbidden, match="the role predict"):
        client_of_events.recommend(USER)
    slow, _ = ring.create("slow", ["predict"], limits=Limits(0.01, 1))
    with Client(url, token=slow, longest_wait=0.5) as limited:
        limited.recommend(USER, count=1)
        with pytest.raises(TooManyRequests) as too_many:
            limited.recommend(USER, count=1)
    assert (too_many.value.retry_after or 0) > 1
    assert too_many.value.request_id


def test_an_event_whose_answer_is_lost_counts_once(
    client: Client, closed_world: tuple[Home, str], running_clock: None
) -> None:
    """The service takes the events, the way back breaks, and the client sends them again."""
    home, key = closed_world
    http = httpx.HTTPTransport()
    paths: list[str] = []

    class LosesFirstAnswers(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = http.handle_request(request)
            response.read()
            paths.append(request.url.path)
            if paths.count(request.url.path) == 1:
                raise httpx.ReadError("the connection is gone")
            return response

        def close(self) -> None:
            http.close()

    now = datetime.now(UTC)
    play = {"user_id": USER, "track_id": "t000001", "event_timestamp": now - timedelta(minutes=3), "ms_played": 1_000}
    with Client(client._url, api_key=key, transport=LosesFirstAnswers()) as unlucky:
        sent = unlucky.send_events("plays", [play, {**play, "user_id": ""}])
        assert (sent.accepted, [event.place for event in sent.refused]) == (1, [1])
        assert unlucky.send_feedback([{"user_id": USER, "action": "like", "track_id": "t000001"}]).accepted == 1
    assert paths == ["/v1/events", "/v1/events", "/v1/feedback", "/v1/feedback"]
    report = Reader(home, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()
    assert (report.counts["accepted"], report.counts["duplicate"]) == (2, 2)


def test_many_at_once(url: str, closed_world: tuple[Home, str]) -> None:
    users = [f"u{number:06d}" for number in range(150)]

    async def run() -> list[answers.Recommendations]:
        async with AsyncClient(url, api_key=closed_world[1]) as client:
            return await asyncio.gather(*(client.recommend(user, count=3) for user in users))

    results = asyncio.run(run())
    assert [answer.user_id for answer in results] == users
    assert all(len(answer.items) == 3 for answer in results)


def test_an_application_in_this_process(in_world: Home) -> None:
    async def run() -> answers.Recommendations:
        transport = httpx.ASGITransport(create_app(home=in_world))
        async with AsyncClient("http://refrain", transport=transport) as client:
            assert (await client.check_health()).status == "ok"
            return await client.recommend(USER, count=2)

    assert len(asyncio.run(run()).items) == 2


def test_anomalies(telemetry: Home) -> None:
    async def run() -> answers.Detections:
        transport = httpx.ASGITransport(create_app(home=telemetry))
        async with AsyncClient("http://refrain", transport=transport) as client:
            observation: requests.Observation = {
                "entity": "host-01",
                "at": datetime(2026, 1, 20, 10),
                "values": {"cpu_permille": 310, "memory_permille": float("nan")},
            }
            return await client.detect_anomalies("system", [observation])

    detections = asyncio.run(run())
    assert detections.detector == "system"
    assert [detection.entity for detection in detections.detections] == ["host-01"]


RESPONSES: dict[Any, Any] = {
    answers.Features: features_schemas.FeaturesResponse,
    answers.Predictions: features_schemas.PredictionsResponse,
    answers.Recommendations: recommendations_schemas.RecommendationResponse,
    answers.BatchResult[answers.Recommendations]: recommendations_schemas.RecommendationResult,
    answers.Forecast: forecasts_schemas.ForecastResponse,
    answers.BatchResult[answers.Forecast]: forecasts_schemas.ForecastResult,
    answers.TextAnalyses: texts_schemas.AnalyzeResponse,
    answers.AudioAnalysis: audio_schemas.AudioResponse,
    answers.Detections: anomalies_schemas.DetectResponse,
    answers.SentEvents: events_schemas.EventsResponse,
    answers.Experiments: experiments_schemas.ExperimentsResponse,
    answers.Experiment: experiments_schemas.ExperimentOut,
    answers.Health: models_schemas.Health,
    answers.Liveness: models_schemas.Liveness,
    answers.Readiness: models_schemas.Readiness,
    answers.ServedModel: models_schemas.ServedModel,
}


def _shape(schema: Any, definitions: dict[str, Any]) -> Any:
    """A JSON schema without names, texts and defaults: types, fields, and which may be null."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _shape(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return sorted((_shape(part, definitions) for part in schema["anyOf"]), key=str)
    kept = {name: schema[name] for name in ("type", "format", "enum") if name in schema}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict) and schema[name]:
            kept[name] = _shape(schema[name], definitions)
    if "properties" in schema:
        kept["properties"] = {name: _shape(part, definitions) for name, part in sorted(schema["properties"].items())}
    if "enum" in kept:
        kept.pop("type", None)
        kept["enum"] = sorted(kept["enum"])
    return kept


@pytest.mark.parametrize("kind", RESPONSES, ids=str)
def test_answers_have_the_fields_of_the_service(kind: Any) -> None:
    schema = msgspec.json.schema(kind)
    definitions = schema.get("$defs", {})
    response = RESPONSES[kind].model_json_schema(mode="serialization")
    assert _shape(schema, definitions) == _shape(response, response.get("$defs", {}))


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        (requests.RecommendationRequest, recommendations_schemas.RecommendationRequest),
        (requests.ForecastRequest, forecasts_schemas.ForecastRequest),
        (requests.Observation, anomalies_schemas.ObservationIn),
        (requests.Act, events_schemas.Act),
        (requests.Context, features_schemas.RequestContext),
    ],
)
def test_requests_have_the_fields_of_the_service(kind: Any, model: Any) -> None:
    assert set(kind.__annotations__) | set(typing.get_type_hints(kind)) == set(model.model_fields)
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert set(kind.__required_keys__) == required
    for name, hint in typing.get_type_hints(kind).items():
        if typing.get_origin(hint) is typing.Literal:
            field = str(model.model_fields[name].annotation)
            assert all(repr(value) in field for value in typing.get_args(hint)), name
            assert field.count("'") == 2 * len(typing.get_args(hint)), name


def test_both_clients_have_a_method_for_every_operation(in_world: Home) -> None:
    document = create_app(home=in_world).openapi()
    operations = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    for kind, own in ((Client, {"close"}), (AsyncClient, {"aclose"})):
        methods = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
        assert methods - own == operations
        for name in operations:
            method, build = getattr(kind, name), getattr(calls, name)
            assert inspect.getdoc(method) == inspect.getdoc(build)
            assert list(inspect.signature(method).parameters)[1:] == list(inspect.signature(build).parameters)
            assert inspect.iscoroutinefunction(method) == (kind is AsyncClient)


def _run(script: str) -> str:
    completed = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return completed.stdout.strip()


def test_the_client_imports_no_other_part_of_refrain() -> None:
    names = ("feature_repo", "transforms", "training", "inference", "numpy", "pandas", "redis", "fastapi", "pydantic")
    script = (
        "from refrain import Client, AsyncClient; import sys; "
        f"print(sorted(name for name in sys.modules if name.partition('.')[0] in {names}))"
    )
    assert _run(script) == str(
        [f"feature_repo{part}" for part in ("", ".errors", ".extras", ".feast_import", ".version")]
    )


def test_without_httpx_the_extra_is_named() -> None:
    for start in ("from refrain import Client", "from refrain.client import Client"):
        attempt = f"try:\n    {start}\nexcept ImportError as error:\n    print(error)"
        script = f"import sys; sys.modules['httpx2'] = None\n{attempt}"
        assert "python -m pip install 'refrain[client]'" in _run(script)
