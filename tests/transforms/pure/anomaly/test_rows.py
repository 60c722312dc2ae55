"""Detection on rows: each part against a simple computation, causes of planted anomalies, and model bundles."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as SklearnForest

from feature_repo.errors import InputError
from training.models.anomaly.drift import measure_drift
from training.models.anomaly.fit_rows import FEWEST, fit_rows, grow_forest
from transforms.pure.anomaly.columns import Columns
from transforms.pure.anomaly.pca import PCA
from transforms.pure.anomaly.rows import MOST_OF_ONE, RowDetector
from transforms.pure.anomaly.tails import Tails

Rows = dict[str, np.ndarray]


def random_rows(count: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    load = rng.normal(0, 1, count)
    rows: Rows = {
        "cpu": 300 + 50 * load + rng.normal(0, 5, count),
        "requests": np.exp(4 + 0.5 * load + rng.normal(0, 0.1, count)).round(),
        "share": rng.beta(2, 20, count),
        "flat": np.full(count, 3.0),
        "sometimes": np.where(rng.random(count) < 0.3, np.nan, rng.normal(size=count)),
        "word": rng.choice(np.array(["tcp", "udp"], object), count, p=[0.8, 0.2]),
    }
    return rows


@pytest.fixture(scope="module")
def detector() -> RowDetector:
    return fit_rows(random_rows(2_000, 0), random_rows(1_000, 1))


def row_with(**values: object) -> Rows:
    """Returns one typical row with the given values replaced."""
    row = {"cpu": 300.0, "requests": 55.0, "share": 0.09, "flat": 3.0, "sometimes": 0.0, "word": "tcp"} | values
    return {
        name: np.array([value], object if isinstance(value, str) or value is None else np.float64)
        for name, value in row.items()
    }


def test_normal_rows_have_p_values_that_are_uniform(detector: RowDetector) -> None:
    p_value = detector.score(random_rows(5_000, 2)).p_value
    for level in (0.5, 0.1, 0.01):
        assert (p_value <= level).mean() == pytest.approx(level, rel=0.5)


@pytest.mark.parametrize(
    ("planted", "cause"),
    [
        ({"cpu": 900.0}, "cpu"),
        ({"cpu": 420.0, "requests": 20.0}, "requests"),  # each value is usual, the combination is not
        ({"share": 0.9}, "share"),
        ({"flat": 4.0}, "flat"),
        ({"flat": None}, "flat"),  # never missing in training
        ({"word": "icmp"}, "word"),
        ({"requests": np.inf}, "requests"),
    ],
)
def test_what_was_planted_is_unusual_and_named(detector: RowDetector, planted: Rows, cause: str) -> None:
    result = detector.score(row_with(**planted))
    assert result.p_value[0] < 0.03
    assert detector.score(row_with()).p_value[0] > 0.1
    top_causes = [detector.columns.names[index] for index in np.argsort(-result.causes[0])[:2]]
    assert cause in top_causes
    assert result.causes.sum() == pytest.approx(1)


def test_the_score_is_all_four_parts(detector: RowDetector) -> None:
    result = detector.score(random_rows(200, 8))
    np.testing.assert_allclose(result.score, result.parts.sum(axis=1))
    assert (result.parts >= 0).all()
    assert result.parts.shape == (200, 4)


def test_what_is_often_missing_is_not_unusual_when_it_is(detector: RowDetector) -> None:
    assert detector.score(row_with(sometimes=None)).p_value[0] > 0.05


def test_t2_and_q_are_what_the_textbook_says() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 5))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    pca = PCA.fit(rows, 0.8)
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    order = np.argsort(-values)[: len(pca.variances)]
    projection = rows @ vectors[:, order]
    t2, q = pca.score(rows)
    np.testing.assert_allclose(t2, (projection**2 / values[order]).sum(axis=1), rtol=1e-8)
    np.testing.assert_allclose(q, ((rows - projection @ vectors[:, order].T) ** 2).sum(axis=1), rtol=1e-6, atol=1e-9)
    by_t2, by_q = pca.contributions(rows)
    np.testing.assert_allclose(by_t2.sum(axis=1), t2, rtol=1e-8)
    np.testing.assert_allclose(by_q.sum(axis=1), q, rtol=1e-8, atol=1e-12)


def test_the_forest_scores_as_scikit_learn_does() -> None:
    rows = np.random.default_rng(0).normal(size=(700, 6))
    sklearn_forest = SklearnForest(n_estimators=50, max_samples=256, random_state=3, n_jobs=1).fit(
        rows.astype(np.float32)
    )
    forest = grow_forest(rows, 50, 3)
    test_rows = np.random.default_rng(1).normal(0, 2, size=(300, 6))
    np.testing.assert_allclose(
        forest.score(test_rows), -sklearn_forest.score_samples(test_rows.astype(np.float32)), rtol=1e-9
    )


def test_tails_go_on_beyond_what_was_seen_on_both_sides() -> None:
    matrix = np.random.default_rng(0).normal(size=(5_000, 1))
    tails = Tails.fit(matrix)
    scores = tails.each(np.array([[0.0], [2.0], [-2.0], [4.0], [-6.0], [1e9]]))[:, 0]
    assert scores[0] < 1
    assert scores[1] == pytest.approx(-np.log(0.0228), rel=0.15)
    assert scores[2] == pytest.approx(scores[1], rel=0.15)
    assert scores[1] < scores[3] < scores[4] <= scores[5] == 30


def test_a_bundle_scores_as_what_was_trained(detector: RowDetector) -> None:
    rows = random_rows(200, 5)
    restored = RowDetector.from_bytes(detector.to_bytes())
    trained_scores, restored_scores = detector.score(rows), restored.score(rows)
    for name in ("score", "p_value", "deviation", "parts", "causes"):
        np.testing.assert_array_equal(getattr(trained_scores, name), getattr(restored_scores, name))


def test_the_same_seed_gives_the_same_detector() -> None:
    assert (
        fit_rows(random_rows(500, 0), random_rows(300, 1)).to_bytes()
        == fit_rows(random_rows(500, 0), random_rows(300, 1)).to_bytes()
    )


def test_order_of_features_does_not_matter_and_a_missing_one_is_named(detector: RowDetector) -> None:
    rows = random_rows(50, 6)
    reordered = dict(reversed(rows.items()))
    np.testing.assert_array_equal(detector.score(reordered).score, detector.score(rows).score)
    del reordered["cpu"]
    with pytest.raises(InputError, match="cpu"):
        detector.score(reordered)


def test_rows_are_not_changed_and_one_row_scores_as_among_others(detector: RowDetector) -> None:
    rows = random_rows(50, 7)
    copies = {name: values.copy() for name, values in rows.items()}
    scores = detector.score(rows).score
    for name, values in rows.items():
        np.testing.assert_array_equal(values, copies[name])
    single_scores = [
        detector.score({name: values[position : position + 1] for name, values in rows.items()}).score[0]
        for position in range(50)
    ]
    np.testing.assert_allclose(single_scores, scores, rtol=1e-9)


def test_too_few_rows_and_empty_features_are_errors() -> None:
    with pytest.raises(InputError, match=str(FEWEST)):
        fit_rows(random_rows(FEWEST - 1, 0), random_rows(300, 1))
    with pytest.raises(InputError, match="all of them missing"):
        Columns.fit({"nothing": np.full(500, np.nan)})


def test_few_rows_calibrate_each_other() -> None:
    few = fit_rows(random_rows(200, 0), trees=25)
    fresh = random_rows(2_000, 3)
    p_value = few.score(fresh).p_value
    for level in (0.1, 0.02):
        assert level / 4 < (p_value <= level).mean() < 2 * level
    assert few.score(row_with(cpu=420.0, requests=20.0)).p_value[0] < 0.03


def test_blocks_that_wander_widen_the_calibration() -> None:
    rng = np.random.default_rng(4)
    level = np.cumsum(rng.normal(size=400)) / 5  # neighbours are alike, distant rows are not
    rows = {name: level + rng.normal(0, 0.3, 400) for name in "abc"} | {"d": rng.normal(size=400)}
    detector = fit_rows(rows, trees=25)
    assert (detector.score(rows).p_value < 0.05).mean() < 0.05


def test_a_word_that_is_new_does_not_outweigh_all_other_features(detector: RowDetector) -> None:
    """Where normal rows drift to a new word, rows that are unusual otherwise still rank above them."""
    drifted = random_rows(300, 9) | {"word": np.full(300, "sctp", object)}
    unusual = {**random_rows(300, 9), "cpu": np.full(300, 420.0), "requests": np.full(300, 20.0)}
    assert np.median(detector.score(unusual).score) > np.median(detector.score(drifted).score)


def test_drift_of_normal_rows_is_named_and_likeness_is_not(detector: RowDetector) -> None:
    alike = measure_drift(detector, random_rows(2_000, 11))
    assert (alike.features, alike.line) == ((), "")
    drifted = random_rows(2_000, 11)
    drifted["share"] = drifted["share"] + 0.25
    drift = measure_drift(detector, drifted)
    assert drift.rare > 0.2
    assert drift.features[0] == "share"
    assert "share" in drift.line
    assert measure_drift(detector, {name: values[:0] for name, values in drifted.items()}).features == ()


def test_bundles_without_the_calibration_of_tails_score_as_they_did(detector: RowDetector) -> None:
    earlier = RowDetector.from_bytes(replace(detector, far=None, near=10.0).to_bytes())
    scores = earlier.score(row_with(share=0.9))
    assert (earlier.far, earlier.near) == (None, 10.0)
    assert scores.parts[0, 3] > MOST_OF_ONE
    assert scores.p_value[0] == earlier.calibration.p_value(scores.score)[0]
