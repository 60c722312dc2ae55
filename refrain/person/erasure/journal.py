"""What an erasure has done so far, so that one that was killed goes on; and the certificate of one that is done."""

import fcntl
import hashlib
import hmac
import json
import shlex
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import polars as pl

from feature_repo.encryption.stored_files import read_stored, remove_stored, write_stored
from feature_repo.errors import InputError, StoreError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.whole_files import write_whole

_OPEN = "open.json"
Kind = TypeVar("Kind")


@dataclass
class Journal:
    """An erasure that is not finished; it holds the ids until it is.

    Attributes:
        key: join key of the people.
        ids: their ids.
        requested_at: when it was asked for, ISO 8601.
        tables: raw tables that have lost rows.
        others: raw tables that have lost rows of which the person is not the key, as where a friend is named.
        anew: feature tables that are made anew.
        counts: what was removed: kind → number.
    """

    key: str
    ids: list[str]
    requested_at: str
    tables: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    anew: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(cls, home: Home, key: str, ids: Iterable[str], now: datetime) -> "Journal":
        """The journal of an erasure that was begun, with further ids; or a new one.

        Raises:
            InputError: the one that was begun is of another key.
        """
        journal = unfinished(home) or cls(key, [], now.isoformat())
        if journal.key != key:
            raise InputError(
                expected=f"the erasure that was begun, of {journal.key}, to be finished first",
                found=f"one of {key}",
                next_command=f"refrain person forget {shlex.join(journal.ids)} --key {journal.key} --yes",
            )
        journal.ids = sorted({*journal.ids, *ids})
        journal.save(home)
        return journal

    def add(self, home: Home, kind: str, count: int) -> None:
        """Count what was removed."""
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + count
            self.save(home)

    def note_rows(self, home: Home, table: str, rows: pl.DataFrame) -> None:
        """Note that a raw table loses rows, before it does."""
        own = rows[self.key].cast(pl.String).is_in(self.ids).all() if self.key in rows.columns else False
        names = [self.tables] if own else [self.tables, self.others]
        if any(table not in tables for tables in names):
            for tables in names:
                tables[:] = sorted({*tables, table})
            self.save(home)

    def names_key(self, columns: Collection[str]) -> pl.Expr | None:
        """Whether a row has one of the people as its key; None if no row can."""
        return pl.col(self.key).cast(pl.String).is_in(self.ids) if self.key in columns else None

    def save(self, home: Home) -> None:
        """Write the journal, readable by its owner alone, and sealed where encryption is on."""
        home.erasures.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_stored(home.erasures / _OPEN, json.dumps(asdict(self)).encode(), home, "people", is_secret=True)

    def close(self, home: Home, now: datetime, models: Iterable[str], possible: int) -> "Certificate":
        """Write the certificate, and remove the journal with the ids."""
        forgotten = Forgotten.of(home)
        people = sorted(forgotten.digest(self.key, id_) for id_ in self.ids)
        certificate = Certificate(
            people, self.requested_at, now.isoformat(), dict(self.counts), self.anew, sorted(models), possible
        ).signed(home)
        number = (
            max((int(path.stem) for path in home.erasures.glob("[0-9]*.json") if path.stem.isdigit()), default=0) + 1
        )
        write_whole(home.erasures / f"{number:06}.json", json.dumps(asdict(certificate), indent=1), is_secret=True)
        if (home.erasures / _OPEN).is_file():
            remove_stored(home.erasures / _OPEN, home)
        return certificate


@dataclass(frozen=True)
class Certificate:
    """What an erasure did, without the ids.

    Attributes:
        people: digest of each id under the secret key of the data folder; only who knows id and folder can compare.
        requested_at: when it was asked for.
        done_at: when it was done.
        counts: what was removed: kind → number of rows, lines, files or values.
        anew: feature tables that were made anew without these people.
        models: registered versions that may have learned from them, and are to be trained anew.
        possible: places where an id may stand as a part of something else.
        signature: HMAC-SHA256 of all of these under the secret key.
    """

    people: list[str]
    requested_at: str
    done_at: str
    counts: dict[str, int]
    anew: list[str]
    models: list[str]
    possible: int
    signature: str = ""

    def signed(self, home: Home) -> "Certificate":
        """The same with its signature."""
        content = asdict(self) | {"signature": ""}
        text = json.dumps(content, sort_keys=True).encode()
        mark = hmac.new(Forgotten.of(home).secret, text, hashlib.sha256).hexdigest()
        return Certificate(**(content | {"signature": mark}))

    def is_genuine(self, home: Home) -> bool:
        """Whether the signature is of this data folder, and nothing was changed."""
        return hmac.compare_digest(self.signed(home).signature, self.signature)


def certificates(home: Home) -> list[Certificate]:
    """The certificates of a tenant, oldest first.

    Raises:
        StoreError: one is damaged.
    """
    return [_read(Certificate, path, home) for path in sorted(home.erasures.glob("[0-9]*.json"))]


def unfinished(home: Home) -> Journal | None:
    """The erasure that was begun and is not done; None if there is none.

    Raises:
        StoreError: the journal is damaged.
    """
    path = home.erasures / _OPEN
    return _read(Journal, path, home) if path.is_file() else None


@contextmanager
def one_at_a_time(home: Home) -> Iterator[None]:
    """Wait for another erasure of this tenant to end."""
    home.erasures.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home.erasures / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _read(kind: type[Kind], path: Path, home: Home) -> Kind:
    return read_record(kind, path, home, "a journal or certificate of an erasure", "refrain person forget ID")


def read_record(kind: type[Kind], path: Path, home: Home, what: str, then: str) -> Kind:
    """Read a file that holds one object.

    Args:
        kind: its type.
        path: the file.
        home: the data folder.
        what: what the file is, for the error.
        then: the command after the file was moved away, for the error.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        return msgspec.json.decode(read_stored(path, home), type=kind)
    except msgspec.MsgspecError as error:
        raise StoreError(
            expected=f"{what} in {path}",
            found=f"a damaged file: {error}",
            next_command=f"mv {shlex.quote(str(path))} /elsewhere, then: {then}",
        ) from error
