"""Feast's retrieval job that reads one source between two times: all rows, or the newest of each key."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
from feast import OnDemandFeatureView
from feast.data_source import DataSource
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.offline_stores.duckdb import _write_data_source
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDatasetStorage

from feature_repo.clock import microseconds
from feature_repo.stores.column_types import small
from feature_repo.stores.history import History, open_history
from feature_repo.stores.history_reader import END_OF_TIME, HistoryReader
from feature_repo.stores.reading import reading
from feature_repo.stores.source_path import located


class SourceRetrievalJob(RetrievalJob):
    """Reads rows of one source between two times: all rows, or the newest of each key."""

    full_feature_names = False
    on_demand_feature_views: list[OnDemandFeatureView] = []  # noqa: RUF012
    metadata = None

    def __init__(
        self,
        config: RepoConfig,
        source: DataSource,
        columns: tuple[list[str], list[str], str, str | None],
        between: tuple[datetime | None, datetime | None],
        *,
        newest: bool,
    ) -> None:
        super().__init__()
        self._config, self._source, self._between, self._newest = config, located(source, config), between, newest
        self._keys, self._features, self._time, self._created = columns
        self._declared: Mapping[str, str] = {}

    def declared(self, types: Mapping[str, str]) -> "SourceRetrievalJob":
        """Sets the declared column types (Feast's names), which decide how keys and path texts are read."""
        self._declared = types
        return self

    def batches(self, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Yields the rows in batches. If the keys do not fit into memory, they are searched in parts."""
        history = self._open_history()
        with reading(history) as reader:
            for frame in _regroup(self._frames(history, reader), rows):
                yield from self._to_arrow(frame).to_batches()

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Writes the rows as a saved dataset."""
        table = ibis.memtable(self._to_arrow_internal())
        _write_data_source(table, storage.to_data_source(), str(self._config.repo_path), "overwrite", allow_overwrite)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        history = self._open_history()
        with reading(history) as reader:
            empty = pl.DataFrame(schema={name: history.types[name] for name in self._column_names()})
            return self._to_arrow(pl.concat([empty, *self._frames(history, reader)]))

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal().to_pandas()

    def _column_names(self) -> dict[str, str]:
        names = [*self._keys, *self._features, self._time, *([self._created] if self._created else [])]
        return {name: name for name in names}

    def _frames(self, history: History, reader: HistoryReader) -> Iterator[pl.DataFrame]:
        since, until = (None if moment is None else microseconds(moment) for moment in self._between)
        until = END_OF_TIME if until is None else until
        if not self._newest:
            yield from reader.between(self._column_names(), since=since, until=until)
            return
        memory = self._config.offline_store.limits().bytes // 2
        yield from reader.newest(self._column_names(), since=since, until=until, memory=memory)

    def _to_arrow(self, frame: pl.DataFrame) -> pa.Table:
        """Converts to small Arrow types in one chunk; adds the dummy key that Feast expects of views without keys."""
        table = small(frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()))
        if self._keys:
            return table
        return table.append_column(DUMMY_ENTITY_ID, pa.array([DUMMY_ENTITY_VAL] * len(table), pa.string()))

    def _open_history(self) -> History:
        """Opens the history; by Feast's contract, columns have the names of the files."""
        return open_history(
            self._source,
            view=self._source.name,
            keys={name: name for name in self._keys},
            features={name: name for name in self._features},
            time=self._time,
            created=self._created or None,
            renamed={},
            ttl=None,
            repo_path=self._config.repo_path,
            temp_directory=self._config.offline_store.temp_directory,
            declared=self._declared,
        )


def _regroup(frames: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Regroups rows into frames of ``rows`` rows; the last may have fewer."""
    pending: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        pending.append(frame)
        size += frame.height
        if size >= rows:
            merged = pl.concat(pending)
            full_rows = size - size % rows
            yield from (merged[start : start + rows] for start in range(0, full_rows, rows))
            pending, size = [merged[full_rows:]], size - full_rows
    if size:
        yield pl.concat(pending)
