"""Files that are not JSON lines are refused with the command that converts them."""

import codecs
import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_repo.definitions.events.plays import plays
from feature_repo.errors import InputError
from feature_repo.events import parse
from feature_repo.home import Home
from tests.transforms.stream.test_files_that_change import Memory, line, read
from transforms.__main__ import app
from transforms.stream.json_lines import check_lines

TWO = line("a") + line("b")


@pytest.mark.parametrize(
    ("content", "message", "command"),
    [
        (gzip.compress(TWO.encode()), "packed by gzip", "gunzip -c"),
        (TWO.encode("utf-16"), "UTF-16", "iconv -f UTF-16"),
        (TWO.encode("utf-16-le"), "UTF-16-LE", "iconv -f UTF-16-LE"),
        (TWO.encode("utf-32"), "UTF-32", "iconv -f UTF-32"),
        (b'\n [{"id": "a"},\n {"id": "b"}]\n', "a JSON array", r"jq -c '\.\[\]'"),
        (TWO.replace("\n", "\r").encode(), "carriage return alone", r"tr '\\r' '\\n' <"),
    ],
    ids=["gzip", "utf-16", "utf-16 without a mark", "utf-32", "array", "carriage returns"],
)
def test_what_is_no_file_of_lines(tmp_path: Path, content: bytes, message: str, command: str) -> None:
    path = tmp_path / "it's today's.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{message} in .*next: {command}.*refrain stream -"):
        read(Memory(), path)
    with pytest.raises(InputError, match="refrain send -"):
        check_lines(path, "send")


@pytest.mark.parametrize(
    "content",
    [
        TWO.encode(),
        TWO.replace("\n", "\r\n").encode(),
        b"\n\n" + TWO.encode(),
        codecs.BOM_UTF8 + TWO.encode(),
        codecs.BOM_UTF8 + TWO.encode().strip(),
        (TWO.replace("}", "\r}") * 1).encode(),
    ],
    ids=["lines", "windows", "blank lines", "byte order mark", "no last newline", "blanks in an object"],
)
def test_what_is_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "today.jsonl"
    path.write_bytes(content)
    payloads = read_payloads(path)
    assert [json.loads(payload.removeprefix(codecs.BOM_UTF8))["id"] for payload in payloads] == ["a", "b"]


def read_payloads(path: Path) -> list[bytes]:
    from transforms.stream.sources import Lines

    lines, payloads, ends = Lines(Memory(), path, "plays"), [], False  # type: ignore[arg-type]
    while not ends:
        batch = lines.begin(10, 0.0)()
        payloads += [event.payload for event in batch.events]
        ends = batch.ends
    return payloads


def test_a_byte_order_mark_is_no_part_of_an_event() -> None:
    event = b'{"user_id": "u", "track_id": "t", "event_timestamp": "2024-03-31T12:00:00"}'
    now = 1_800_000_000_000_000
    assert parse(plays, codecs.BOM_UTF8 + event, now)[1:] == parse(plays, event, now)[1:]


def test_a_wrong_option_is_told_as_one(home: Home) -> None:
    result = CliRunner().invoke(app, ["stream", "--lateness", "5x"])
    assert result.exit_code == 1
    assert "--lateness 6h" in result.output
    assert "windowed" not in result.output
