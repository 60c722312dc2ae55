"""People whose data are stored, but not used (GDPR, article 18): not for training, and not online.

The file of the data folder holds their ids, as what it says is undone one day. Everything that makes training sets or
writes to the online store reads it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole


@dataclass(frozen=True)
class Restricted:
    """The restricted people of a tenant.

    Attributes:
        ids: join key → the ids, as texts.

    >>> people = Restricted().with_person("user_id", "u000042")
    >>> people.ids_of("user_id"), people.without_person("user_id", "u000042").ids
    (frozenset({'u000042'}), {})
    """

    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Home) -> "Restricted":
        """Read the restricted people; nobody if there is no file.

        Raises:
            StoreError: the file is damaged.
        """
        path = home.restricted
        try:
            content = json.loads(path.read_bytes())
            return cls({str(key): frozenset(map(str, values)) for key, values in content.items()})
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError, AttributeError) as error:
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
        return Restricted({**self.ids, key: self.ids_of(key) | {id_}})

    def without_person(self, key: str, id_: str) -> "Restricted":
        """The same without one person."""
        rest = {**self.ids, key: self.ids_of(key) - {id_}}
        return Restricted({name: ids for name, ids in rest.items() if ids})

    def save(self, home: Home) -> Path:
        """Write the file, readable by its owner alone."""
        path = home.restricted
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, json.dumps({key: sorted(ids) for key, ids in self.ids.items()}), is_secret=True)
        return path
