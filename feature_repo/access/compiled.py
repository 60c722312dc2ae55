"""The section ``[access]`` in the manifest: the marks of features, and the views that filters of rows read.

``refrain apply`` compiles it, so that serving needs neither the registry nor lineage. A manifest that was compiled from
another section is refused: nothing is shown by rules that do not hold any more, and nothing without rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from feature_repo.access.masks import mask_of
from feature_repo.access.pseudonyms import make_key, read_key
from feature_repo.access.settings import EVERYTHING, AccessSettings, Role
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.project import Project

if TYPE_CHECKING:
    from feature_repo.contract import Contract
    from feature_repo.manifest import View

MARKING = "refrain.compliance.feature_marks"
"""The module that finds the marks of features by lineage; of a package above this one, and asked by name when features
have to be marked."""


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
    views: "Mapping[str, View]"
    key: bytes = field(default=b"", repr=False)

    def marks_of(self, feature: str) -> Sequence[str]:
        """The marks of a feature, ``view__feature``."""
        return self.marks.get(feature, ())

    def is_marked(self, features: Sequence[tuple[str, str]]) -> bool:
        """Whether any of the features of a service has a mark."""
        return any(name in self.marks for name, _ in features)


def compile_access(home: Home, contract: "Contract", views: "Mapping[str, View]") -> dict[str, Any] | None:
    """Returns the part of the manifest, and makes the key of pseudonyms; None if the project has no ``[access]``.

    Args:
        home: the data folder.
        contract: the definitions of the project.
        views: all views of the registry, with all of their columns.

    Raises:
        InputError: a line names a feature, view or mark that is not there, or a mask does not fit the type.
    """
    settings = contract.project.access
    if settings is None:
        return None
    features = {f"{view.name}:{name}": dtype for view in views.values() for name, dtype in view.features}
    inherited: Mapping[str, Sequence[str]] = import_module(MARKING).marks_of(contract)
    features |= {name: "" for name in inherited if name not in features}
    marks = {name: set(inherited.get(name, ())) for name in features}
    for name, more in settings.marks.items():
        named = [feature for feature in features if name in (feature, feature.partition(":")[0])]
        if not named:
            raise _unknown(f"features and views in [access.marks], such as {_first(features)}", name)
        for feature in named:
            marks[feature] |= set(more)
    known = {*(mark for names in marks.values() for mark in names), "personal", "sensitive", "internal", EVERYTHING}
    known |= {*features, *(feature.partition(":")[0] for feature in features)}
    for role in settings.roles.values():
        _check_role(role, features, known)
    filters = [name.partition(":") for role in settings.roles.values() for name, _ in role.rows if ":" in name]
    make_key(home)
    return {
        "digest": settings.digest,
        "marks": {name.replace(":", "__", 1): sorted(names) for name, names in sorted(marks.items()) if names},
        "views": {view: asdict(views[view]) for view, _, _ in sorted(filters)},
    }


def _check_role(role: Role, features: Mapping[str, str], known: set[str]) -> None:
    place = f"[access.roles.{role.name}]"
    for name in (*role.seen, *role.masked, *role.refused):
        if name not in known:
            raise _unknown(f"marks, features (view:feature) and views in {place}", name)
    for name, text in role.masked.items():
        mask = mask_of(text)
        if features.get(name) and not mask.fits(features[name]):
            raise _unknown(f"a mask of {name} in {place} for values of the type {features[name]}", text)
    for name, _ in role.rows:
        if ":" in name and name not in features:
            raise _unknown(f"join keys and features (view:feature) in rows of {place}", name)


def load_access(home: Home) -> CompiledAccess | None:
    """Loads the section from the manifest; None if the project has none. Imports no Feast.

    Raises:
        StoreError: the manifest is missing, or was compiled from another section than ``refrain.toml`` has.
    """
    from feature_repo.manifest import read_manifest, view_of

    settings = Project.load(home.project_folder).access
    document = read_manifest(home).get("access") if settings is not None or home.manifest.is_file() else None
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


def _first(features: Mapping[str, str]) -> str:
    return next(iter(features), "user_profile:country")


def _unknown(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=repr(found), next_command="correct [access] in refrain.toml")
