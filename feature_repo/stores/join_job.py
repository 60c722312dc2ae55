"""Feast's retrieval job of a point-in-time join: run at once, in batches, or into a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
from feast import OnDemandFeatureView
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.duckdb import _write_data_source
from feast.infra.offline_stores.ibis import IbisRetrievalJob
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDatasetStorage

from feature_repo.command_line import Progress, silent
from feature_repo.stores.declared import as_declared, column_of
from feature_repo.stores.join import Join
from feature_repo.stores.parquet_files import write_tables
from feature_repo.stores.source_files import parquet_path


class AsOfRetrievalJob(RetrievalJob):
    """A lazy point-in-time join: run at once (`to_df`, `to_arrow`), in batches, or into a file."""

    def __init__(
        self,
        join: Join,
        config: RepoConfig,
        on_demand: list[OnDemandFeatureView],
        full_feature_names: bool,
        feature_refs: list[str],
    ) -> None:
        super().__init__()
        self._join, self._config, self._on_demand = join, config, on_demand
        self._full_feature_names, self._feature_refs = full_feature_names, feature_refs

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named ``view__feature``."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """On-demand views that are computed after the join."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata:
        """Feature references, keys and time range of the spine."""
        first, last = self._join.spine.time_range()
        keys = [name for name in self._join.spine.schema.names if name != self._join.spine.time]
        return RetrievalMetadata(self._feature_refs, keys, first, last)

    def batches(self, rows: int | None = None, progress: Progress = silent) -> Iterator[pa.Table]:
        """Yields the result one chunk of the spine at a time, including on-demand features.

        Args:
            rows: rows per chunk; as many as the memory limit allows if None. Every chunk reads the histories once.
            progress: callback, called after each view of each chunk.
        """
        for table in self._join.tables(rows, progress):
            yield self._cast_on_demand(_Chunk(table, self).to_arrow()) if self._on_demand else table

    def to_arrow(self, *args: Any, **kwargs: Any) -> pa.Table:
        """Returns the whole result, including on-demand features."""
        return self._cast_on_demand(super().to_arrow(*args, **kwargs))

    def _cast_on_demand(self, table: pa.Table) -> pa.Table:
        """Casts on-demand features to their declared types: pandas turns integers into floats if one is missing."""
        for view in self._on_demand:
            prefix = f"{view.projection.name_to_use()}__" if self._full_feature_names else ""
            columns = {f"{prefix}{field.name}": column_of(field) for field in view.features}
            table = as_declared(view.name, columns, table)
        return table

    def to_parquet(self, path: str | Path, rows: int | None = None, progress: Progress = silent) -> Path:
        """Streams the result into one Parquet file, which gets its final name when it is complete.

        Args:
            path: path of the file; an existing file is replaced.
            rows: rows per chunk, see ``batches``.
            progress: callback, called after each view of each chunk.
        """
        target = Path(path)
        write_tables(self.batches(rows, progress), target)
        return target

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Writes the result as a saved dataset; streams it if that is one local Parquet file."""
        source = storage.to_data_source()
        path = parquet_path(self._config, source)
        if path is None or path.suffix != ".parquet":
            self._as_ibis().persist(storage, allow_overwrite, timeout)
            return
        if path.exists() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=str(path))
        self.to_parquet(path)

    def supports_remote_storage_export(self) -> bool:
        """Whether the store has a staging location."""
        return self._as_ibis(lazy=True).supports_remote_storage_export()

    def to_remote_storage(self) -> list[str]:
        """Exports to the staging location, as Feast's own store does."""
        return self._as_ibis().to_remote_storage()

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return pa.concat_tables(self._join.tables())

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal().to_pandas()

    def _as_ibis(self, lazy: bool = False) -> IbisRetrievalJob:
        store = self._config.offline_store
        return IbisRetrievalJob(
            table=None if lazy else ibis.memtable(self.to_arrow()),
            on_demand_feature_views=[],
            full_feature_names=self._full_feature_names,
            metadata=self.metadata,
            data_source_writer=_write_data_source,
            staging_location=store.staging_location,
            staging_location_endpoint_override=store.staging_location_endpoint_override,
            repo_path=str(self._config.repo_path),
        )


class _Chunk(RetrievalJob):
    """Adapter of one joined chunk, so that Feast's own code computes its on-demand features."""

    def __init__(self, table: pa.Table, job: AsOfRetrievalJob) -> None:
        super().__init__()
        self._table, self._job = table, job

    full_feature_names = property(lambda self: self._job.full_feature_names)
    on_demand_feature_views = property(lambda self: self._job.on_demand_feature_views)
    metadata = property(lambda self: self._job.metadata)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._table
