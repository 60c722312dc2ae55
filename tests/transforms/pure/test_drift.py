"""Distances between two samples against scipy, and the rate of false drift verdicts."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from transforms.pure.drift import compare, wasserstein

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


@given(NUMBERS, NUMBERS)
def test_the_distance_is_scipys(first: list[float], second: list[float]) -> None:
    first_values, second_values = np.array(first), np.array(second)
    scale = float(first_values.std()) or 1.0
    expected = stats.wasserstein_distance(first_values, second_values) / scale
    assert wasserstein(first_values, second_values) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("sizes", [(60, 60), (500, 100), (5_000, 5_000)])
def test_what_did_not_change_is_stable(sizes: tuple[int, int]) -> None:
    """Holds even for samples so small that the stability index alone would always report drift."""
    rng = np.random.default_rng(0)
    comparisons = [
        compare("x", rng.normal(size=sizes[0]).tolist(), rng.normal(size=sizes[1]).tolist()) for _ in range(200)
    ]
    assert np.mean([comparison.verdict == "stable" for comparison in comparisons]) > 0.97
    if sizes[0] == sizes[1] == 5_000:
        assert np.mean([comparison.psi for comparison in comparisons]) == pytest.approx(comparisons[0].chance, rel=0.25)


def test_what_moved_and_what_drifted() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=4_000).tolist()
    assert compare("x", before, rng.normal(0.4, size=4_000).tolist()).verdict == "moved"
    drifted = compare("x", before, rng.normal(1.0, size=4_000).tolist())
    assert drifted.verdict == "drifted"
    assert drifted.wasserstein == pytest.approx(1.0, abs=0.06)
    assert drifted.ks == pytest.approx(0.38, abs=0.04)


def test_missing_values_are_drift_of_their_own() -> None:
    before = [float(n % 10) for n in range(1_000)]
    partly_missing = [None if n % 8 == 0 else value for n, value in enumerate(before)]
    comparison = compare("x", before, partly_missing)
    assert comparison.verdict == "moved"
    assert "missing 0.0% → 12.5%" in comparison.reasons
    all_missing = compare("x", before, [None] * 1_000)
    assert all_missing.verdict == "drifted"
    assert all_missing.missing_after == 1.0


def test_new_kinds_are_told() -> None:
    before = ["jazz", "pop", None] * 300
    comparison = compare("genre", before, ["jazz", "pop", None] * 290 + ["=polka"] * 20 + ["ska"] * 10)
    assert comparison.new == {"=polka": 20, "ska": 10}
    assert comparison.verdict in ("moved", "drifted")
    assert comparison.ks is None
    assert compare("genre", before, before).verdict == "stable"


def test_truths_whole_numbers_and_nothing() -> None:
    assert compare("x", [True, False] * 200, [True, False] * 200).verdict == "stable"
    assert compare("x", [True] * 400, [False] * 400).verdict == "drifted"
    assert compare("x", [7] * 400, [7] * 400).verdict == "stable"
    assert compare("x", [None] * 100, [None] * 100).verdict == "stable"
    assert compare("x", [], []).verdict == "stable"
