"""Profiles of ordinary owners: how many of them may be flagged, and who is."""

import numpy as np
import pytest

from inference.security.theft.ordinary import CHECKPOINTS, FALSE_ALARMS, Profile, rank_of_threshold
from inference.security.theft.row_marks import RowMarks


def owners(count: int, seed: int) -> np.ndarray:
    """Owners of rates of their own, of whom the second asks fewer questions."""
    rng = np.random.default_rng(seed)
    own = rng.beta(1, 30, (count, 1, 1, 1))
    shares = rng.binomial(50, np.broadcast_to(own, (count, 2, len(CHECKPOINTS), 1))) / 50
    shares = np.concatenate([np.ones_like(shares), shares], axis=-1)
    shares[::2, 1] = np.nan
    return shares


def test_false_alarms_are_bounded_on_new_owners() -> None:
    profile = Profile.fit(("new", "far"), owners(500, 0), owners(6_000, 1))
    flagged = np.mean([profile.largest(owner) > profile.threshold for owner in owners(20_000, 2)])
    assert flagged <= FALSE_ALARMS
    assert profile.score(100, {"new": 1.0, "far": 0.9})[0] > profile.threshold


def test_too_few_owners_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        rank_of_threshold(1_000)


@pytest.mark.parametrize("kind", ["keys", "rows"])
def test_the_bundled_profiles_are_of_enough_owners(kind: str) -> None:
    profile = Profile.load(kind)
    assert profile.owners >= 6_000
    assert len(profile.highs) == len(profile.medians) == len(CHECKPOINTS)
    assert profile.score(500, dict.fromkeys(profile.names, 0.0))[0] < profile.threshold
    assert profile.score(500, dict.fromkeys(profile.names, 1.0))[0] > profile.threshold


def test_marks_of_rows() -> None:
    rng = np.random.default_rng(0)
    reference = np.column_stack([rng.normal(size=(300, 4)), rng.integers(0, 3, 300)])
    marks = RowMarks.fit(reference, np.linspace(0, 1, 300))
    rows = np.vstack([reference[0], reference[0], reference[0], np.full(5, np.nan), np.full(5, np.inf)])
    rows[1, 0] += 0.5
    rows[2, 0], rows[2, 4] = 99.0, 0.5  # beyond the extremes, and between the kinds
    found = marks.find(rows, np.array([0.5, 0.9, 0.9, 0.9, 0.9]))
    assert found["stepped"].tolist() == [False, True, True, False, False]
    assert found["outside"].tolist() == [False, False, True, False, True]
    assert found["undecided"].tolist() == [True, False, False, False, False]
    assert not found["far"][0]
    assert marks.find(reference[:1], np.array([0.9]), rows[1])["stepped"].tolist() == [True]


def test_marks_of_strange_references() -> None:
    """No rows, one row, columns without values and numbers instead of chances."""
    empty = RowMarks.fit(np.zeros((0, 3)), np.zeros(0))
    assert empty.count(np.zeros((2, 3)), np.zeros(2))["outside"] == 0
    one = RowMarks.fit(np.ones((1, 3)), np.ones(1), are_chances=False)
    assert one.count(np.ones((1, 3)), np.array([0.5])) == {"outside": 0, "far": 0, "undecided": 0, "stepped": 0}
    missing = RowMarks.fit(np.full((60, 2), np.nan), np.full(60, 0.5))
    assert missing.count(np.zeros((1, 2)), np.array([0.5]))["outside"] == 0
