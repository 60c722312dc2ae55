"""What gives the values of a view: the definition behind its columns, as a digest, for the fingerprints of services."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo.contract import Contract
from feature_repo.stores.source_files import is_feature_table
from feature_repo.stores.source_path import data_folder
from feature_repo.windows.definition import fingerprint_of

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig

_LABELS = ("name", "project", "description", "tags", "owner", "meta")
"""Fields of Feast's sources that change no value."""


def definition_of(view: "FeatureView", columns: Collection[str], contract: Contract, config: "RepoConfig") -> str:
    """Returns a digest of what gives the values of a view's columns.

    - Of a windowed table, its declaration as far as it concerns the columns.
    - Of a feature table that one function computes, the code of the function.
    - Of a plain view, its source and its ttl. A path below the data folder or the folder of the project counts from
      there.
    - Empty for a table that a model writes (vectors, forecasts, scores of texts): its rows say which.

    Args:
        view: the view as it is registered.
        columns: names of columns of the view.
        contract: the definitions of the project.
        config: configuration of the feature store.
    """
    if view.name in contract.windowed:
        return fingerprint_of(contract.windowed[view.name], columns)
    if not is_feature_table(view):
        return _digest(_source(view, [data_folder(config), contract.project.folder]))
    table = contract.computed_tables.get(view.name)
    if table is None:
        return ""
    settings = [table.settings] if table.settings else []
    return _digest([*table.sources, contract.code_digest(table.compute), *settings])


def _source(view: "FeatureView", folders: list[Path | None]) -> object:
    from google.protobuf.json_format import MessageToDict

    if view.batch_source is None:
        return None
    source = view.batch_source.to_proto()
    path = Path(source.file_options.uri)
    folder = next((folder for folder in folders if folder is not None and path.is_relative_to(folder)), None)
    if folder is not None:
        source.file_options.uri = path.relative_to(folder).as_posix()
    content = {name: value for name, value in MessageToDict(source).items() if name not in _LABELS}
    return [content, view.ttl.total_seconds() if view.ttl else 0.0]


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
