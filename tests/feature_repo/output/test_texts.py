"""Escaping of each kind of output, by properties: nothing acts, nothing is lost, and what is read back is what was."""

import csv
import io
import json
import math
import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.output import csv_text, markdown
from feature_repo.output.json_text import to_json
from feature_repo.output.plain import inert, one_line, shorten, visible

texts = st.text(st.characters(codec=None), max_size=40)
hostile = st.text(st.sampled_from("='\"+-@\t\r\n\x00\x1b[\u202e\u2066|<>*_`[]()#!\\~&:/.wa1 {}$\ud800é"), max_size=20)
either = texts | hostile
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | either,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(either, inner, max_size=3),
    max_leaves=8,
)
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@given(either)
def test_no_text_acts_on_a_terminal_or_ends_a_line(text: str) -> None:
    assert not ACTING.search(visible(text))
    assert not ACTING.search(inert(text))
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert "\t" not in line
    line.encode()
    assert visible(visible(text)) == visible(text)


@given(either.filter(lambda text: not ACTING.search(text)))
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert visible(text) == inert(text) == text


@given(values)
def test_documents_stay_what_they_are_without_acting_characters(value: Any) -> None:
    text = to_json(value)
    assert not ACTING.search(text)
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(json.dumps(_without_nan(value)))
    assert len(to_json(value, indent=1).splitlines()) >= 1


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_json_takes_what_a_default_makes_of_it() -> None:
    assert to_json({"a": {1.5}, "b": math.inf}, default=list) == '{"a": [1.5], "b": null}'
    assert to_json({math.nan: (1, math.nan)}) == '{"nan": [1, null]}'
    with pytest.raises(TypeError, match="set"):
        to_json([math.nan, {1}])
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(ValueError, match="[Cc]ircular"):
        to_json(ring)


@given(st.lists(st.lists(either, min_size=2, max_size=2), min_size=1, max_size=4))
def test_cells_are_no_formulas_and_come_back(rows: list[list[str]]) -> None:
    file = io.StringIO()
    csv_text.write_rows(file, rows)
    read = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    for cells, given_row in zip(read, rows, strict=True):
        for cell, text in zip(cells, given_row, strict=True):
            assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"}
            assert csv_text.read_back(cell) == inert(text.replace("\r\n", "\n"))


@given(st.lists(st.tuples(hostile, st.floats(), st.integers(-5, 5)), min_size=1, max_size=4))
def test_a_table_keeps_numbers_and_gives_texts_back(rows: list[tuple[str, float, int]]) -> None:
    rows = [(inert(text), share, plays) for text, share, plays in rows]
    frame = pl.DataFrame(rows, {"=title": pl.String, "share": pl.Float64, "-plays": pl.Int64}, orient="row")
    text = csv_text.text_of(frame)
    assert text.splitlines()[0] == "'=title,share,'-plays"
    read = csv_text.frame_read_back(
        pl.read_csv(
            text.encode(),
            schema_overrides={"'=title": pl.String, "share": pl.Float64},
        )
    )
    assert read["=title"].to_list() == frame["=title"].to_list()
    assert read["-plays"].to_list() == frame["-plays"].to_list()
    assert read["share"].to_list() == [value if math.isfinite(value) else None for value in frame["share"]]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\xa0@a", "'=1", "＝1"])
def test_a_formula_is_a_text(text: str) -> None:
    assert csv_text.cell(text) == f"'{text}"


def test_a_cell_is_no_longer_than_a_spreadsheet_holds() -> None:
    assert len(str(csv_text.cell("=" * 1_000_000))) == csv_text.LONGEST
    assert shorten("a" * 9, 8) == "aaaaaaaa…"


MARKS = {
    "| a": r"\| a",
    "<b>": r"\<b\>",
    "[a](javascript:b)": r"\[a\](javascript:b)",
    "![a](b)": r"!\[a\](b)",
    "*a* __b__ ~~c~~ `d`": r"\*a\* \_\_b\_\_ \~\~c\~\~ \`d\`",
    "user_id": "user_id",
    "# a": r"\# a",
    "- a": r"\- a",
    "1. a": r"1\. a",
    "1.5 a": "1.5 a",
    "https://a.example": r"https:\//a.example",
    "www.a.example": r"www\.a.example",
    "a@b.example": r"a\@b.example",
    "&lt;": r"\&lt;",
    "a\n\n# b": "a # b",
    "\x00\x1b": "\ufffd\ufffd",
}


@pytest.mark.parametrize("text", MARKS)
def test_a_text_is_no_markdown(text: str) -> None:
    assert markdown.escape(text) == MARKS[text]


@given(either, either)
def test_a_table_has_as_many_cells_as_it_was_given(one: str, other: str) -> None:
    lines = markdown.table([one, "b"], [[other, one]]).splitlines()
    assert len(lines) == 3
    for line in (lines[0], lines[2]):
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
    assert len(markdown.table(["a"], [["b" * 10_000]])) < 1_100
    assert markdown.table(["a"], [[-1.5]]).endswith("| -1.5 |")
