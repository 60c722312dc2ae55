"""The raw files that feature rows came from: events of their keys within the windows, or whole tables up to the row."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from feature_repo.contract import contract_of
from feature_repo.days import days_in
from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from feature_repo.manifest import Service
from feature_repo.windows import WindowedTable
from feature_repo.windows.table import Window
from refrain.lineage.feature_rows import TIME, views_of
from refrain.lineage.graph import Lineage, Node
from transforms import parquet

_FOREVER = -(1 << 62)
"""Before every time, in microseconds."""


def raw_files(
    home: Home,
    lineage: Lineage,
    services: Sequence[Service],
    rows: pl.DataFrame,
    *,
    only: tuple[str, Path] | None = None,
) -> pl.DataFrame:
    """Finds the raw files that feature rows came from.

    Args:
        home: the data folder.
        lineage: of ``lineage_of``.
        services: services that were read.
        rows: of ``feature_rows``.
        only: table and file, if others do not matter.

    Returns:
        ``answer``, ``table``, ``path``, and ``rows``: the events of the keys in it, null where all count.
    """
    windowed = contract_of(home).windowed
    frames = [_no_files()]
    events = _Events(home, only)
    for view in views_of(services).values():
        view_rows = rows.filter(pl.col("view") == view.name)
        if view_rows.is_empty():
            continue
        if view.name in windowed:
            frames.append(events.of(windowed[view.name], [name for name, _ in view.features], view_rows))
        last = view_rows.group_by("answer").agg(pl.col(TIME).max())
        for table in _whole_tables(lineage, view.name, windowed):
            files = _files_of(home, table, only)
            frames.append(
                last.join(files, how="cross")
                .filter(pl.col("begins") <= pl.col(TIME))
                .select("answer", pl.lit(table).alias("table"), "path", rows=pl.lit(None, pl.UInt32))
            )
    raw = pl.concat(frames).group_by("answer", "table", "path").agg(pl.col("rows").max())
    return raw.sort("answer", "table", "path")


class _Events:
    """Events of raw tables that rows of windowed tables count, by file."""

    def __init__(self, home: Home, only: tuple[str, Path] | None) -> None:
        self._home, self._only = home, only

    def of(self, table: WindowedTable, columns: Iterable[str], rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the files with events of the keys of rows, within the windows of some of their features."""
        windows = {table.features_by_column[name][1] for name in columns}
        rows = rows.with_columns(start=pl.min_horizontal(_start(window) for window in windows))
        files = _files_of(self._home, table.source.name, self._only)
        files = files.filter((pl.col("begins") <= rows[TIME].max()) & (pl.col("ends") >= rows["start"].min()))
        keys = [key for key in table.keys if key in table.source.columns]
        own_keys = [pl.col("keys").list.get(sorted(table.keys).index(key)).alias(key) for key in keys]
        rows = rows.select("answer", "start", pl.col(TIME).alias("stamp"), *own_keys)
        if files.is_empty():
            return _no_files()
        lazy_rows = parquet_files.scan(
            files["path"].to_list(), hive_partitioning=False, include_file_paths="path"
        ).select(*(pl.col(key).cast(pl.String) for key in keys), pl.col(TIME).dt.timestamp("us"), "path")
        for key in keys:
            lazy_rows = lazy_rows.filter(pl.col(key).is_in(rows[key].unique().implode()))
        events = lazy_rows.collect()
        moments = rows.select("start", "stamp", *keys).unique()  # those of many answers are the same
        pairs = moments.join(events, on=keys) if keys else moments.join(events, how="cross")
        in_window = pairs.filter((pl.col(TIME) < pl.col("stamp")) & (pl.col(TIME) >= pl.col("start")))
        counts = in_window.group_by("start", "stamp", *keys, "path").agg(pl.len().alias("rows"))
        files_of_rows = (
            rows.join(counts, on=["start", "stamp", *keys]).group_by("answer", "path").agg(pl.col("rows").sum())
        )
        return files_of_rows.select("answer", pl.lit(table.source.name).alias("table"), "path", "rows")


def _start(window: Window) -> pl.Expr:
    """The first microsecond inside a window at the moment of a row."""
    return pl.lit(_FOREVER) if window.is_lifetime else pl.col(TIME) - pl.col(TIME) % window.hop - window.width


def _no_files() -> pl.DataFrame:
    return pl.DataFrame(schema={"answer": pl.UInt32, "table": pl.String, "path": pl.String, "rows": pl.UInt32})


def _whole_tables(lineage: Lineage, view: str, windowed: Mapping[str, WindowedTable]) -> set[str]:
    """Returns the raw tables of which all rows count: those of one function, and the dimensions of a windowed table."""
    node = Node("view", view)
    depth = 2 if view in windowed else 1
    above = lineage.upstream(node, depth) if node in lineage else {}
    tables = {source.whole.name for source in above if source.kind == "column" and source.whole is not None}
    return tables - ({windowed[view].source.name} if view in windowed else set())


def _files_of(home: Home, table: str, only: tuple[str, Path] | None) -> pl.DataFrame:
    """Returns the files of a raw table: ``path``, and when their day ``begins`` and ``ends`` in microseconds."""
    places = []
    for day, folder in days_in(home.raw(table)).items():
        begins = round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1e6)
        places.append((f"{folder}/{parquet.PART}", begins, begins + 86_400_000_000))
    whole = home.raw(table) / parquet.PART
    places += [(str(whole), _FOREVER, -_FOREVER)] if whole.is_file() else []
    files = pl.DataFrame(places, schema={"path": pl.String, "begins": pl.Int64, "ends": pl.Int64}, orient="row")
    if only is None:
        return files
    return files.filter(pl.lit(table == only[0]) & (pl.col("path") == str(only[1])))
