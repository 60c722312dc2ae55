"""One key per person, outside of the data folder: once it is destroyed, no backup can be read for that person.

The keys of a tenant are in one sealed file. It names people by a digest under a secret of the file, so that nobody
reads from it who they are. ``DESTROYED`` beside it lists the digests of destroyed keys: a key that comes back with an
older copy of the file is not used. It also has what ``feature_repo.forgotten`` knows of them, so that a folder restored
from before their erasure refuses their later events, too. What is destroyed is gone from the file system; a disk may
hold its old blocks until it writes over them, still sealed.
"""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.sealed_file import open_sealed, refusal, seal
from feature_repo.errors import EncryptionError, InputError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.whole_files import append_at_once, write_whole

PERSON_KEYS = "REFRAIN_PERSON_KEYS"
"""Environment variable with the folder of the keys of people; by default it is beside the key-encryption key."""
DESTROYED = ".destroyed"
"""Ending of the file with the digests of destroyed keys, beside the file of keys."""
SCOPE = "person_keys"
"""Scope of the data key that the file of keys is sealed with."""
DIGEST, SECRET = 16, 32
"""Bytes of a person's digest, and of a key."""

_FIELDS = ("person", "at", "key", "forgotten", "by")

Person = tuple[str, str]
"""Join key and id of a person, such as ``("user_id", "u000042")``."""


@dataclass(frozen=True)
class PersonKeys:
    """The keys of people of a tenant, as they were when read.

    Attributes:
        secret: key of the digests.
        keys: digest → the person's key.
        destroyed: digest → when its key was destroyed, ISO 8601.
    """

    secret: bytes = field(repr=False)
    keys: Mapping[bytes, bytes] = field(repr=False, default_factory=dict)
    destroyed: Mapping[bytes, str] = field(default_factory=dict)

    def digest(self, person: Person) -> bytes:
        """The digest that stands for a person.

        >>> len(PersonKeys(b"secret").digest(("user_id", "u000042")))
        16
        """
        return hashlib.blake2b("\0".join(person).encode(), key=self.secret, digest_size=DIGEST).digest()


