"""What orders the hybrid is chosen on validation, and serving scores as training does."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from inference.recommend.rank import ARTIST_PLAYS
from inference.recommend.rank import Ranker as ServedRanker
from training.background import Background
from training.explain.explanation import Explanation, _parts_of
from training.models.lightgbm_onnx import to_onnx
from training.models.recommendation.hybrid_explanation import explain_rows
from training.models.recommendation.hybrid_order import DECLARED, ORDERS, POPULARITY, TASTE, choose_order, order_scores
from training.models.recommendation.problem import ndcg_of_groups
from training.models.recommendation.ranker import HYBRID, Groups, Ranker
from transforms.pure.candidates.blend import RANKER, anchored
from transforms.pure.candidates.pool import Pool

NAMES = tuple(HYBRID.inputs)
QUERIES, CANDIDATES = 120, 40


def questions(
    *, ranker: float = 0.0, taste: float = 0.0, popular: float = 0.0, seed: float = 0
) -> tuple[Groups, np.ndarray, np.ndarray]:
    """Groups of validation in which scores have so much to do with what was played, and the ranker's scores."""
    rng = np.random.default_rng(int(seed))
    size = QUERIES * CANDIDATES
    liking = rng.normal(size=size)
    labels = (liking > 1.6).astype(int)
    inputs = rng.normal(size=(size, len(NAMES))).astype(np.float32)
    inputs[:, NAMES.index(TASTE)] += taste * liking
    inputs[:, NAMES.index(POPULARITY)] += popular * liking
    groups = Groups(inputs, labels, np.full(QUERIES, CANDIDATES))
    scores = rng.normal(size=size) + ranker * liking
    return groups, scores, np.maximum(labels.reshape(QUERIES, -1).sum(axis=1), 1)


def test_equal_parts_are_summed_and_the_sum_is_better_than_each() -> None:
    groups, scores, wanted = questions(ranker=1.0, taste=1.0, popular=1.0)
    assert choose_order(HYBRID, groups, scores, wanted, np.arange(QUERIES)) == DECLARED
    gains = {
        name: ndcg_of_groups(
            np.concatenate(order_scores(HYBRID, scores, groups.inputs, groups.sizes, weights)), groups, wanted
        ).mean()
        for name, weights in ORDERS.items()
    }
    assert all(gains[DECLARED] > gains[part] + 0.1 for part in ("ranker", "taste", "popularity"))


@pytest.mark.parametrize(
    ("order", "knows"),
    [
        ("ranker", {"ranker": 3.0}),
        ("taste", {"taste": 3.0}),
        ("popularity", {"popular": 3.0}),
        ("ranker and taste", {"ranker": 1.5, "taste": 1.5}),
    ],
)
def test_what_alone_knows_serves_alone(order: str, knows: dict[str, float]) -> None:
    groups, scores, wanted = questions(**knows)
    assert choose_order(HYBRID, groups, scores, wanted, np.arange(QUERIES)) == order


def test_a_lead_that_few_listeners_decide_is_no_lead() -> None:
    """One listener who asks all questions, and noise alone, leave the declared order."""
    groups, scores, wanted = questions(taste=3.0)
    assert choose_order(HYBRID, groups, scores, wanted, np.zeros(QUERIES)) == DECLARED
    chosen = []
    for seed in range(10):
        groups, scores, wanted = questions(seed=seed)
        chosen.append(choose_order(HYBRID, groups, scores, wanted, np.arange(QUERIES)))
    assert chosen.count(DECLARED) >= 8
    nobody = Groups(np.empty((0, len(NAMES)), np.float32), np.empty(0, int), np.empty(0, int))
    assert choose_order(HYBRID, nobody, np.empty(0), np.empty(0), np.empty(0)) == DECLARED


