"""Whether a file has one JSON object a line, as far as its beginning says, and what makes lines of it otherwise."""

import json
import shlex
from pathlib import Path

from feature_repo.errors import InputError

HEAD = 1 << 20
"""Bytes of a file that are looked at: as many as a line may have."""

_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip -c"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    b"BZh": ("bzip2", "bunzip2 -c"),
    b"\xfd7zXZ\x00": ("xz", "xz -dc"),
    b"PK\x03\x04": ("zip", "unzip -p"),
}
"""First bytes of a packed file → its format, and what unpacks it."""


def check_lines(path: Path, command: str) -> None:
    """Refuse a file that is no file of lines, and would be taken for one line that is still being written.

    Args:
        path: of a file.
        command: that is about to read it, for the error: stream or send.

    Raises:
        InputError: it is packed, of another encoding than UTF-8, a JSON array, or has lines that end with a carriage
            return alone.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    wrong = _wrong(head, shlex.quote(str(path)))
    if wrong:
        found, conversion = wrong
        raise InputError(
            expected="a file with one JSON object a line, in UTF-8",
            found=f"{found} in {path}",
            next_command=f"{conversion} | python -m transforms {command} -",
        )


def _wrong(head: bytes, name: str) -> tuple[str, str] | None:
    """What a file is instead, and the command that writes its lines; None for lines."""
    for magic, (kind, unpack) in _PACKED.items():
        if head.startswith(magic):
            return f"bytes packed by {kind}", f"{unpack} {name}"
    encoding = json.detect_encoding(head[:4])
    if not encoding.startswith("utf-8"):
        return f"text in {encoding.upper()}", f"iconv -f {encoding.upper()} -t UTF-8 {name}"
    text = head.decode(encoding, errors="replace").strip()
    if text.startswith("["):
        return "a JSON array", f"jq -c '.[]' {name}"
    if "\r" in text and "\n" not in text:
        return "lines that end with a carriage return alone", f"tr '\\r' '\\n' < {name}"
    return None
