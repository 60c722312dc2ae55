"""Retrieval of a service's rows from any of Feast's offline stores, and its on-demand features."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl

from feature_repo.access.feast_calls import own_pull
from feature_repo.errors import StoreError
from feature_repo.manifest import Service, View
from feature_repo.on_demand import MOMENT
from feature_repo.registered_views import view_named
from feature_repo.stores.source_files import digest_of, files_at, is_feature_table, path_of
from feature_repo.stores.source_path import remedy
from training.datasets.columns import to_numpy
from training.datasets.spine import SpineTable
from transforms import parquet
from transforms.raw.table import MICROSECONDS_UTC

if TYPE_CHECKING:
    from feast import FeatureStore

CHUNK_ROWS = 100_000
"""Rows of a spine per request to another offline store than Refrain's."""


def check_files(store: "FeatureStore", view: View) -> None:
    """Check that there are files behind a view.

    Raises:
        StoreError: there are none.
    """
    declared = view_named(store, view.name)
    path = path_of(declared, store.config)
    if path is None or files_at(path, is_table=is_feature_table(declared)):
        return
    expected = "a feature table" if is_feature_table(declared) else f"the files of the view {view.name}"
    raise StoreError(expected=f"{expected} in {path}", found="none", next_command=remedy(declared.batch_source))


def snapshot(store: "FeatureStore", view: View) -> str:
    """Digest of all files behind one view; only the source's name if they are not on this machine."""
    declared = view_named(store, view.name)
    path = path_of(declared, store.config)
    if path is None:
        return f"not digested: {declared.batch_source.name if declared.batch_source else view.name}"
    return digest_of(path, parquet.digest, is_table=is_feature_table(declared))


def _references(service: Service) -> list[str]:
    return [f"{view.name}:{feature}" for view in service.views for feature, _ in view.features]


def embedded_store_job(store: "FeatureStore", service: Service, spine: SpineTable, as_known: bool) -> Any:
    """Starts the retrieval by the embedded offline store, which takes any spine and gives batches; else None."""
    from feature_repo.stores.offline import AsOfOfflineStoreConfig

    if not isinstance(store.config.offline_store, AsOfOfflineStoreConfig):
        return None
    with own_pull():
        return store.get_historical_features(
            entity_df=spine.for_store(),
            features=_references(service),
            full_feature_names=True,
            filter_by_created_timestamp=as_known,
        )


def from_any_store(
    store: "FeatureStore", service: Service, spine: SpineTable, as_known: bool
) -> Iterator[pl.DataFrame]:
    """Retrieves from any other of Feast's stores, with pandas in and out; restores the order of the rows."""
    row_number = "spine_row"
    for batch in spine.batches(CHUNK_ROWS):
        if batch.is_empty():
            columns = [reference.replace(":", "__") for reference in _references(service)]
            yield batch.with_columns(pl.lit(None).alias(name) for name in columns)
            continue
        job = store.get_historical_features(
            entity_df=batch.with_row_index(row_number).to_pandas(),
            features=_references(service),
            full_feature_names=True,
            filter_by_created_timestamp=as_known,
        )
        retrieved = pl.DataFrame(job.to_arrow()).sort(row_number).drop(row_number)
        yield retrieved.with_columns(pl.col("event_timestamp").cast(MICROSECONDS_UTC))


def with_on_demand(service: Service, rows: pl.DataFrame) -> pl.DataFrame:
    """Add the on-demand features of a service; a request field that the rows lack is null."""
    if not service.on_demand:
        return rows
    request_columns = {name: rows[name] for name in service.request_fields if name in rows.columns}
    request = {
        name: request_columns.get(name, rows["event_timestamp"] if name == MOMENT else _missing_column(rows, dtype))
        for name, dtype in service.request_fields.items()
    }
    needed = {column for function in service.functions.values() for column in function.inputs.values()}
    columns = {name: to_numpy(request[name] if name in request else rows[name]) for name in sorted(needed)}
    computed = {
        f"{name}__{output}": pl.Series(values)
        for name, function in service.functions.items()
        for output, values in function.compute(columns).items()
    }
    return rows.with_columns(
        values.fill_nan(None).alias(name) if values.dtype.is_float() else values.alias(name)
        for name, values in computed.items()
    )


def _missing_column(rows: pl.DataFrame, dtype: str) -> pl.Series:
    return pl.repeat(None, rows.height, dtype=pl.String() if dtype == "String" else pl.Float64(), eager=True)
