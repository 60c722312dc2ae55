"""Growing arrays, against a growing list."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.stream.state import growing
from transforms.stream.state.growing import Growing

LENGTHS = st.lists(st.integers(0, 40), max_size=12)


@given(LENGTHS, st.sampled_from([1, 4, 1000]), st.sampled_from([0, 10, 10**9]), st.integers(-3, 3))
def test_what_was_there_stays_and_what_is_new_is_filled(
    lengths: list[int], ahead: int, addresses: int, fill: int
) -> None:
    untouched = growing._untouched

    def limited(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        if shape[0] > max(addresses, 2 * 40):
            raise OSError(12, "Cannot allocate memory")
        return untouched(shape, dtype)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("AHEAD", ahead), ("ROOM", 16 if addresses else 10**6), ("_untouched", limited)):
            patch.setattr(growing, name, value)
        array: Any = Growing(np.int64, fill, tail=(2,))
        expected: list[list[int]] = []
        for length in lengths:
            expected += [[fill, fill]] * (length - len(expected))
            assert array.values(length).tolist() == expected[:length]
            for index in range(length):
                array.values(length)[index] = expected[index] = [index + length, length]
