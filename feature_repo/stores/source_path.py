"""Where a source lies now: feature tables are found in the data folder in use, wherever they lay when applied.

Feast's registry keeps a source's absolute path. A data folder that is copied or moved takes its registry with it, and
those paths would still name the folder that the copy was made of. The sources of feature tables therefore also say
their place inside the data folder, and the offline stores resolve it when they are asked.
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
"""Tag of a source whose files lie in the data folder: their path in it."""


def data_folder(config: "RepoConfig") -> Path | None:
    """The data folder that an offline store was configured with; None where it was configured with none."""
    folder = getattr(config.offline_store, "data_folder", None)
    if folder is None:
        return None
    return Path(os.path.abspath(Path(config.repo_path or "") / folder))  # noqa: PTH100  # a link stays a link


def located(source: Source, config: "RepoConfig") -> Source:
    """A source with the path that it has in the data folder in use.

    A source of a person's own, and one of an offline store without a data folder, comes back as it is.

    Args:
        source: as it was declared, or as the registry has it.
        config: of the repository.
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
    """The command that brings the files of a source that are not there."""
    if source is not None and PLACE in (source.tags or {}):
        return "python -m transforms build"
    return "write them, or correct the path of the view's source and run: python -m feature_repo apply"


def source_of(view: "FeatureView") -> "DataSource":
    """The batch source of a view.

    Raises:
        StoreError: it has none.
    """
    if view.batch_source is None:
        raise StoreError(
            expected=f"a batch source behind the view {view.name}",
            found="none",
            next_command="give the view a source, then: python -m feature_repo apply",
        )
    return view.batch_source


def view_located(view: "FeatureView", config: "RepoConfig") -> "FeatureView":
    """A view whose batch source is ``located``; a copy where that changes it."""
    source = view.batch_source
    if source is None:
        return view
    moved = located(source, config)
    if moved is source:
        return view
    other = object.__new__(type(view))  # FeatureView's own copy drops what is not in its constructor
    other.__dict__ = {**view.__dict__, "batch_source": moved}
    return other
