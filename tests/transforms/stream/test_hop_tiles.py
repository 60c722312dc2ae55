"""Tiles of each width hold the events within them, in any order, until they are dropped."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.stream.state import hop_tiles
from transforms.stream.state.sums import INT, Sums

HOPS = [10, 0, 30, 10, 45, 90]
"""Hops of windows: nested ones, one without end (0), and one (45) from which no other is built."""

MOMENTS = st.integers(0, 300)
PUTS = st.tuples(st.just("put"), MOMENTS, st.dictionaries(st.integers(0, 6), st.integers(-9, 9), max_size=5))
LOOKS = st.tuples(st.just("look"), st.sampled_from([0, 2, 4, 5]), MOMENTS, MOMENTS | st.just(np.inf))
DROPS = st.tuples(st.just("drop"), MOMENTS)


@pytest.mark.parametrize("merge", [2, 32])
def test_tiles_are_those_of_all_that_came(monkeypatch: pytest.MonkeyPatch, merge: int) -> None:
    monkeypatch.setattr(hop_tiles, "MERGE", merge)

    @settings(deadline=None, max_examples=300)
    @given(st.lists(PUTS | LOOKS | DROPS, max_size=30))
    def check(steps: list[tuple]) -> None:
        tiles, events, dropped = hop_tiles.ByHop(HOPS, Sums(HOPS, 1, 1, 1)), [], 0
        for step, *arguments in steps:
            if step == "put":
                time, values = arguments
                index = np.array(list(values), np.int64)
                tiles.put(time, index, np.array([[value] * 3 for value in values.values()], np.int64).reshape(-1, 3))
                events += [(time, key, value) for key, value in values.items()]
            elif step == "drop":
                dropped = max(dropped, arguments[0])
                tiles.drop(np.where(np.array(HOPS) > 0, dropped, INT.min))
            else:
                window, first, stop = arguments
                first = max(first, dropped)
                expected: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
                for time, key, value in events:
                    start = time - time % HOPS[window]
                    if first <= start < stop:
                        expected[start][key].append(value)
                tiles_found = list(tiles.of_window(window).between(first, stop))
                assert [time for time, _, _ in tiles_found] == sorted(expected)
                for time, index, rows in tiles_found:
                    assert index.tolist() == sorted(expected[time])
                    assert rows.tolist() == [
                        [sum(values_of_key), min(values_of_key), max(values_of_key)]
                        for _, values_of_key in sorted(expected[time].items())
                    ]

    check()
