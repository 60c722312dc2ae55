"""Encodings: recognized in the whole file, and said."""

from pathlib import Path

import pytest

from feature_repo.errors import InputError
from tests.transforms.raw.files.containers import CONTAINERS
from transforms.raw.files.members import members, single
from transforms.raw.files.text import LONGEST_LINE, recognize

LINES = ["id;title", "1;Grüße aus Köln", "2;Älvdröm – Frostnätter", "3;plain"]
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16-LE",
    "utf-16-be": "UTF-16-BE",
    "utf-32": "UTF-32",
    "utf-32-be": "UTF-32-BE",
    "cp1252": "cp1252 (Windows, Western Europe)",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("container", ["plain", "xz", "zip", "gzip in zip"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_encoding_in_every_container(encoding: str, container: str, end: str, tmp_path: Path) -> None:
    path = CONTAINERS[container](tmp_path, "a.csv", end.join(LINES).encode(encoding))
    text = recognize(next(members(path)))
    assert list(text.lines()) == LINES
    packing = {"xz": ", xz", "gzip in zip": ", gzip"}.get(container, "")
    assert (text.description, text.has_damage) == (ENCODINGS[encoding] + packing, encoding == "cp1252")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_may_begin_with_any_letter(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Ärger\nund Ähnliches".encode(encoding))
    assert list(recognize(single(tmp_path / "a.txt")).lines()) == ["Ärger", "und Ähnliches"]


def test_a_damaged_line_is_found_in_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Köln\nGrüße\n".encode() + "Öl\n".encode("cp1252"))
    text = recognize(single(tmp_path / "a.txt"))
    assert (text.encoding, text.has_damage, list(text.lines())) == ("utf-8", True, ["Köln", "Grüße", "\udcd6l"])


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"PAR1\0\1\2\3\x15\x04\x15")
    with pytest.raises(InputError, match="which is no text"):
        recognize(single(tmp_path / "a.txt"))
    (tmp_path / "b.txt").write_bytes("abc".encode("utf-16")[:-1])
    with pytest.raises(InputError, match="bytes that are not UTF-16"):
        recognize(single(tmp_path / "b.txt"))


def test_a_line_without_an_end_comes_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * (LONGEST_LINE + 5) + b"\ny")
    assert [len(line) for line in recognize(single(tmp_path / "a.txt")).lines()] == [LONGEST_LINE, 5, 1]
