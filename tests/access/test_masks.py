"""Masks put a value of the same type in the place of each value, the same each time, and never the value itself."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.access.masks import MaskKind, mask_of
from feature_repo.discovery import definitions
from feature_repo.errors import InputError

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
WHOLE, REAL = st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9)
COLUMNS = st.lists(st.none() | WHOLE, max_size=5) | st.lists(st.none() | REAL, max_size=5)
"""Values of a column, which are of one type."""
EXAMPLES = {
    "null": "null",
    "pseudonym": "pseudonym",
    "round": "round:10",
    "bucket": "bucket:0,10",
    "letters": "letters:1",
}


def test_every_kind_has_an_example_here() -> None:
    assert set(definitions("feature_repo.access.masking", MaskKind)) == {*EXAMPLES, "year"}


@given(COLUMNS, st.integers(1, 1_000))
def test_a_rounded_number_is_the_start_of_its_interval(values: list[Any], width: int) -> None:
    masked = mask_of(f"round:{width}").apply(values, KEY, "f")
    for value, start in zip(values, masked, strict=True):
        if value is None:
            assert start is None
        else:
            assert type(start) is type(value) or isinstance(value, float)
            assert start <= value < start + width or math.isclose(value, start + width)
            assert start % width == 0


@given(COLUMNS, st.sets(st.integers(-1_000, 1_000), min_size=1, max_size=6))
def test_a_bucket_is_the_largest_edge_below(values: list[Any], edges: set[int]) -> None:
    text = ",".join(map(str, sorted(edges)))
    for value, lower in zip(values, mask_of(f"bucket:{text}").apply(values, KEY, "f"), strict=True):
        below = [edge for edge in edges if value is not None and edge <= value]
        assert lower == (max(below) if below else None)


@given(st.lists(st.none() | st.text(), max_size=5))
def test_pseudonyms_are_equal_where_values_are_and_say_nothing_without_the_key(values: list[str | None]) -> None:
    mask = mask_of("pseudonym")
    masked = mask.apply(values, KEY, "view__name")
    assert masked == mask.apply(values, KEY, "other_view__name")  # tables can be joined by them
    for (value, pseudonym), other in zip(
        zip(values, masked, strict=True), mask.apply(values, OTHER_KEY, "name"), strict=True
    ):
        assert (pseudonym is None) == (value is None)
        assert pseudonym is None or (pseudonym != other and (len(value or "") < 3 or (value or "") not in pseudonym))
    assert len({*masked}) == len({*values})


@given(st.text(), st.integers(1, 5))
def test_letters_are_the_first_ones_and_never_all(value: str, count: int) -> None:
    (masked,) = mask_of(f"letters:{count}").apply([value], KEY, "f")
    assert masked == (value[:count] + "…" if len(value) > count else None)


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_a_year_is_its_first_moment(value: datetime) -> None:
    assert mask_of("year").apply([value.replace(tzinfo=UTC)], KEY, "f") == [datetime(value.year, 1, 1, tzinfo=UTC)]


def test_nothing_is_left_under_null() -> None:
    assert mask_of("null").apply(["a", 7, [1.0], None], KEY, "f") == [None] * 4


def test_what_is_no_number_rounds_to_nothing() -> None:
    values = [math.nan, math.inf, -math.inf]
    assert mask_of("round:10").apply(values, KEY, "f") == [None] * 3
    assert mask_of("bucket:0").apply(values[:1], KEY, "f") == [None]


@pytest.mark.parametrize(
    "text",
    ["", "hash", "round", "round:0", "round:-1", "round:x", "round:nan", "round:inf", "letters:0", "letters", "null:1",
     "bucket:", "bucket:3,1", "bucket:1,1", "year:1", "pseudonym:x", 7],
)  # fmt: skip
def test_a_mask_that_is_none_is_refused(text: object) -> None:
    with pytest.raises(InputError, match="a mask"):
        mask_of(text)
