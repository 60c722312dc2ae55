"""Whose signatures count: public keys that are pinned, and keys that are revoked.

Three places add up: the section ``[signing]`` of ``refrain.toml`` (``trusted`` and ``revoked``, lists of keys); the
variable ``REFRAIN_TRUSTED_KEYS``, which holds keys or names a file; and that file, by default ``trusted_keys`` in the
user's configuration. A key that one of them revokes is revoked. With any key in any of them signatures are required: a
server all of whose keys are revoked serves nothing that is signed by them, rather than everything.

A line of the file is ``trusted KEY TIME note`` or ``revoked KEY TIME note``.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import Project
from feature_repo.signing.public_keys import PUBLIC_KEY, check_public_key
from feature_repo.whole_files import write_whole

KEYS = "REFRAIN_TRUSTED_KEYS"
"""Environment variable with public keys, separated by commas or spaces, or with the name of a file."""

_LINE = re.compile(rf"(trusted|revoked) ({PUBLIC_KEY})(?: (\S+)(?: (.*))?)?")


@dataclass(frozen=True)
class Pin:
    """What is known of a key.

    Attributes:
        origin: where it says so.
        at: when it was added, as ISO 8601; empty if that is not said.
        note: what was said of it.
    """

    origin: str
    at: str = ""
    note: str = ""


@dataclass(frozen=True)
class Trust:
    """Whose signatures count.

    Attributes:
        trusted: public key → where it is pinned; also of keys that are revoked.
        revoked: public key → where it is revoked.
    """

    trusted: Mapping[str, Pin] = field(default_factory=dict)
    revoked: Mapping[str, Pin] = field(default_factory=dict)

    @property
    def is_required(self) -> bool:
        """Whether only what is signed is taken."""
        return bool(self.trusted or self.revoked)

    @classmethod
    def load(cls, home: Home) -> "Trust":
        """Reads the keys that are pinned and revoked for a data folder.

        Raises:
            InputError: a place is named that cannot be read, or has another form; others may write the file.
        """
        project = Project.load(home.project_folder)
        trusted: dict[str, Pin] = {}
        revoked: dict[str, Pin] = {}
        origin = str(project.file)
        trusted |= {check_public_key(key): Pin(origin) for key in project.signing.get("trusted", ())}
        revoked |= {check_public_key(key): Pin(origin) for key in project.signing.get("revoked", ())}
        named = os.environ.get(KEYS, "")
        if "ed25519:" in named.lower():
            trusted |= {check_public_key(key): Pin(KEYS) for key in re.split(r"[,\s]+", named.strip(" ,"))}
        path = trust_file()
        if "ed25519:" not in named.lower() and named and not path.is_file():
            raise InputError(
                expected=f"a file with trusted keys at {path}, as {KEYS} says",
                found="no file",
                next_command="refrain signing trust KEY",
            )
        if path.is_file():
            for word, key, pin in _lines(path):
                (trusted if word == "trusted" else revoked)[key] = pin
        return cls(trusted, revoked)


def trust_file() -> Path:
    """Returns the file of trusted keys, whether it exists or not."""
    named = os.environ.get(KEYS, "")
    if named and "ed25519:" not in named.lower():
        return Path(named).expanduser()
    return Path(platformdirs.user_config_dir("refrain")) / "trusted_keys"


def pin(public_key: str, note: str = "") -> Path:
    """Trusts a key from now on. Returns the file that says so."""
    return _add("trusted", public_key, note)


def revoke(public_key: str, note: str = "") -> Path:
    """Revokes a key: no signature of it counts any more, whenever it was made. Returns the file that says so."""
    return _add("revoked", public_key, note)


def _add(word: str, public_key: str, note: str) -> Path:
    path, key = trust_file(), check_public_key(public_key)
    lines = list(_lines(path)) if path.is_file() else []
    if not any(key == other and word == other_word for other_word, other, _ in lines):
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        before = path.read_text("utf-8") if path.is_file() else ""
        said = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", note).split())[:200]
        write_whole(path, before + f"{word} {key} {at} {said}".rstrip() + "\n", is_secret=True)
    return path


def _lines(path: Path) -> list[tuple[str, str, Pin]]:
    """Reads the lines of a file that only its owner can write."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(1 << 20).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            expected=f"trusted keys in {path}", found=str(error), next_command="refrain signing trust KEY"
        ) from error
    if mode & 0o022:
        raise InputError(
            expected=f"a list of trusted keys that its owner alone can write: {path}",
            found=f"mode {mode:o}",
            next_command=f"chmod go-w '{path}'",
        )
    entries = []
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError(
                expected="lines such as trusted ed25519:… or revoked ed25519:…",
                found=f"line {number} of {path}: {line[:80]!r}",
                next_command=f"correct {path}",
            )
        entries.append((match[1], match[2], Pin(str(path), match[3] or "", match[4] or "")))
    return entries
