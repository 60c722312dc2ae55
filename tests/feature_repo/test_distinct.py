"""Distinct numbers: equal to numpy's functions, which hash or sort more."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from feature_repo.distinct import distinct, is_among, without

numbers = st.lists(st.integers(-3, 12), max_size=20).map(lambda values: np.array(values, np.int64))


@given(numbers)
def test_distinct_is_unique(values: np.ndarray) -> None:
    before = values.copy()
    assert distinct(values).tolist() == np.unique(values).tolist()
    assert distinct(values).dtype == values.dtype
    assert values.tolist() == before.tolist()


@given(numbers, numbers)
def test_membership_is_isin(values: np.ndarray, others: np.ndarray) -> None:
    assert is_among(values, np.unique(others)).tolist() == np.isin(values, others).tolist()
    ascending = np.unique(values)
    assert without(ascending, others).tolist() == (~np.isin(ascending, others)).tolist()