def test_serving_orders_as_training_does() -> None:
    groups, _, _ = questions(taste=1.0)
    booster = Ranker(most_trees=25).fit(HYBRID, [groups], groups)
    inputs = groups.inputs[:CANDIDATES].copy()
    inputs[3, NAMES.index(TASTE)] = np.nan

    def get(*_: object, prepared: object = None) -> SimpleNamespace:
        return SimpleNamespace(matrix=lambda names: inputs, columns={ARTIST_PLAYS: np.zeros(CANDIDATES)})

    catalogue = SimpleNamespace(
        track_keys=SimpleNamespace(at=list), artist_keys=SimpleNamespace(at=list), artists=np.arange(CANDIDATES)
    )
    zeros = np.zeros(CANDIDATES)
    pool = Pool(np.arange(CANDIDATES), zeros, similar=zeros, follows=zeros)
    listener = SimpleNamespace(user_id="u1", rows=None)
    for weights in ORDERS.values():
        features = SimpleNamespace(get=get, prepare=lambda keys, request, reuse: SimpleNamespace(keys=keys))
        ranker = ServedRanker(to_onnx(booster), NAMES, features, weights)  # type: ignore[arg-type]
        prepared = ranker.prepare(listener, pool, catalogue, "default", {})  # type: ignore[arg-type]
        served, _, parts = ranker.rank(pool, prepared)  # type: ignore[arg-type]
        (trained,) = order_scores(HYBRID, np.asarray(booster.predict(inputs)), inputs, np.array([CANDIDATES]), weights)
        np.testing.assert_allclose(served, trained, atol=1e-4)
        if len(parts()) > 1:
            np.testing.assert_allclose(sum(parts().values()), served, atol=1e-9)


def test_a_ranker_alone_keeps_its_scores() -> None:
    scores = np.array([3.0, 1.0, 2.0])
    inputs = np.array([[1.0], [np.nan], [5.0]])
    assert anchored(scores, inputs, ["a"], {RANKER: 1.0, "a": 0.0}) is scores
    assert np.argmax(anchored(scores, inputs, ["a"], {RANKER: 0.2, "a": 0.8})) == 2


@pytest.mark.parametrize("order", [DECLARED, "ranker", "taste", "ranker and taste"])
def test_contributions_sum_to_the_score_of_the_order(order: str, tmp_path: Path) -> None:
    groups, _, _ = questions(taste=1.0)
    inputs = groups.inputs.copy()
    inputs[::7, NAMES.index(TASTE)] = np.nan  # missing
    inputs[:CANDIDATES, NAMES.index(POPULARITY)] = 0.5  # all alike in one request
    inputs[CANDIDATES : 2 * CANDIDATES, NAMES.index(POPULARITY)] = np.nan  # all missing in another
    settings = Ranker(most_trees=12)
    booster = settings.refit(HYBRID, [groups], settings.search(HYBRID, [groups], groups))
    scores = np.asarray(booster.predict(inputs))
    positions = np.random.default_rng(0).permutation(len(inputs))[:300]
    positions[:2] = (3, CANDIDATES + 3)
    packed = explain_rows(booster, HYBRID, inputs, scores, groups.sizes, ORDERS[order], positions)
    (tmp_path / "background.npz").write_bytes(packed)
    (tmp_path / "manifest.json").write_text(json.dumps({"extra": {"columns": NAMES}}))
    background = Background.read(tmp_path)
    assert background is not None
    expected = np.concatenate(order_scores(HYBRID, scores, inputs, groups.sizes, ORDERS[order]))[positions]
    np.testing.assert_allclose(background.contributions.sum(axis=1), expected, atol=1e-6)
    np.testing.assert_allclose(background.answer(scores[positions], inputs[positions]), expected, atol=1e-9)
    if order == "ranker":
        assert background.parts is None
    else:
        assert background.parts is not None
        assert set(background.parts.names) == {name for name, weight in ORDERS[order].items() if weight}
        by_part = background.parts.contributions(scores[positions], inputs[positions], NAMES)
        np.testing.assert_allclose(by_part.sum(axis=1), expected, atol=1e-9)
    parts_of_rows = _parts_of(background, scores[positions], rows=3)
    row = Explanation("recommendation", {}, {}, {}, {}, [(expected[0], [], parts_of_rows[0])], tmp_path)
    line = next(line for line in row.lines() if line.startswith("row 1"))
    shown = dict(parts_of_rows[0])
    assert all(f"{name} {contribution:+.3f}" in line for name, contribution in shown.items())
    assert order == "ranker" or sum(shown.values()) == pytest.approx(expected[0])


def test_without_rows_there_is_nothing_to_explain(tmp_path: Path) -> None:
    empty = np.empty((0, len(NAMES)), np.float32)
    packed = explain_rows(None, HYBRID, empty, np.empty(0), np.empty(0, int), ORDERS[DECLARED], np.empty(0, int))  # type: ignore[arg-type]
    (tmp_path / "background.npz").write_bytes(packed)
    (tmp_path / "manifest.json").write_text(json.dumps({"extra": {"columns": NAMES}}))
    assert Background.read(tmp_path) is None
