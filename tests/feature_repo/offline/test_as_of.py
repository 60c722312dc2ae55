"""The as-of algorithm alone, where it switches between methods."""

import numpy as np
import pytest

from feature_repo.stores.as_of import LOWEST, Newest, Slots


@pytest.mark.parametrize(
    ("step", "spread", "numbered"), [(1, 1000, "as they are"), (2**40, 2**62, "by step"), (1, 2**62, "by rank")]
)
@pytest.mark.parametrize("as_known", [True, False])
def test_moments_are_numbered_in_three_ways(step: int, spread: int, numbered: str, as_known: bool) -> None:
    random = np.random.default_rng(1)
    codes = random.integers(-1, 3, 200)
    moments = random.integers(-spread // 2 // step, spread // 2 // step, 200) * step
    slots = Slots(codes, moments)
    assert (slots._step > 1, slots._ranks is not None) == (numbered == "by step", numbered == "by rank")
    history = random.integers(0, 3, 500), random.integers(-spread, spread, 500)
    events, created = history[1], history[1] + random.integers(0, spread // 4, 500)
    newest = Newest(slots, as_known=as_known)
    for part in np.array_split(np.arange(500), 7):
        has_key = np.isin(history[0][part], codes)
        part = part[has_key]  # noqa: PLW2901
        newest.offer(history[0][part], events[part], created[part], part)
    rows, index = newest.result()
    for row_number in range(200):
        visible = (history[0] == codes[row_number]) & (
            (np.maximum(events, created) if as_known else events) <= moments[row_number]
        )
        expected = max(np.flatnonzero(visible), key=lambda row: (events[row], created[row], row), default=None)
        slot = slots.slot_of_row[row_number]
        newest_row = None if slot < 0 or index[slot] < 0 else rows[index[slot]]
        assert newest_row == expected


def test_unknown_created_times_lose_ties_and_are_never_known() -> None:
    slots = Slots(np.array([0]), np.array([10]))
    for as_known, expected in ((False, 1), (True, 1)):
        newest = Newest(slots, as_known=as_known)
        newest.offer(np.zeros(2, np.int64), np.array([5, 5]), np.array([LOWEST, 6]), np.array([0, 1]))
        rows, _ = newest.result()
        assert rows.tolist() == [expected]
