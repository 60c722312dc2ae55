"""Finds the files behind a view: of a feature table in the data folder, or of a source of your own."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo.days import files_in
from feature_repo.stores.source_path import PLACE, located

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig
    from feast.data_source import DataSource


def is_feature_table(view: "FeatureView") -> bool:
    """Whether ``refrain build`` writes the files behind a view."""
    return view.batch_source is not None and PLACE in (view.batch_source.tags or {})


def path_of(view: "FeatureView", config: "RepoConfig") -> str | None:
    """Returns the local path of a view's files (file, folder or glob); None for a query or a remote source."""
    from feast import FileSource

    source = None if view.batch_source is None else located(view.batch_source, config)
    path = getattr(source, "path", None)
    if not path:
        return None
    if isinstance(source, FileSource):
        path = FileSource.get_uri_for_file_path(config.repo_path, path)
    path = str(path).removeprefix("file://")
    return None if "://" in path else path


def parquet_path(config: "RepoConfig", source: "DataSource") -> Path | None:
    """Returns the local path of a Parquet source; None for any other source."""
    from feast import FileSource
    from feast.data_format import ParquetFormat

    if not isinstance(source, FileSource) or not isinstance(source.file_format, ParquetFormat | None):
        return None
    path = FileSource.get_uri_for_file_path(config.repo_path, source.path)
    return None if "://" in path else Path(path)


def files_at(path: str, *, is_table: bool = False) -> list[Path]:
    """Lists the files at a source's path, sorted by name, without hidden files.

    Args:
        path: path of a file or a folder, or a glob pattern with ``*``, ``?`` or ``[``.
        is_table: whether the path is the folder of a feature table, of which only the day folders count.
    """
    place = Path(path)
    if is_table and place.is_dir():
        return files_in(place)
    if not place.exists() and any(character in path for character in "*?["):
        base = next(folder for folder in place.parents if folder.exists())  # glob characters in this part are literal
        files = list(base.glob(str(place.relative_to(base))))
    else:
        files = [place] if place.is_file() else list(place.rglob("*"))
    return sorted(file for file in files if file.is_file() and not file.name.startswith((".", "_")))


def digest_of(path: str, digest: Callable[[Path], str], *, is_table: bool = False) -> str:
    """Computes one digest of all files of a source, from their relative names and contents.

    Args:
        path: see ``files_at``.
        digest: function that returns the digest of one file.
        is_table: see ``files_at``.
    """
    place, total = Path(path), hashlib.sha256()
    for file in files_at(path, is_table=is_table):
        name = file.relative_to(place) if place.is_dir() else file.name
        total.update(f"{name} {digest(file)}\n".encode())
    return total.hexdigest()
