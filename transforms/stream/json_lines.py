"""Checks from the beginning of a file whether it has one JSON object a line, and suggests a conversion if not."""

import json
import shlex
from pathlib import Path

from feature_repo.errors import InputError

HEAD = 1 << 20
"""Bytes of a file that are checked: the longest line."""

_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip -c"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    b"BZh": ("bzip2", "bunzip2 -c"),
    b"\xfd7zXZ\x00": ("xz", "xz -dc"),
    b"PK\x03\x04": ("zip", "unzip -p"),
}
"""First bytes of a compressed file → its format, and the command that decompresses it."""


def check_lines(path: Path, command: str) -> None:
    """Refuses a file that is not JSON lines; it would otherwise be taken for one line that is still being written.

    Args:
        path: path of the file.
        command: name of the reading command, for the error: stream or send.

    Raises:
        InputError: the file is compressed, not in UTF-8, a JSON array, or has lines that end with a carriage return
            alone.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    problem = _problem(head, shlex.quote(str(path)))
    if problem:
        found, conversion = problem
        raise InputError(
            expected="a file with one JSON object a line, in UTF-8",
            found=f"{found} in {path}",
            next_command=f"{conversion} | refrain {command} -",
        )


def _problem(head: bytes, name: str) -> tuple[str, str] | None:
    """What a file contains instead of lines, and the command that converts it; None for a file of lines."""
    for magic, (kind, unpack) in _COMPRESSED.items():
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
