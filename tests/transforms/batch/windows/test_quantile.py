"""Quantiles are within the documented error of the value of that rank, and equal to it where values are small."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.windows import Quantile, WindowedTable
from tests.windowed import listens
from transforms.batch.windows.quantile import buckets, middles, nearest_rank

INTEGERS = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-200, 200))


@given(values=st.lists(INTEGERS, min_size=1), q=st.floats(0, 1), data=st.data())
def test_the_error_is_at_most_one_in_128(values: list[int], q: float, data: st.DataObject) -> None:
    shuffled = np.array(data.draw(st.permutations(values)), np.int64)
    owner = np.zeros(len(values), np.int64)
    is_valid, bucket = nearest_rank(owner, buckets(shuffled), np.ones(len(values), np.int64), 2, q)
    assert is_valid.tolist() == [True, False]
    exact = sorted(values)[max(math.ceil(q * len(values)), 1) - 1]
    found = middles(bucket)[0]
    assert abs(found - exact) <= abs(exact) / 128
    if abs(exact) < 128:
        assert found == exact


@given(values=st.lists(INTEGERS))
def test_buckets_sort_as_values(values: list[int]) -> None:
    bucket = buckets(np.array(sorted(values), np.int64))
    assert (np.diff(bucket) >= 0).all()
    assert bucket.min(initial=0) >= 0


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_share_beyond_0_and_1_is_refused(q: float) -> None:
    features: dict[str, Any] = {"x": Quantile("price", q=q)}
    with pytest.raises(InputError, match="q must be 0 to 1"):
        WindowedTable("example", "", listens, ("user_id",), ("1d",), features)
