"""What an erasure has done so far, so that one that was killed goes on; and the certificate of one that is done."""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from feature_repo.errors import StoreError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.whole_files import write_whole

_OPEN = "open-{}.json"


@dataclass
class Journal:
    """An erasure that is not finished; it holds the id until it is.

    Attributes:
        key: join key of the person.
        id_: the id.
        requested_at: when it was asked for, ISO 8601.
        tables: raw tables that have lost rows.
        anew: feature tables that are made anew.
        counts: what was removed: kind → number.
    """

    key: str
    id_: str
    requested_at: str
    tables: list[str] = field(default_factory=list)
    anew: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(cls, home: Home, key: str, id_: str, now: datetime) -> "Journal":
        """The journal of an erasure that was begun, or a new one."""
        path = _open_path(home, key, id_)
        if path.is_file():
            return cls(**json.loads(path.read_bytes()))
        journal = cls(key, id_, now.isoformat())
        journal.save(home)
        return journal

    def add(self, home: Home, kind: str, count: int) -> None:
        """Count what was removed."""
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + count
            self.save(home)

    def save(self, home: Home) -> None:
        """Write the journal, readable by its owner alone."""
        home.erasures.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(_open_path(home, self.key, self.id_), json.dumps(asdict(self)), is_secret=True)

    def close(self, home: Home, done: datetime, models: Iterable[str], possible: int) -> "Certificate":
        """Write the certificate, and remove the journal with the id."""
        digest = Forgotten.of(home).digest(self.key, self.id_)
        certificate = Certificate(
            digest, self.requested_at, done.isoformat(), dict(self.counts), self.anew, sorted(models), possible
        ).signed(home)
        number = sum(1 for _ in home.erasures.glob("[0-9]*.json")) + 1
        write_whole(home.erasures / f"{number:06}.json", json.dumps(asdict(certificate), indent=1), is_secret=True)
        _open_path(home, self.key, self.id_).unlink(missing_ok=True)
        return certificate


@dataclass(frozen=True)
class Certificate:
    """What an erasure did, without the id.

    Attributes:
        person: digest of the id under the secret key of the data folder; only who knows id and folder can compare.
        requested_at: when it was asked for.
        done_at: when it was done.
        counts: what was removed: kind → number of rows, lines, files or values.
        anew: feature tables that were made anew without the person.
        models: registered versions that learned from the person, and are to be trained anew.
        possible: places where the id may stand as a part of something else.
        signature: HMAC-SHA256 of all of these under the secret key.
    """

    person: str
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
    return [Certificate(**_content(path)) for path in sorted(home.erasures.glob("[0-9]*.json"))]


def unfinished(home: Home) -> list[Journal]:
    """Erasures that were begun and are not done.

    Raises:
        StoreError: a journal is damaged.
    """
    return [Journal(**_content(path)) for path in sorted(home.erasures.glob(_OPEN.format("*")))]


def _content(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except ValueError as error:
        raise StoreError(
            expected=f"an erasure in {path}",
            found=f"a damaged file: {error}",
            next_command="refrain person forget ID  (once more)",
        ) from error


def _open_path(home: Home, key: str, id_: str) -> Path:
    return home.erasures / _OPEN.format(Forgotten.of(home).digest(key, id_)[:16])
