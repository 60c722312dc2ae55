"""Arrays that are decoded piece by piece: the same batches as when all is decoded at once, wherever damage lies."""

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.raw.files import json_arrays
from transforms.raw.files.json_arrays import decoded_batches
from transforms.raw.files.members import single
from transforms.raw.files.records import records


class Stream(msgspec.Struct):
    """What is wanted of a record; the rest is skipped."""

    n: int | None = None
    text: str | None = None


texts = st.sampled_from(["", "a", '}, {"n": 1}, {', "},{", "}\n,\t{", "晴れ }", '"}, {"'])
elements = st.builds(
    lambda number, text, others: {"n": number, "text": text, "others": others},
    st.integers(0, 9),
    texts,
    st.lists(st.builds(lambda text: {"x": text}, texts), max_size=3),
)
damages = st.sampled_from(["", "", "", "null", '{"n": "x"}', '{"n": 1, "text": "a}', "{]", '{"n": 1}}', "]"])


def arrays() -> st.SearchStrategy[str]:
    """Arrays with records that have what looks like a place between two records, and some that are damaged."""
    parts = st.lists(st.one_of(elements.map(lambda row: json.dumps(row, ensure_ascii=False)), damages), max_size=12)
    return parts.map(lambda rows: f"[{', '.join(row for row in rows if row)}]")


def read(path: Path, size: int) -> list[tuple[list[Any], list[Any]]]:
    return [(batch.rows, batch.malformed) for batch in records(single(path), shape=Stream, size=size) if len(batch)]


@settings(max_examples=150, deadline=None)
@given(text=arrays(), size=st.integers(1, 5), piece_bytes=st.integers(1, 60))
def test_the_size_of_pieces_changes_nothing(text: str, size: int, piece_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_text(text, encoding="utf-8")
        patch.setattr(json_arrays, "PIECE_BYTES", len(text.encode()) + 1)
        at_once = read(path, size)
        patch.setattr(json_arrays, "PIECE_BYTES", piece_bytes)
        assert read(path, size) == at_once


@pytest.mark.parametrize("text", ["}, {", '"}, {"'])
def test_what_looks_like_an_end_within_a_record_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_arrays, "PIECE_BYTES", 8)
    rows = [{"n": 1}, {"n": 2, "text": text}, {"n": 3, "others": [{"x": 1}, {"x": 2}]}, {"n": 4}]
    first, second = [part for part, _ in decoded_batches(json.dumps(rows).encode(), Stream, 3)]
    assert [(row.n, row.text) for row in [*first, *second]] == [(1, None), (2, text), (3, None), (4, None)]


def test_an_array_is_decoded_in_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_arrays, "PIECE_BYTES", 100)
    content = json.dumps([{"n": number} for number in range(1_000)]).encode()
    batches = list(decoded_batches(content, Stream, 400))
    assert [(len(rows), is_last) for rows, is_last in batches] == [(400, False), (400, False), (200, True)]
    assert [row.n for rows, _ in batches for row in rows] == [*range(1_000)]
    assert len([*json_arrays._decoded_pieces(content, msgspec.json.Decoder(list[Stream]).decode)]) > 50
