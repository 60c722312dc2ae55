"""The levels of one column of many files: whether each value is there, and which list it goes on with.

A file has them in runs (https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE): one run if all of them
are equal, else all of them packed by eight. What a loop over files would compute is computed for all files at once.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from transforms.small_parquet.thrift import varint


def levels_of_files(levels: np.ndarray, edges: Sequence[int], most: int) -> list[bytes]:
    """(files,) The levels of each file; without levels nothing.

    Args:
        levels: (levels,) ``uint8`` levels of all files, one file after another.
        edges: (files + 1,) number of the first level of each file, and of all levels.
        most: the greatest level that may occur, 1 or 3.

    >>> levels_of_files(np.array([1, 1, 0, 1], np.uint8), [0, 2, 4], 1)
    [b'\\x02\\x00\\x00\\x00\\x04\\x01', b'\\x02\\x00\\x00\\x00\\x03\\x02']
    """
    places = np.asarray(edges)
    counts = np.diff(places)
    firsts = levels[np.minimum(places[:-1], len(levels) - 1)] if len(levels) else np.zeros(len(counts), np.uint8)
    changes = np.concatenate([[0], np.cumsum(levels[1:] != levels[:-1]), [0]])
    is_equal = changes[np.maximum(places[1:] - 1, 0)] == changes[places[:-1]]
    packed, starts = b"", [0] * len(edges)
    if not is_equal.all():
        packed, starts = packed_bits(levels, edges, most.bit_length())
    return [
        (equal_levels(count, level) if is_one_run else _packed_levels(packed[start:stop], count)) if count else b""
        for count, level, is_one_run, start, stop in zip(
            counts.tolist(), firsts.tolist(), is_equal.tolist(), starts[:-1], starts[1:], strict=True
        )
    ]


def packed_bits(values: np.ndarray, edges: Sequence[int], width: int) -> tuple[bytes, list[int]]:
    """The lowest bits of the values, each file filled up with zeros to whole groups of eight values.

    Args:
        values: (values,) ``uint8`` or boolean values of all files, one file after another.
        edges: (files + 1,) number of the first value of each file, and of all values.
        width: bits of a value.

    Returns:
        The bytes of all files, and the (files + 1,) byte at which each begins.

    >>> packed_bits(np.array([True, False, True]), [0, 2, 3], 1)
    (b'\\x01\\x01', [0, 1, 2])
    """
    counts = np.diff(edges)
    groups = np.concatenate([[0], np.cumsum(-(-counts // 8))])
    padded = np.zeros(8 * groups[-1], np.uint8)
    padded[np.arange(len(values)) + np.repeat(8 * groups[:-1] - np.asarray(edges)[:-1], counts)] = values
    bits = np.unpackbits(padded[:, None], axis=1, bitorder="little", count=width) if width > 1 else padded
    return np.packbits(bits, bitorder="little").tobytes(), (groups * width).tolist()


@lru_cache(65_536)
def equal_levels(count: int, level: int) -> bytes:
    """Levels that are all equal, as one run."""
    return _with_length(varint(count << 1) + bytes([level]))


def _packed_levels(packed: bytes, count: int) -> bytes:
    return _with_length(varint(-(-count // 8) << 1 | 1) + packed)


def _with_length(levels: bytes) -> bytes:
    return len(levels).to_bytes(4, "little") + levels
