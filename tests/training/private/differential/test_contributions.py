"""A person changes a sum by no more than the bounds say, whoever else is in the data."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from training.private.differential.contributions import Bounds, limit

Rows = list[tuple[int, int, int]]
ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(1, 9)), max_size=40, unique_by=lambda row: row[:2]
)
BOUNDS = st.builds(Bounds, st.integers(1, 4), st.integers(1, 6))


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    person, item, value = np.array(rows, np.int64).reshape(-1, 3).T
    return person, item, value


def sums(rows: Rows, bounds: Bounds) -> np.ndarray:
    """(8,) sums of the bounded values of each item."""
    person, item, value = columns(rows)
    place, kept = limit(person, item, value, bounds)
    return np.bincount(item[place], kept, minlength=8).astype(np.int64)


@settings(max_examples=150, deadline=None)
@given(ROWS, BOUNDS, st.integers(0, 5))
def test_without_any_person_the_sums_differ_by_what_the_bounds_allow(rows: Rows, bounds: Bounds, gone: int) -> None:
    difference = sums(rows, bounds) - sums([row for row in rows if row[0] != gone], bounds)
    assert (difference**2).sum() <= bounds.squared_l2
    assert (difference >= 0).all()
    assert np.count_nonzero(difference) <= bounds.items
    assert difference.max(initial=0) <= bounds.value
    assert np.sqrt(float((difference**2).sum())) <= bounds.l2
    assert difference.sum() <= bounds.l1


@settings(max_examples=100, deadline=None)
@given(ROWS, BOUNDS)
def test_the_largest_values_of_each_person_are_kept(rows: Rows, bounds: Bounds) -> None:
    person, item, value = columns(rows)
    place, kept = limit(person, item, value, bounds)
    frame = pl.DataFrame({"person": person, "value": value})
    expected = frame.group_by("person").agg(pl.col("value").top_k(bounds.items).sort().clip(upper_bound=bounds.value))
    actual = pl.DataFrame({"person": person[place], "value": kept}).group_by("person").agg(pl.col("value").sort())
    assert actual.sort("person").equals(expected.sort("person"))


def test_ties_do_not_favour_the_first_items() -> None:
    person, item = np.repeat(np.arange(1), 64), np.arange(64)
    place, _ = limit(person, item, np.ones(64, np.int64), Bounds(8))
    assert place.tolist() != list(range(8))
    place, _ = limit(person, item, np.ones(64, np.int64), Bounds(2), tie=np.arange(64)[::-1])
    assert place.tolist() == [62, 63]


@pytest.mark.parametrize(("items", "value"), [(0, 1), (1, 0), (-1, 1), (2**32, 1), (1.5, 1), (True, 1)])
def test_bounds_that_are_none(items: int, value: int) -> None:
    with pytest.raises(InputError, match="whole number"):
        Bounds(items, value)


def test_the_norm_is_rounded_up() -> None:
    for items in range(1, 200):
        assert Bounds(items, 3).l2 ** 2 >= Bounds(items, 3).squared_l2 * (1 - 1e-15)
    assert Bounds(2**31, 2**31).squared_l2 == 2**93


@pytest.mark.parametrize("rows", [[(0, 0, 0)], [(0, 1, 2), (0, 1, 3)]])
def test_rows_that_are_not_counted_yet_are_refused(rows: Rows) -> None:
    with pytest.raises(InputError, match="count the rows"):
        limit(*columns(rows), Bounds(1))
