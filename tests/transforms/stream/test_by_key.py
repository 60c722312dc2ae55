"""Slots by their keys, against a search through all slots."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.stream.state import by_key
from transforms.stream.state.by_key import ByKey

PIECES = st.lists(st.lists(st.integers(0, 6), max_size=9), max_size=12)


@given(PIECES, st.sets(st.integers(0, 8)), st.sampled_from([0, 1, 5, 1000]))
def test_all_slots_of_some_keys(pieces: list[list[int]], requested: set[int], few_keys: int) -> None:
    by_key_index, keys = ByKey(), np.array(sorted(requested), np.int64)
    key = np.zeros(0, np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_key, "FEW", few_keys)
        for piece in [*pieces, []]:
            key = np.concatenate([key, np.array(piece, np.int64)])
            slots, owner = by_key_index.find(keys, key)
            assert sorted(slots.tolist()) == np.flatnonzero(np.isin(key, keys)).tolist()
            assert keys[owner].tolist() == key[slots].tolist()
