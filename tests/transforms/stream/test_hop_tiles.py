"""Tiles of each width hold what came within them, in whatever order, and until it is dropped."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.stream.state import hop_tiles
from transforms.stream.state.sums import INT, Sums

HOPS = [10, 0, 30, 10, 45, 90]  # of windows: nested, one that never ends, and one that no other is made of

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
        tiles, came, dropped = hop_tiles.ByHop(HOPS, Sums(HOPS, 1, 1, 1)), [], 0
        for step, *told in steps:
            if step == "put":
                at, values = told
                index = np.array(list(values), np.int64)
                tiles.put(at, index, np.array([[value] * 3 for value in values.values()], np.int64).reshape(-1, 3))
                came += [(at, key, value) for key, value in values.items()]
            elif step == "drop":
                dropped = max(dropped, told[0])
                tiles.drop(np.where(np.array(HOPS) > 0, dropped, INT.min))
            else:
                window, first, stop = told
                first = max(first, dropped)
                expected: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
                for at, key, value in came:
                    begin = at - at % HOPS[window]
                    if first <= begin < stop:
                        expected[begin][key].append(value)
                found = list(tiles.of_window(window).between(first, stop))
                assert [at for at, _, _ in found] == sorted(expected)
                for at, index, rows in found:
                    assert index.tolist() == sorted(expected[at])
                    assert rows.tolist() == [[sum(v), min(v), max(v)] for _, v in sorted(expected[at].items())]

    check()
