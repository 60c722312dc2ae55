"""Which files a view is made of: those of a feature table in the data folder, or those of a person's own source."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo.days import files_in
from feature_repo.stores.source_path import PLACE, located

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig


def is_feature_table(view: "FeatureView") -> bool:
    """Whether ``python -m transforms build`` writes the files behind a view."""
    return view.batch_source is not None and PLACE in (view.batch_source.tags or {})


def path_of(view: "FeatureView", config: "RepoConfig") -> str | None:
    """Where a view's files lie on this machine: a file, a folder, or a pattern; None for a query or a remote source."""
    from feast import FileSource

    source = None if view.batch_source is None else located(view.batch_source, config)
    path = getattr(source, "path", None)
    if not path:
        return None
    if isinstance(source, FileSource):
        path = FileSource.get_uri_for_file_path(config.repo_path, path)
    path = str(path).removeprefix("file://")
    return None if "://" in path else path


def files_at(path: str, *, is_table: bool = False) -> list[Path]:
    """The files that a source's path means, in the order of their names; hidden ones are left out.

    Args:
        path: of a file, of a folder of files, or with ``*``, ``?`` or ``[``.
        is_table: whether it is the folder of a feature table, of whose folders the days alone count.
    """
    place = Path(path)
    if is_table and place.is_dir():
        return files_in(place)
    if not place.exists() and any(sign in path for sign in "*?["):
        there = next(folder for folder in place.parents if folder.exists())  # its signs are none of the pattern
        found = list(there.glob(str(place.relative_to(there))))
    else:
        found = [place] if place.is_file() else list(place.rglob("*"))
    return sorted(file for file in found if file.is_file() and not file.name.startswith((".", "_")))


def digest_of(path: str, digest: Callable[[Path], str], *, is_table: bool = False) -> str:
    """One digest of all files of a source, by their names below it and their content.

    Args:
        path: as for ``files_at``.
        digest: of one file.
        is_table: as for ``files_at``.
    """
    place, total = Path(path), hashlib.sha256()
    for file in files_at(path, is_table=is_table):
        name = file.relative_to(place) if place.is_dir() else file.name
        total.update(f"{name} {digest(file)}\n".encode())
    return total.hexdigest()
