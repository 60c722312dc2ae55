"""How far two samples lie apart: against scipy, and as often as chance has it."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from transforms.pure.drift import compare, wasserstein

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


@given(NUMBERS, NUMBERS)
def test_the_distance_is_scipys(first: list[float], second: list[float]) -> None:
    one, other = np.array(first), np.array(second)
    scale = float(one.std()) or 1.0
    exact = stats.wasserstein_distance(one, other) / scale
    assert wasserstein(one, other) == pytest.approx(exact, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("sizes", [(60, 60), (500, 100), (5_000, 5_000)])
def test_what_did_not_change_is_stable(sizes: tuple[int, int]) -> None:
    """Also where samples are so small that the index alone would always tell of drift."""
    rng = np.random.default_rng(0)
    found = [compare("x", rng.normal(size=sizes[0]).tolist(), rng.normal(size=sizes[1]).tolist()) for _ in range(200)]
    assert np.mean([one.verdict == "stable" for one in found]) > 0.97
    if sizes[0] == sizes[1] == 5_000:
        assert np.mean([one.psi for one in found]) == pytest.approx(found[0].chance, rel=0.25)


def test_what_moved_and_what_drifted() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=4_000).tolist()
    assert compare("x", before, rng.normal(0.4, size=4_000).tolist()).verdict == "moved"
    far = compare("x", before, rng.normal(1.0, size=4_000).tolist())
    assert far.verdict == "drifted"
    assert far.wasserstein == pytest.approx(1.0, abs=0.06)
    assert far.ks == pytest.approx(0.38, abs=0.04)


def test_missing_values_are_drift_of_their_own() -> None:
    before = [float(n % 10) for n in range(1_000)]
    some = [None if n % 8 == 0 else value for n, value in enumerate(before)]
    found = compare("x", before, some)
    assert found.verdict == "moved"
    assert "missing 0.0% → 12.5%" in found.reasons
    gone = compare("x", before, [None] * 1_000)
    assert gone.verdict == "drifted"
    assert gone.missing_after == 1.0


def test_new_kinds_are_told() -> None:
    before = ["jazz", "pop", None] * 300
    found = compare("genre", before, ["jazz", "pop", None] * 290 + ["=polka"] * 20 + ["ska"] * 10)
    assert found.new == {"=polka": 20, "ska": 10}
    assert found.verdict in ("moved", "drifted")
    assert found.ks is None
    assert compare("genre", before, before).verdict == "stable"


def test_truths_whole_numbers_and_nothing() -> None:
    assert compare("x", [True, False] * 200, [True, False] * 200).verdict == "stable"
    assert compare("x", [True] * 400, [False] * 400).verdict == "drifted"
    assert compare("x", [7] * 400, [7] * 400).verdict == "stable"
    assert compare("x", [None] * 100, [None] * 100).verdict == "stable"
    assert compare("x", [], []).verdict == "stable"
