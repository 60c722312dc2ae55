"""Inventories of the encrypted files of a data folder, kept elsewhere: they notice that an older file was put back.

A file of inventories has a line for each run: the files that are other ones than in the lines before, authenticated by
a data key, and chained by the digest of the line before. A file that is what an earlier line says, and not what the
last one says, was put back.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.encryption.file_seal import check, read_tail
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.places import place_of
from feature_repo.encryption.provider import unusable
from feature_repo.errors import EncryptionError, InputError
from feature_repo.home import Home
from transforms.encrypted_files import parquet_files_of

SCOPE = "inventories"
"""Scope of the data key that authenticates them."""


@dataclass(frozen=True)
class Inventory:
    """The result of a run.

    Attributes:
        files: number of encrypted files.
        changed: number of files that are others than in the run before.
        gone: number of files that are no more.
    """

    files: int
    changed: int
    gone: int


def take(home: Home, keys: EncryptionKeys, path: Path) -> Inventory:
    """Checks the encrypted files against the inventories of a file, and adds one of now.

    Args:
        home: the data folder.
        keys: its keys.
        path: the file of inventories, outside of the data folder; made if there is none.

    Raises:
        EncryptionError: an older file was put back, a file or the inventories were changed, or a key cannot be used.
        InputError: the file lies in the data folder, or cannot be written.

    >>> take(home, keys, Path("/mnt/elsewhere/refrain.inventories"))               # doctest: +SKIP
    """
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(home.root)):
        raise InputError(
            expected="a file of inventories outside of the data folder that it watches",
            found=str(path),
            next_command="refrain encryption inventory /mnt/elsewhere/refrain.inventories",
        )
    lines = _read(keys, path)
    current = {file.relative_to(home.root).as_posix(): name for file in parquet_files_of(home) if (name := _name(file))}
    latest, earlier = _history(lines)
    back = sorted(name for name, content in current.items() if content in earlier.get(name, set()) - {latest.get(name)})
    if back:
        raise unusable(
            f"{home.root / back[0]} as the last inventory of {path} has it, or a newer one",
            f"an older one that was put back{f', and {len(back) - 1:,} others' if len(back) > 1 else ''}",
            "restore the newest files from a backup; if it was you: begin a new file of inventories",
        )
    changed = {name: content for name, content in current.items() if latest.get(name) != content}
    gone = sorted(latest.keys() - current.keys())
    _append(keys, path, lines, changed, gone)
    return Inventory(len(current), len(changed), len(gone))


def _name(file: Path) -> str:
    """What identifies the content of an encrypted file; empty if it is plain."""
    place = place_of(file)
    if place is None or check(file, place) is None:
        return ""
    tail = read_tail(file)
    return "" if tail is None else hashlib.sha256(tail.unique + tail.footer).hexdigest()[:32]


def _history(lines: list[dict[str, Any]]) -> tuple[dict[str, str], dict[str, set[str]]]:
    """File → what it was last; and all that it ever was."""
    latest: dict[str, str] = {}
    earlier: dict[str, set[str]] = {}
    for line in lines:
        for name, content in line["files"].items():
            latest[name] = content
            earlier.setdefault(name, set()).add(content)
        for name in line["gone"]:
            latest.pop(name, None)
    return latest, earlier


def _read(keys: EncryptionKeys, path: Path) -> list[dict[str, Any]]:
    """Reads the inventories of a file, and checks that all are ours and none is missing before the last."""
    try:
        texts = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    lines, before = [], ""
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
            mac = line.pop("mac")
            is_ours = hmac.compare_digest(mac, _mac(keys, line)) and line["before"] == before
        except (ValueError, KeyError, TypeError, AttributeError):
            is_ours = False
        if not is_ours:
            raise _changed(path, number)
        lines.append(line)
        before = hashlib.sha256(text).hexdigest()
    return lines


def _append(
    keys: EncryptionKeys, path: Path, lines: list[dict[str, Any]], files: Mapping[str, str], gone: list[str]
) -> None:
    before = hashlib.sha256(path.read_bytes().splitlines()[-1]).hexdigest() if lines else ""
    line: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "key": keys.key(SCOPE).id,
        "before": before,
        "files": dict(files),
        "gone": gone,
    }
    text = json.dumps({**line, "mac": _mac(keys, line)}) + "\n"
    try:
        with path.open("a") as handle:
            handle.write(text)
    except OSError as error:
        raise InputError(
            expected=f"a file of inventories that can be written at {path}",
            found=str(error.strerror or error),
            next_command=f"mkdir -p {path.parent}",
        ) from error


def _mac(keys: EncryptionKeys, line: Mapping[str, Any]) -> str:
    text = json.dumps(line, sort_keys=True).encode()
    return hmac.new(keys.by_id(str(line["key"])).secret, b"refrain inventory\0" + text, hashlib.sha256).hexdigest()


def _changed(path: Path, number: int) -> EncryptionError:
    return unusable(
        f"the inventories that Refrain wrote to {path}",
        f"line {number} was changed, or lines before it are missing",
        "take the file from a backup, or begin a new one",
    )
