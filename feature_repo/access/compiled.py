"""The section ``[access]`` in the manifest: the marks of features, and the views that filters of rows read.

``refrain apply`` compiles it, so that serving needs neither the registry nor lineage. A manifest that was compiled from
another section is refused: nothing is shown by rules that do not hold any more, and nothing without rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from feature_repo.access.pseudonyms import read_key
from feature_repo.access.settings import AccessSettings
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import View, read_manifest, view_of
from feature_repo.project import Project


@dataclass(frozen=True)
class CompiledAccess:
    """Who sees what, with everything that the decision needs.

    Attributes:
        settings: the section of the project.
        marks: feature as ``view__feature`` → its marks.
        views: the views that filters of rows read.
        key: the secret key of pseudonyms.
    """

    settings: AccessSettings
    marks: Mapping[str, Sequence[str]]
    views: Mapping[str, View]
    key: bytes = field(default=b"", repr=False)

    def marks_of(self, feature: str) -> Sequence[str]:
        """The marks of a feature, ``view__feature``."""
        return self.marks.get(feature, ())

    def is_marked(self, features: Sequence[tuple[str, str]]) -> bool:
        """Whether any of the features of a service has a mark."""
        return any(name in self.marks for name, _ in features)


def load_access(home: Home) -> CompiledAccess | None:
    """Loads the section from the manifest; None if the project has none. Imports no Feast.

    Raises:
        StoreError: the manifest is missing, or was compiled from another section than ``refrain.toml`` has.
    """
    settings = Project.load(home.project_folder).access
    try:
        stat = home.manifest.stat()
        document = _section(home, (stat.st_mtime_ns, stat.st_ino, stat.st_size))
    except (OSError, StoreError):
        if settings is not None:
            read_manifest(home)  # says what is wrong
            raise
        return None
    if settings is None and document is None:
        return None
    if settings is None or document is None or document["digest"] != settings.digest:
        raise StoreError(
            expected="a manifest with the section [access] as refrain.toml has it",
            found=f"{home.manifest}, compiled before it changed",
            next_command="refrain apply",
        )
    views = {name: view_of(view) for name, view in document["views"].items()}
    return CompiledAccess(settings, document["marks"], views, read_key(home))


@lru_cache(maxsize=16)
def _section(home: Home, stamp: tuple[int, int, int]) -> dict[str, Any] | None:
    """The section in a manifest, read once for each state of its file."""
    section: dict[str, Any] | None = read_manifest(home).get("access")
    return section
