"""Patterns in contents: the same as a search for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refrain.person import patterns
from refrain.person.patterns import Patterns

_BYTES = st.binary(min_size=1, max_size=4) | st.text("ab\0", min_size=1, max_size=3).map(str.encode)


@given(st.lists(_BYTES, min_size=1, max_size=6, unique=True), st.lists(st.binary(max_size=40) | _BYTES, max_size=4))
def test_all_that_each_content_holds(wanted: list[bytes], contents: list[bytes]) -> None:
    contents = [*contents, b"".join(wanted)]
    expected = [[place for place, pattern in enumerate(wanted) if pattern in content] for content in contents]
    assert Patterns(wanted).in_each(contents) == expected


def test_a_large_content_is_searched_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_LARGE", 10)
    assert Patterns([b"u1", b"\xff"]).in_each([b"12345678 u1", b"\xff"]) == [[0], [1]]
