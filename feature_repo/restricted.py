"""People whose data are stored, but not used (GDPR, article 18): not for training, and not online.

The file of the data folder holds their ids, as what it says is undone one day. Everything that makes training sets or
writes to the online store reads it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feature_repo.encryption.stored_files import read_stored, write_stored
from feature_repo.errors import StoreError
from feature_repo.home import Home

Ids = Mapping[str, frozenset[str]]
"""Join key → ids, as texts."""


@dataclass(frozen=True)
class Restricted:
    """The restricted people of a tenant.

    Attributes:
        ids: the ids of the people, by join key.
        lifted: those whose restriction ends, and of whom not everything is online again yet.

    >>> people = Restricted().with_person("user_id", "u000042")
    >>> people.ids_of("user_id"), people.lift("user_id", "u000042").lifted
    (frozenset({'u000042'}), {'user_id': frozenset({'u000042'})})
    >>> people.without_person("user_id", "u000042")
    Restricted(ids={}, lifted={})
    """

    ids: Ids = field(default_factory=dict)
    lifted: Ids = field(default_factory=dict)

    @classmethod
    def of(cls, home: Home) -> "Restricted":
        """Read the restricted people; nobody if there is no file.

        Raises:
            StoreError: the file is damaged.
        """
        path = home.restricted
        try:
            content = json.loads(read_stored(path, home))
            return cls(_ids(content["ids"]), _ids(content["lifted"]))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(
                expected=f"the ids of restricted people in {path}",
                found=f"a damaged file: {error}",
                next_command=f"restore {path} from a backup; until then nothing is trained or written online",
            ) from error

    def ids_of(self, key: str) -> frozenset[str]:
        """The restricted ids of a join key."""
        return self.ids.get(key, frozenset())

    def with_person(self, key: str, id_: str) -> "Restricted":
        """The same and one person more."""
        return Restricted(_with(self.ids, key, id_), _without(self.lifted, key, id_))

    def lift(self, key: str, id_: str) -> "Restricted":
        """The same with one person whose restriction ends."""
        return Restricted(_without(self.ids, key, id_), _with(self.lifted, key, id_))

    def without_person(self, key: str, id_: str) -> "Restricted":
        """The same without one person."""
        return Restricted(_without(self.ids, key, id_), _without(self.lifted, key, id_))

    def save(self, home: Home) -> Path:
        """Write the file, readable by its owner alone, and sealed where encryption is on."""
        path = home.restricted
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {
            name: {key: sorted(ids) for key, ids in people.items()}
            for name, people in (("ids", self.ids), ("lifted", self.lifted))
        }
        write_stored(path, json.dumps(content).encode(), home, "people", is_secret=True)
        return path


class RestrictedFile:
    """The restricted people, read again when their file has changed.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Home) -> None:
        self._home, self._changed_ns, self._people = home, -1, Restricted()

    def read(self) -> Restricted:
        """Return the restricted people.

        Raises:
            StoreError: the file is damaged.
        """
        try:
            changed_ns = self._home.restricted.stat().st_mtime_ns
        except FileNotFoundError:
            return Restricted()
        if changed_ns != self._changed_ns:
            self._people, self._changed_ns = Restricted.of(self._home), changed_ns
        return self._people


def _ids(content: Any) -> Ids:
    return {str(key): frozenset(map(str, ids)) for key, ids in content.items()}


def _with(people: Ids, key: str, id_: str) -> Ids:
    return {**people, key: people.get(key, frozenset()) | {id_}}


def _without(people: Ids, key: str, id_: str) -> Ids:
    rest = {**people, key: people.get(key, frozenset()) - {id_}}
    return {name: ids for name, ids in rest.items() if ids}
