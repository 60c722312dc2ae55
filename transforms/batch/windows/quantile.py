"""Quantiles from exact counts of values in fixed buckets, which are 1/64 of a power of two wide.

The bucket of a value follows from the first bits of the value as a Float64, so it is the same for every window, key and
engine, and counts can be added and subtracted in any order (log-linear buckets, as of G. Tene's HdrHistogram). A
quantile is the middle of the bucket that has the value of that rank: at most 1/128 (0.8 %) from it, and exact below 128
units.
"""

import numpy as np

from feature_repo.windows import Window
from transforms.batch.windows.items import Items, Rows, blocks, expand_ranges, sort_order
from transforms.batch.windows.top_k import BLOCK

_CUT = 46
"""Bits of a Float64 that its bucket leaves out: all of the mantissa but six."""

_WHOLE = 1 << 53
"""Integers up to it are exact as Float64."""

_ZERO = 1 << 17
"""Bucket of zero. Buckets of negative values are below it, those of positive values above."""


def buckets(integers: np.ndarray) -> np.ndarray:
    """(n,) buckets of integers, from 0 up, which sort as the integers do."""
    size = np.abs(integers).view(np.uint64)  # also of the smallest one, which has no positive counterpart
    size = np.where(size < _WHOLE, size, size & ~np.uint64(1023))  # 53 bits, so that no float is rounded up
    size = size.astype(np.float64).view(np.int64) >> _CUT
    return np.where(integers < 0, _ZERO - size, _ZERO + size)


def middles(bucket: np.ndarray) -> np.ndarray:
    """(n,) whole number in the middle of each bucket, as a float."""
    size = np.abs(bucket - _ZERO)
    low, high = (edge.view(np.float64) for edge in (size << _CUT, (size + 1) << _CUT))
    return np.where(size == 0, 0.0, np.where(bucket < _ZERO, -1.0, 1.0) * np.floor((low + high) / 2))


def nearest_rank(
    owner: np.ndarray, bucket: np.ndarray, n: np.ndarray, owners: int, q: float
) -> tuple[np.ndarray, np.ndarray]:
    """The bucket of the value with rank ⌈q·count⌉ of each owner.

    Args:
        owner: (n,) number of the owner of each bucket.
        bucket: (n,) buckets, in any order, also several times.
        n: (n,) numbers of values, not negative.
        owners: number of owners.
        q: the quantile, 0 to 1.

    Returns:
        Whether (owners,) owners have a value, and their (owners,) buckets.
    """
    order = sort_order(owner, bucket)
    up_to = np.cumsum(n[order])
    total = np.bincount(owner, weights=n, minlength=owners).astype(np.int64)
    rank = np.maximum(np.ceil(q * total), 1).astype(np.int64)
    place = np.searchsorted(up_to, np.cumsum(total) - total + rank)
    ordered = np.append(bucket[order], _ZERO)  # an owner without values may be beyond the end
    return total > 0, ordered[np.minimum(place, len(bucket))]


def quantile(items: Items, rows: Rows, window: Window, q: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether (rows,) rows have values in the window, and the (rows,) buckets of their quantiles."""
    first, stop = rows.ranges(items, window)
    is_valid, bucket = np.zeros(len(first), bool), np.full(len(first), _ZERO)
    for block in blocks(first, stop, BLOCK):
        place, owner = expand_ranges(first[block], stop[block])
        values, counts = items.columns["value"][place], items.columns["n"][place]
        is_valid[block], bucket[block] = nearest_rank(owner, values, counts, len(first[block]), q)
    return is_valid, bucket