class PersonKeyFile:
    """The file with the keys of people of a tenant.

    Args:
        home: the data folder.
        keys: its data keys.

    Raises:
        InputError: the folder of the keys of people is not known, or is inside the data folder.
    """

    def __init__(self, home: Home, keys: EncryptionKeys) -> None:
        self._home, self._keys, self._place = home, keys, f"{home.tenant}:{SCOPE}"
        newest, file = keys.key(SCOPE), keys.file()
        first = next((key.id for key in file.keys if key.scope == SCOPE), newest.id) if file else newest.id
        self.path = _folder(home, keys.settings.key) / f"{home.tenant}-{first}"  # a rotation changes other ids

    def read(self) -> PersonKeys:
        """The keys, without those that were destroyed.

        Raises:
            EncryptionError: the file was changed, or is gone while the list of destroyed keys is there.
        """
        destroyed = self._destroyed()
        try:
            content = open_sealed(self.path.read_bytes(), self._keys, self._place)
        except FileNotFoundError:
            if destroyed:
                raise EncryptionError(
                    expected=f"the keys of people in {self.path}, as some of them were destroyed",
                    found="no file",
                    next_command=f"restore {self.path} from a copy; destroyed keys in it are not used",
                ) from None
            return PersonKeys(secrets.token_bytes(SECRET))
        width = DIGEST + SECRET
        pairs = (content[start : start + width] for start in range(SECRET, len(content), width))
        keys = {pair[:DIGEST]: pair[DIGEST:] for pair in pairs}
        return PersonKeys(
            content[:SECRET], {person: key for person, key in keys.items() if person not in destroyed}, destroyed
        )

    def with_people(self, people: Collection[Person]) -> PersonKeys:
        """The keys, with one for each of some people; those of a destroyed key have none."""
        with self._locked():
            before = self.read()
            digests = {before.digest(person) for person in people} - set(before.keys) - set(before.destroyed)
            if not digests:
                return before
            keys = {**before.keys, **{digest: secrets.token_bytes(SECRET) for digest in digests}}
            self._write(after := PersonKeys(before.secret, keys, before.destroyed))
            return after

    def destroy(self, people: Collection[Person], forgotten: Forgotten) -> int:
        """Destroy the keys of people, for good; may be killed and repeated.

        Args:
            people: join keys and ids.
            forgotten: the forgotten people of the folder.

        Returns:
            Number of keys that were there.
        """
        with self._locked():
            before = self.read()
            digests = {before.digest(person): person for person in people}
            new = [digest for digest in digests if digest not in before.destroyed]
            if new:
                at = datetime.now(UTC).isoformat(timespec="seconds")
                secret = forgotten.secret.hex()
                self._note(
                    {
                        "person": digest.hex(),
                        "at": at,
                        "key": key,
                        "forgotten": forgotten.digest(key, id_),
                        "by": secret,
                    }
                    for digest, (key, id_) in ((digest, digests[digest]) for digest in new)
                )
            left = {digest: key for digest, key in before.keys.items() if digest not in digests}
            if new or len(left) < len(before.keys):
                self._write(PersonKeys(before.secret, left, before.destroyed))
            return len(before.keys) - len(left)

    def _write(self, keys: PersonKeys) -> None:
        self.note_folder()
        content = keys.secret + b"".join(person + key for person, key in sorted(keys.keys.items()))
        write_whole(self.path, seal(content, self._keys.key(SCOPE), self._place), is_secret=True)

    def forgotten(self, before: Forgotten) -> Forgotten:
        """The forgotten people of a folder, and those whose keys were destroyed since it was saved."""
        digests = {key: set(those) for key, those in before.digests.items()}
        secret = before.secret
        for entry in self._entries():
            if not secret or entry["by"] == secret.hex():
                secret = bytes.fromhex(entry["by"])
                digests.setdefault(entry["key"], set()).add(entry["forgotten"])
        return Forgotten(secret, {key: frozenset(those) for key, those in digests.items()})

    def note_folder(self) -> None:
        """Note in the data folder where the keys are, so that an erasure surely finds them."""
        note = _note_of(self._home)
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(note, json.dumps({"folder": str(self.path.parent)}), is_secret=True)

    def _note(self, entries: Iterable[dict[str, str]]) -> None:
        lines = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        path = Path(f"{self.path}{DESTROYED}")
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            append_at_once(handle, lines, path)
            os.fsync(handle)
        finally:
            os.close(handle)

    def _destroyed(self) -> dict[bytes, str]:
        return {bytes.fromhex(entry["person"]): entry["at"] for entry in self._entries()}

    def _entries(self) -> list[dict[str, str]]:
        path = Path(f"{self.path}{DESTROYED}")
        try:
            entries = [json.loads(line) for line in path.read_bytes().splitlines()]
            return [{name: str(entry[name]) for name in _FIELDS} for entry in entries]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError) as error:
            raise refusal(str(path), f"the list of destroyed keys is damaged: {error}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Path(f"{self.path}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def destroy_keys(home: Home, people: Collection[Person], forgotten: Forgotten) -> int:
    """Destroy the keys of people, if a backup has made any in this folder.

    Args:
        home: the data folder.
        people: join keys and ids.
        forgotten: the forgotten people of the folder.

    Returns:
        Number of keys that were there.

    Raises:
        EncryptionError: the keys of people are not where the folder notes that they are.

    >>> destroy_keys(Home(Path("/nowhere")), [("user_id", "u000042")], Forgotten(b""))
    0
    """
    keys = EncryptionKeys.for_reading(home)
    if keys is None or keys.file() is None or not (_note_of(home).is_file() or PERSON_KEYS in os.environ):
        return 0
    return PersonKeyFile(home, keys).destroy(people, forgotten)


def _note_of(home: Home) -> Path:
    """The file of the data folder that says where the keys of people are."""
    return home.root / "security" / f"person-keys-{home.tenant}.json"


def _folder(home: Home, key: str) -> Path:
    """The folder of the keys of people: that of the setting, that of the last time, or one beside the file of the
    key-encryption key."""
    scheme, _, place = key.partition(":")
    noted = json.loads(_note_of(home).read_bytes())["folder"] if _note_of(home).is_file() else ""
    named = os.environ.get(PERSON_KEYS) or noted or (f"{place}.people" if scheme == "file" else "")
    if not named:
        raise InputError(
            expected=f"{PERSON_KEYS}, a folder for the keys of people, as the key-encryption key is no file",
            found="not set",
            next_command=f"export {PERSON_KEYS}=/etc/refrain/people",
        )
    folder = Path(named).expanduser().absolute()
    if folder.resolve().is_relative_to(home.root.resolve()):
        raise InputError(
            expected=f"a folder for the keys of people outside of the data folder {home.root}, whose copies they open",
            found=str(folder),
            next_command=f"export {PERSON_KEYS}=/etc/refrain/people",
        )
    return folder
