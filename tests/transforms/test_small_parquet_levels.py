"""Levels and bits of many files, computed at once, beside those of each file alone."""

from itertools import pairwise

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.small_parquet.column import Column, pages
from transforms.small_parquet.levels import levels_of_files, packed_bits
from transforms.small_parquet.thrift import varint


def naive_bits(values: list[int], width: int) -> bytes:
    """Values from the lowest bit on, in groups of eight."""
    bits = [value >> place & 1 for value in values for place in range(width)]
    bits += [0] * (-len(values) % 8 * width)
    return bytes(sum(bit << place for place, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))


def naive_levels(levels: list[int], most: int) -> bytes:
    if not levels:
        return b""
    if len(set(levels)) == 1:
        content = varint(len(levels) << 1) + bytes([levels[0]])
    else:
        content = varint(-(-len(levels) // 8) << 1 | 1) + naive_bits(levels, most.bit_length())
    return len(content).to_bytes(4, "little") + content


@settings(max_examples=100, deadline=None)
@given(most=st.sampled_from([1, 3]), data=st.data())
def test_levels_of_files_are_those_of_each_file(most: int, data: st.DataObject) -> None:
    files = data.draw(st.lists(st.lists(st.integers(0, most), max_size=20), min_size=1, max_size=6))
    edges = np.cumsum([0, *map(len, files)]).tolist()
    levels = np.array([level for file in files for level in file], np.uint8)
    assert levels_of_files(levels, edges, most) == [naive_levels(file, most) for file in files]
    width = most.bit_length()
    packed, starts = packed_bits(levels, edges, width)
    assert [packed[a:b] for a, b in pairwise(starts)] == [naive_bits(file, width) for file in files]


@settings(max_examples=50, deadline=None)
@given(
    value=st.sampled_from(["mira", "", "a long text " * 20, None]),
    heights=st.lists(st.integers(0, 40), min_size=1, max_size=6),
)
def test_a_column_of_one_value_has_the_pages_of_any_other(value: str | None, heights: list[int]) -> None:
    series = pl.Series("user_id", [value] * sum(heights), pl.String)
    edges = np.cumsum([0, *heights]).tolist()
    shared, each = pages(series, heights), Column(series, edges).pages()
    for number in (number for number, height in enumerate(heights) if height):
        assert shared.contents[number] == each.contents[number]
        assert shared.unpacked_sizes[number] == each.unpacked_sizes[number]
        assert shared.metadata[number] == each.metadata[number]
