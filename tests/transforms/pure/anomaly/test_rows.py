"""Whole rows: each part against the plain way, causes that name what was planted, and the contract of bundles."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as Grown

from feature_repo.errors import InputError
from training.models.anomaly.fit_rows import FEWEST, fit_rows, grow_forest
from transforms.pure.anomaly.columns import Columns
from transforms.pure.anomaly.pca import PCA
from transforms.pure.anomaly.rows import RowDetector
from transforms.pure.anomaly.tails import Tails

Rows = dict[str, np.ndarray]


def drawn(count: int, seed: int) -> Rows:
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
    return fit_rows(drawn(2_000, 0), drawn(1_000, 1))


def changed(**values: object) -> Rows:
    """One row in the middle, with some values of its own."""
    plain = {"cpu": 300.0, "requests": 55.0, "share": 0.09, "flat": 3.0, "sometimes": 0.0, "word": "tcp"} | values
    return {
        name: np.array([value], object if isinstance(value, str) or value is None else np.float64)
        for name, value in plain.items()
    }


def test_normal_rows_have_p_values_that_are_uniform(detector: RowDetector) -> None:
    p_value = detector.score(drawn(5_000, 2)).p_value
    for level in (0.5, 0.1, 0.01):
        assert (p_value <= level).mean() == pytest.approx(level, rel=0.5)


@pytest.mark.parametrize(
    ("planted", "cause"),
    [
        ({"cpu": 900.0}, "cpu"),
        ({"cpu": 420.0, "requests": 20.0}, "requests"),  # each is usual, together they are not
        ({"share": 0.9}, "share"),
        ({"flat": 4.0}, "flat"),
        ({"flat": None}, "flat"),  # what was never missing
        ({"word": "icmp"}, "word"),
        ({"requests": np.inf}, "requests"),
    ],
)
def test_what_was_planted_is_unusual_and_named(detector: RowDetector, planted: Rows, cause: str) -> None:
    found = detector.score(changed(**planted))
    assert found.p_value[0] < 0.03
    assert detector.score(changed()).p_value[0] > 0.1
    two = [detector.columns.names[at] for at in np.argsort(-found.causes[0])[:2]]
    assert cause in two
    assert found.causes.sum() == pytest.approx(1)


def test_the_score_is_all_four_parts(detector: RowDetector) -> None:
    found = detector.score(drawn(200, 8))
    np.testing.assert_allclose(found.score, found.parts.sum(axis=1))
    assert (found.parts >= 0).all()
    assert found.parts.shape == (200, 4)


def test_what_is_often_missing_is_not_unusual_when_it_is(detector: RowDetector) -> None:
    assert detector.score(changed(sometimes=None)).p_value[0] > 0.05


def test_t2_and_q_are_what_the_textbook_says() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 5))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    found = PCA.fit(rows, 0.8)
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    order = np.argsort(-values)[: len(found.variances)]
    along = rows @ vectors[:, order]
    t2, q = found.score(rows)
    np.testing.assert_allclose(t2, (along**2 / values[order]).sum(axis=1), rtol=1e-8)
    np.testing.assert_allclose(q, ((rows - along @ vectors[:, order].T) ** 2).sum(axis=1), rtol=1e-6, atol=1e-9)
    by_t2, by_q = found.contributions(rows)
    np.testing.assert_allclose(by_t2.sum(axis=1), t2, rtol=1e-8)
    np.testing.assert_allclose(by_q.sum(axis=1), q, rtol=1e-8, atol=1e-12)


def test_the_forest_scores_as_scikit_learn_does() -> None:
    rows = np.random.default_rng(0).normal(size=(700, 6))
    grown = Grown(n_estimators=50, max_samples=256, random_state=3, n_jobs=1).fit(rows.astype(np.float32))
    ours = grow_forest(rows, 50, 3)
    test = np.random.default_rng(1).normal(0, 2, size=(300, 6))
    np.testing.assert_allclose(ours.score(test), -grown.score_samples(test.astype(np.float32)), rtol=1e-9)


def test_tails_go_on_beyond_what_was_seen_on_both_sides() -> None:
    matrix = np.random.default_rng(0).normal(size=(5_000, 1))
    found = Tails.fit(matrix)
    each = found.each(np.array([[0.0], [2.0], [-2.0], [4.0], [-6.0], [1e9]]))[:, 0]
    assert each[0] < 1
    assert each[1] == pytest.approx(-np.log(0.0228), rel=0.15)
    assert each[2] == pytest.approx(each[1], rel=0.15)
    assert each[1] < each[3] < each[4] <= each[5] == 30


def test_a_bundle_scores_as_what_was_trained(detector: RowDetector) -> None:
    rows = drawn(200, 5)
    again = RowDetector.from_bytes(detector.to_bytes())
    mine, theirs = detector.score(rows), again.score(rows)
    for name in ("score", "p_value", "deviation", "parts", "causes"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))


def test_the_same_seed_gives_the_same_detector() -> None:
    assert fit_rows(drawn(500, 0), drawn(300, 1)).to_bytes() == fit_rows(drawn(500, 0), drawn(300, 1)).to_bytes()


def test_order_of_features_does_not_matter_and_a_missing_one_is_named(detector: RowDetector) -> None:
    rows = drawn(50, 6)
    turned = dict(reversed(rows.items()))
    np.testing.assert_array_equal(detector.score(turned).score, detector.score(rows).score)
    del turned["cpu"]
    with pytest.raises(InputError, match="cpu"):
        detector.score(turned)


def test_rows_are_not_changed_and_one_row_scores_as_among_others(detector: RowDetector) -> None:
    rows = drawn(50, 7)
    copies = {name: values.copy() for name, values in rows.items()}
    whole = detector.score(rows).score
    for name, values in rows.items():
        np.testing.assert_array_equal(values, copies[name])
    single = [detector.score({name: values[at : at + 1] for name, values in rows.items()}).score[0] for at in range(50)]
    np.testing.assert_allclose(single, whole, rtol=1e-9)


def test_too_few_rows_and_empty_features_are_errors() -> None:
    with pytest.raises(InputError, match=str(FEWEST)):
        fit_rows(drawn(FEWEST - 1, 0), drawn(300, 1))
    with pytest.raises(InputError, match="all of them missing"):
        Columns.fit({"nothing": np.full(500, np.nan)})
