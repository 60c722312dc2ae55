"""Resolves the paths of feature tables against the current data folder, wherever it was when they were applied.

Feast's registry stores absolute paths. If a data folder is copied or moved together with its registry, these paths
still point to the original folder. Sources of feature tables therefore also carry their path relative to the data
folder, which the offline stores resolve at run time.
"""

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from feature_repo.errors import StoreError

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig
    from feast.data_source import DataSource

Source = TypeVar("Source", bound="DataSource")

PLACE = "place_in_data_folder"
"""Source tag with the path of its files, relative to the data folder."""


def data_folder(config: "RepoConfig") -> Path | None:
    """Returns the data folder in the configuration of the offline store; None if it has none."""
    folder = getattr(config.offline_store, "data_folder", None)
    if folder is None:
        return None
    return Path(os.path.abspath(Path(config.repo_path or "") / folder))  # noqa: PTH100  # keeps symbolic links


def located(source: Source, config: "RepoConfig") -> Source:
    """Returns a source with its path in the current data folder.

    Sources that are not feature tables, and sources of an offline store without a data folder, are returned unchanged.

    Args:
        source: the source, as declared or as stored in the registry.
        config: configuration of the repository.
    """
    place, folder = (source.tags or {}).get(PLACE), data_folder(config)
    if not place or folder is None:
        return source
    path = str(folder / place)
    if source.path == path:  # type: ignore[attr-defined]
        return source
    moved = copy.deepcopy(source)
    if hasattr(moved, "file_options"):
        moved.file_options.uri = path
    else:
        moved.spark_options.path = path  # type: ignore[attr-defined]
    return moved


def remedy(source: "DataSource | None") -> str:
    """Returns the command that creates the missing files of a source."""
    if source is not None and PLACE in (source.tags or {}):
        return "refrain build"
    return "write them, or correct the path of the view's source and run: refrain apply"


def source_of(view: "FeatureView") -> "DataSource":
    """Returns the batch source of a view.

    Raises:
        StoreError: the view has no batch source.
    """
    if view.batch_source is None:
        raise StoreError(
            expected=f"a batch source behind the view {view.name}",
            found="none",
            next_command="give the view a source, then: refrain apply",
        )
    return view.batch_source


def view_located(view: "FeatureView", config: "RepoConfig") -> "FeatureView":
    """Returns a view whose batch source is ``located``; a copy if the path changes."""
    source = view.batch_source
    if source is None:
        return view
    moved = located(source, config)
    if moved is source:
        return view
    copied = object.__new__(type(view))  # FeatureView's own copy drops attributes that are not constructor arguments
    copied.__dict__ = {**view.__dict__, "batch_source": moved}
    return copied
