"""Numbers of pairs, against a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.stream.state.pairs import Pairs

CODES = st.integers(0, 9) | st.integers(0, 2**31 - 1)


@given(st.lists(st.lists(st.tuples(CODES, CODES)), max_size=5))
def test_each_pair_has_a_number_of_its_own(batches: list[list[tuple[int, int]]]) -> None:
    pairs, number_of = Pairs(), {}
    for batch in batches:
        first, second = (np.array([pair[position] for pair in batch], np.int64) for position in (0, 1))
        expected = [number_of.setdefault(pair, len(number_of)) for pair in batch]
        assert pairs.numbers(first, second).tolist() == expected
        assert pairs.of_columns(("b", second), ("a", first)).tolist() == expected
        assert pairs.of_columns(("a", first), ("a", second)).tolist() == expected
        assert len(pairs) == len(number_of)
