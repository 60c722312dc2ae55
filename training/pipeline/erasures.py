"""What the erasures of a tenant say about models: by certificates, and by a signed note for each, without an id."""

import hashlib
import hmac
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import msgspec

from feature_repo.errors import StoreError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.whole_files import write_whole


@dataclass(frozen=True)
class Erased:
    """What a certificate says about models.

    Attributes:
        people: digests of the people.
        models: versions that were there.
        counts: what was removed; without ``raw`` rows no model has learned from the people.
        number: number of the certificate.
    """

    people: list[str]
    models: list[str]
    counts: dict[str, int]
    number: int = 0


@dataclass(frozen=True)
class Forgetting:
    """What was asked of models with an erasure, and what became of it.

    Attributes:
        people: digests of the people.
        when: ``now``, or ``next-run`` of the lifecycle.
        expected: version → digest of its sums without the people.
        outcomes: version → what became of it.
        cleared: models whose tables were removed since, which their versions had written.
        signature: HMAC-SHA256 of these under the secret of the data folder.
    """

    people: list[str]
    when: str
    expected: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    cleared: list[str] = field(default_factory=list)
    signature: str = ""

    def save(self, home: Home) -> None:
        """Writes the note, signed, readable by its owner alone."""
        path = _path(home, self.people)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, json.dumps(asdict(self._signed(home)), indent=1), is_secret=True)

    def is_genuine(self, home: Home) -> bool:
        """Whether the signature is of this data folder, and nothing was changed."""
        return hmac.compare_digest(self._signed(home).signature, self.signature)

    def _signed(self, home: Home) -> "Forgetting":
        text = json.dumps(asdict(replace(self, signature="")), sort_keys=True).encode()
        return replace(self, signature=hmac.new(Forgotten.of(home).secret, text, hashlib.sha256).hexdigest())


def erasures(home: Home) -> Iterator[Erased]:
    """Reads what the certificates say about models, oldest first.

    Raises:
        StoreError: one is damaged.
    """
    for path in sorted(home.erasures.glob("[0-9]*.json")):
        try:
            yield replace(msgspec.json.decode(path.read_bytes(), type=Erased), number=int(path.stem))
        except (msgspec.MsgspecError, ValueError) as error:
            raise _damaged(path, error) from error


def read(home: Home, people: Sequence[str]) -> Forgetting | None:
    """Reads what was noted of the models for some people; None if nothing was.

    Raises:
        StoreError: the file is damaged.
    """
    path = _path(home, people)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Forgetting)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(
        expected=f"what an erasure asked of models, in {path}",
        found=f"a damaged file: {error}",
        next_command=f"mv {shlex.quote(str(path))} /elsewhere, then: refrain person forget ID",
    )


def _path(home: Home, people: Sequence[str]) -> Path:
    return home.erasures / "models" / f"{hashlib.sha256(' '.join(sorted(people)).encode()).hexdigest()[:16]}.json"
