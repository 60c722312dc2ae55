"""Compiles the section ``[access]`` for the manifest: marks of features, and the views that filters of rows read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from feature_repo.access.masks import mask_of
from feature_repo.access.pseudonyms import make_key
from feature_repo.access.settings import EVERYTHING, Role
from feature_repo.errors import InputError
from feature_repo.home import Home

if TYPE_CHECKING:
    from feature_repo.contract import Contract

MARKING = "refrain.compliance.feature_marks"
"""The module that finds the marks of features by lineage; of a package above this one, and asked by name when features
have to be marked."""


def compile_access(
    home: Home, contract: "Contract", views: Mapping[str, Any], *, is_partial: bool = False
) -> dict[str, Any] | None:
    """Returns the part of the manifest, and makes the key of pseudonyms; None if the project has no ``[access]``.

    Args:
        home: the data folder.
        contract: the definitions of the project.
        views: name → view of the registry, as ``feature_repo.manifest.View`` with all of its columns.
        is_partial: whether views of the project are left out, so that lines about them are no mistakes.

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
        if not named and not is_partial:
            raise _unknown(f"features and views in [access.marks], such as {_first(features)}", name)
        for feature in named:
            marks[feature] |= set(more)
    known = {*(mark for names in marks.values() for mark in names), "personal", "sensitive", "internal", EVERYTHING}
    known |= {*features, *(feature.partition(":")[0] for feature in features)}
    for role in () if is_partial else settings.roles.values():
        _check_role(role, features, known)
    filters = [name.partition(":") for role in settings.roles.values() for name, _ in role.rows if ":" in name]
    make_key(home)
    return {
        "digest": settings.digest,
        "marks": {name.replace(":", "__", 1): sorted(names) for name, names in sorted(marks.items()) if names},
        "views": {view: asdict(views[view]) for view, _, _ in sorted(filters) if view in views},
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


def _first(features: Mapping[str, str]) -> str:
    return next(iter(features), "user_profile:country")


def _unknown(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=repr(found), next_command="correct [access] in refrain.toml")
