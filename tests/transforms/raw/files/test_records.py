"""JSON in every shape: an array, lines, a list within an object; damaged elements do not stop the rest."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from feature_repo.errors import InputError
from tests.transforms.raw.files.containers import CONTAINERS
from transforms.raw.files import records as module
from transforms.raw.files.members import members, single
from transforms.raw.files.records import first_object, records, value_at

ROWS: list[dict[str, Any]] = [
    {"ts": "2024-01-01", "ms_played": 10**20, "artist": {"name": "Älvdröm"}, "tags": [{"ts": "a"}, {"ts": "b"}]},
    {"ts": 'a, {"ts": 1}', "ms_played": None, "artist": None, "tags": []},
    {"ts": "", "ms_played": -1.5, "artist": {}, "tags": [None]},
]
SHAPES: dict[str, Callable[[list[Any]], str]] = {
    "array": json.dumps,
    "array, spread": lambda rows: json.dumps(rows, indent=2, ensure_ascii=False),
    "array, one a line": lambda rows: "[" + ",\n".join(json.dumps(row) for row in rows) + "]\n",
    "lines": lambda rows: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
    "lines, the last without an end": lambda rows: "\r\n".join(json.dumps(row) for row in rows),
    "lines between empty ones": lambda rows: "\n" + "\n\n".join(json.dumps(row) for row in rows),
    "lines that end with commas": lambda rows: ",\n".join(json.dumps(row) for row in rows) + ",",
    "objects, joined": lambda rows: "".join(json.dumps(row) for row in rows),
    "arrays, joined": lambda rows: json.dumps(rows[:1]) + json.dumps(rows[1:]),
    "arrays, one a line": lambda rows: json.dumps(rows[:1]) + "\n" + json.dumps(rows[1:], indent=1),
    "objects with lists, joined": lambda rows: "".join(json.dumps({"payload": {"listens": [row]}}) for row in rows),
    "objects with lists, one a line": lambda rows: "\n".join(
        json.dumps({"payload": {"listens": part}}) for part in (rows[:2], rows[2:])
    ),
    "objects, spread": lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows),
    "object": lambda rows: json.dumps({"payload": {"count": 3, "listens": rows, "user_id": "mira"}}),
    "object, spread": lambda rows: json.dumps({"payload": {"user_id": "mira", "listens": rows}}, indent=2),
}


def write(tmp_path: Path, text: str | bytes, name: str = "a.json") -> Path:
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return tmp_path / name


def read(path: Path, *places: str, **options: Any) -> tuple[list[Any], list[tuple[str, str]]]:
    batches = list(records(next(members(path)), *places, **options))
    return [row for batch in batches for row in batch.rows], [row for batch in batches for row in batch.malformed]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("container", ["plain", "gzip", "zip"])
def test_every_shape_encoding_and_container(shape: str, encoding: str, container: str, tmp_path: Path) -> None:
    path = CONTAINERS[container](tmp_path, "a.json", SHAPES[shape](ROWS).encode(encoding))
    assert read(path, "recenttracks.track", "payload.listens", size=2) == (ROWS, [])


def test_what_stands_behind_a_list_is_malformed(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(ROWS) + " 7")
    assert read(path) == (ROWS, [("behind the end of the list", "7")])


def test_lines_are_pages_single_records_or_cut_short(tmp_path: Path) -> None:
    pages = [{"payload": {"listens": ROWS[:2]}}, {"payload": {"listens": ROWS[2]}}, ROWS[0], {"payload": {}}]
    lines = [json.dumps(page) for page in pages]
    path = write(tmp_path, "\n".join([*lines, lines[0][:-4]]))
    rows, malformed = read(path, "payload.listens")
    assert rows == [*ROWS[:3], ROWS[0], {"payload": {}}, ROWS[0]]
    assert len(malformed) == 1


@pytest.mark.parametrize("shape", ["array", "array, spread", "object, spread", "arrays, joined"])
def test_a_large_file_is_streamed(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": number, "text": "ä" * 9, "share": 0.5} for number in range(3_000)]
    path = write(tmp_path, SHAPES[shape](rows))
    monkeypatch.setattr(module, "WHOLE_BYTES", 10_000)
    monkeypatch.setattr(module, "BLOCK", 4_096)
    monkeypatch.setattr(module, "damaged_elements", None)
    monkeypatch.setattr(module, "_whole_elements", None)
    assert read(path, "absent", "payload.listens", size=700) == (rows, [])
    cut_short = write(tmp_path, SHAPES[shape](rows)[:50_000])
    kept, malformed = read(cut_short, "payload.listens")
    assert kept == rows[: len(kept)]
    assert len(kept) > 100
    assert malformed[-1].reason.startswith("cut short or no JSON")


def test_elements_of_other_shapes_are_malformed_one_by_one(tmp_path: Path) -> None:
    content = '[null, {"a": 1}, "text", 7, [1], {"a": 1e999}, {"a": NaN}, true, {"a": 2}]'
    rows, malformed = read(write(tmp_path, content))
    assert [row["a"] for row in rows if row["a"] in (1, 2)] == [1, 2]
    assert [item for item in malformed if "in the place of" in item.reason] == [
        ("null in the place of an object", "null"),
        ("str in the place of an object", '"text"'),
        ("int in the place of an object", "7"),
        ("array in the place of an object", "[1]"),
        ("bool in the place of an object", "true"),
    ]
    lines = write(tmp_path, '{"a": 1}\nnull\n{"a": \n{"a": 2}\nGET / HTTP\n{"a": 3}')
    assert read(lines)[0] == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert [reason for reason, _ in read(lines)[1]] == [
        "null in the place of an object",
        "no JSON, or cut short",
        "no JSON, or cut short",
    ]


def test_a_damaged_element_costs_itself_only(tmp_path: Path) -> None:
    rows = [{"ts": str(number), "tags": [{"ts": "x"}, {"ts": "y"}], "text": "ä"} for number in range(9)]
    for damage in ('"tags": [{', '"tags" [{', '"tags": [{]', '"\0tags": [{', '"tags: [{', '}"tags": [{'):
        parts = [json.dumps(row, ensure_ascii=False) for row in rows]
        parts[4] = parts[4].replace('"tags": [{', damage)
        path = write(tmp_path, f"[{', '.join(parts)}]")
        kept, malformed = read(path)
        damaged = damage != '"tags": [{'
        assert kept[:4] == rows[:4]
        assert kept[-4:] == rows[5:], damage
        assert bool(malformed) == damaged, damage


def test_bytes_that_are_not_utf_8_cost_their_record(tmp_path: Path) -> None:
    good = ",".join(json.dumps({"a": f"Grüße {number}"}, ensure_ascii=False) for number in range(5)).encode()
    rows, malformed = read(write(tmp_path, b"[" + good + b',{"a": "\xff"},' + good + b"]"))
    assert (len(rows), [item.reason for item in malformed]) == (10, ["bytes that are not UTF-8"])
    lines = write(tmp_path, "\n".join(SHAPES["lines"](ROWS) for _ in range(3)).encode() + b'{"ts": "\xff"}\n')
    assert (len(read(lines)[0]), [item.reason for item in read(lines)[1]]) == (9, ["bytes that are not UTF-8"])


@pytest.mark.parametrize("shape", ["array", "lines"])
def test_cp1252_is_recognized(shape: str, tmp_path: Path) -> None:
    rows = [{"title": "Grüße"}, {"title": "Älvdröm"}, {"title": "plain"}]
    text = json.dumps(rows, ensure_ascii=False) if shape == "array" else SHAPES["lines"](rows)
    assert read(write(tmp_path, text.encode("cp1252"))) == (rows, [])


@pytest.mark.parametrize("shape", ["array", "array, spread", "object", "lines"])
@pytest.mark.parametrize("cut", [3, 20, 150])
def test_an_end_that_is_missing_keeps_the_rows_before(shape: str, cut: int, tmp_path: Path) -> None:
    rows = [{"ts": str(number), "text": "x" * 20} for number in range(50)]
    kept, malformed = read(write(tmp_path, SHAPES[shape](rows)[:-cut]), "payload.listens")
    assert kept == rows[: len(kept)]
    assert len(kept) >= 44
    assert malformed or shape in ("lines", "object"), "what follows the list of an object is not needed"


def test_a_broken_gzip_keeps_the_rows_before_and_raises(tmp_path: Path) -> None:
    rows = [{"n": number, "noise": str(hash(str(number)))} for number in range(60_000)]
    for shape in ("array", "lines"):
        path = CONTAINERS["gzip"](tmp_path, "a.json", SHAPES[shape](rows).encode())
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        kept: list[Any] = []
        with pytest.raises(InputError, match="cut short or damaged"):
            for batch in records(single(path)):
                kept += batch.rows
        assert len(kept) > 20_000
        assert kept == rows[: len(kept)]


class Play(msgspec.Struct):
    ts: str
    ms_played: int | None = None


def test_a_shape_takes_what_is_wanted_and_says_what_does_not_fit(tmp_path: Path) -> None:
    content = json.dumps(
        [{"ts": "a", "ms_played": 10**20, "x": [1]}, {"ts": 5}, {"ms_played": 1}, {"ts": "b", "ms_played": "9"}]
    )
    rows, malformed = read(write(tmp_path, content), shape=Play)
    assert rows == [Play("a", 10**20)]
    assert [item.reason for item in malformed] == [
        "ts: int in the place of str",
        "Object missing required field `ts`",
        "ms_played: str in the place of int | null",
    ]


def test_places(tmp_path: Path) -> None:
    page = write(tmp_path, '{"recenttracks": {"track": {"name": "one"}, "@attr": {"user": "mira"}}}')
    assert read(page, "payload.listens", "recenttracks.track") == ([{"name": "one"}], [])
    assert value_at(first_object(single(page)), "recenttracks.@attr.user") == "mira"
    assert value_at({"a": [1]}, "a.b") is None
    other = write(tmp_path, '{\n"playlists": [], "email": 1}')
    with pytest.raises(InputError, match="payload.listens in .*found an object with 'playlists', 'email'"):
        read(other, "payload.listens")
    assert read(other) == ([{"playlists": [], "email": 1}], [])
    assert first_object(single(write(tmp_path, "not json"))) == {}


def test_what_is_no_json(tmp_path: Path) -> None:
    for content, found in {
        "": "an empty file",
        " \n": "an empty file",
        "a,b\n1,2\n": "'a,b'",
        "<html>": "'<html>'",
    }.items():
        with pytest.raises(InputError, match=f"found {found}"):
            read(write(tmp_path, content))
