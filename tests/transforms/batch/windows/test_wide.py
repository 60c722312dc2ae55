"""Sums of products in parts equal those of Python's integers, whatever their size and order."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.windows.table import DAY
from transforms.batch.windows import wide

INTEGERS = st.integers(-(1 << 63) + 1, (1 << 63) - 1)
VALUES = st.one_of(INTEGERS, st.sampled_from([0, 1, -1, 1 << 32, -(1 << 32), (1 << 32) - 1, 1 << 50, -(1 << 50)]))


@given(pairs=st.lists(st.tuples(VALUES, VALUES), min_size=1))
def test_sums_of_products(pairs: list[tuple[int, int]]) -> None:
    left, right = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    sums = {name: part.sum(keepdims=True) for name, part in zip(wide.SQUARE, wide.product(left, right), strict=True)}
    assert wide.total(sums, wide.SQUARE).tolist() == [sum(a * b for a, b in pairs)]


TIMES = st.integers(1_700_000_000_000_000, 1_800_000_000_000_000)


@given(points=st.lists(st.tuples(TIMES, VALUES | st.integers(-9, 9) | st.just(-(1 << 63))), min_size=1, max_size=20))
def test_spread_and_slope_are_exact(points: list[tuple[int, int]]) -> None:
    time, value = (np.array(column, np.int64) for column in zip(*points, strict=True))
    names = wide.PARTS
    parts = {name: part.sum(keepdims=True) for name, part in wide.parts_of(names, value, time > 0, time).items()}
    assert parts.keys() == set(names)
    n, total, exact_total = np.array([len(points)]), wide.total(parts, wide.VALUE), sum(value.tolist())
    assert total.tolist() == [exact_total]
    assert wide.clipped(total).tolist() == [max(min(exact_total, (1 << 63) - 1), -(1 << 63))]
    mean_time, mean_value = Fraction(int(time.sum()), len(points)), Fraction(exact_total, len(points))
    assert wide.mean(n, total)[0] == float(mean_value)
    variance = sum((Fraction(int(v)) - mean_value) ** 2 for v in value) / len(points)
    assert wide.deviation(n, total, wide.total(parts, wide.SQUARE))[0] == np.sqrt(float(variance))
    products = (wide.total(parts, names) for names in (wide.TIME, wide.TIME_SQUARE, wide.TIME_VALUE))
    is_valid, slope = wide.slope(n, total, *products)
    below = sum((t - mean_time) ** 2 for t in time.tolist())
    assert is_valid[0] == (len(set(time.tolist())) > 1)
    if is_valid[0]:
        above = sum((t - mean_time) * (v - mean_value) for t, v in zip(time.tolist(), value.tolist(), strict=True))
        assert slope[0] == float(above / below * DAY)


@given(value=st.integers(-(1 << 31) + 1, (1 << 31) - 1), count=st.integers(1, 9))
def test_squares_of_small_values_have_two_parts(value: int, count: int) -> None:
    assert wide.square_parts((-abs(value), abs(value))) == wide.SQUARE[:2]
    parts = wide.parts_of(wide.SQUARE[:2], np.full(count, value), np.ones(count, bool), np.ones(count, np.int64))
    sums = {name: part.sum(keepdims=True) for name, part in parts.items()}
    assert wide.total(sums, wide.SQUARE[:2]).tolist() == [count * value * value]
    assert wide.square_parts((0, 1 << 31)) == wide.square_parts(None) == wide.SQUARE


def test_many_values_of_one_sign_do_not_overflow() -> None:
    value = np.full(200_000, 1 << 50)
    time = np.full(200_000, 1_800_000_000_000_000) + np.arange(200_000) % 2
    parts = wide.parts_of(wide.PARTS, value, time > 0, time)
    sums = {name: part.sum(keepdims=True) for name, part in parts.items()}
    assert wide.total(sums, wide.SQUARE)[0] == 200_000 << 100
    assert wide.total(sums, wide.TIME)[0] == sum(time.tolist())
    assert wide.total(sums, wide.TIME_VALUE)[0] == sum(time.tolist()) << 50
