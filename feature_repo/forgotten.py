"""People who asked to be forgotten: their later events are refused, without keeping who they are.

The data folder holds a digest of each id under a secret key of its own, so that an id can be recognized when it comes
again, and cannot be read, or guessed without the key.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole

FORGOTTEN = "a person who asked to be forgotten"
"""Why an event is refused that is otherwise valid."""
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Forgotten:
    """The forgotten people of a tenant.

    Attributes:
        secret: key of the digests.
        digests: join key → digests of the ids that are forgotten.

    >>> nobody = Forgotten(b"key")
    >>> people = nobody.with_person("user_id", "u000042")
    >>> people.among("user_id", ["u000041", "u000042"]), nobody.among("user_id", ["u000042"])
    ({'u000042'}, set())
    """

    secret: bytes
    digests: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Home) -> "Forgotten":
        """Read the forgotten people; nobody if there is no file.

        Raises:
            StoreError: the file is damaged.
        """
        path = home.forgotten
        try:
            content = json.loads(path.read_bytes())
            digests = {str(key): frozenset(values) for key, values in content["digests"].items()}
            return cls(bytes.fromhex(content["secret"]), digests)
        except FileNotFoundError:
            if any(home.erasures.glob("[0-9]*.json")):
                raise StoreError(
                    expected=f"the digests of forgotten people in {path}, as there are certificates in {home.erasures}",
                    found="no file",
                    next_command=f"restore {path} from a backup; until then no events are taken",
                ) from None
            return cls(b"")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(
                expected=f"the digests of forgotten people in {path}",
                found=f"a damaged file: {error}",
                next_command=f"restore {path} from a backup; until then no events are taken",
            ) from error

    def have_caused(self, event: Any) -> bool:
        """Whether an event is of a forgotten person: an object with the columns of its kind as attributes."""
        return any(
            self.digest(key, str(id_)) in digests
            for key, digests in self.digests.items()
            if (id_ := getattr(event, key, None)) is not None
        )

    def with_person(self, key: str, id_: str) -> "Forgotten":
        """The same and one person more; the key is drawn with the first."""
        secret = self.secret or secrets.token_bytes(32)
        digests = self.digests.get(key, frozenset()) | {Forgotten(secret).digest(key, id_)}
        return Forgotten(secret, {**self.digests, key: digests})

    def save(self, home: Home) -> Path:
        """Write the file, readable by its owner alone."""
        path = home.forgotten
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {"secret": self.secret.hex(), "digests": {key: sorted(all_) for key, all_ in self.digests.items()}}
        write_whole(path, json.dumps(content), is_secret=True)
        return path

    def digest(self, key: str, id_: str) -> str:
        """The digest of a join key with its value, in hexadecimal."""
        return hashlib.blake2b(f"{key}\0{id_}".encode(), key=self.secret, digest_size=_DIGEST_BYTES).hexdigest()

    def among(self, key: str, ids: Iterable[str]) -> set[str]:
        """The ids of a join key that belong to forgotten people."""
        digests = self.digests.get(key)
        return {id_ for id_ in ids if self.digest(key, id_) in digests} if digests else set()


def erasures_done(home: Home) -> int:
    """Number of the newest certificate of an erasure; 0 if there is none.

    >>> erasures_done(Home(Path("/nowhere")))
    0
    """
    return max((int(path.stem) for path in home.erasures.glob("[0-9]*.json") if path.stem.isdigit()), default=0)
