"""Tiles: partial aggregates of the events of one key within one hop, which can be merged.

A tile set is a dictionary of frames:

- ``sums``: one row per key and tile, with the number of events ``n``, the time ``last`` of the newest event, and
  ``late``, the newest created time after the tile's end, 0 if there is none; per number column ``c`` those of ``c.n``,
  ``c.sum``, ``c.squares``, ``c.min`` and ``c.max`` that features need; per rate ``name.true``; per decayed sum
  ``name.mass`` as of ``last``.
- ``values.c``: one row per key, tile and value of a text column ``c``; with the count ``n`` and the times ``first`` and
  ``last`` if features need more than the number of distinct values.
- ``events.c``: one row per event with its value and its time ``last``, for sequences with repeats; only the newest
  events of a tile.

All frames have the key columns and ``at``, the tile's start in microseconds since 1970.
"""

from collections.abc import Mapping

import polars as pl

from feature_repo.windows import (
    Aggregate,
    Conditional,
    DecayedSum,
    Distinct,
    LastN,
    Max,
    Mean,
    Min,
    Std,
    Sum,
    WindowedTable,
)
from feature_repo.windows.table import duration
from transforms.batch.windows.expressions import expression
from transforms.feature_tables import TYPES

Tiles = Mapping[str, pl.DataFrame]

_PARTS: dict[type[Aggregate], tuple[str, ...]] = {
    Sum: ("sum",),
    Mean: ("n", "sum"),
    Std: ("n", "sum", "squares"),
    Min: ("min",),
    Max: ("max",),
}
_VALUE_AGGREGATIONS = [
    pl.len().cast(pl.Int64).alias("n"),
    pl.col("time").min().alias("first"),
    pl.col("time").max().alias("last"),
]
"""Aggregations of the events of one value, where its presence alone does not suffice."""
_MERGE = {
    "n": "sum",
    "sum": "sum",
    "squares": "sum",
    "min": "min",
    "max": "max",
    "true": "sum",
    "last": "max",
    "late": "max",
}


def counted_events(table: WindowedTable, events: pl.DataFrame, tenant: str) -> pl.DataFrame:
    """Selects the events that a table counts: those that fulfil its condition and have its keys.

    Args:
        table: the declaration.
        events: events of the table's source.
        tenant: value of the columns that all events share.

    Returns:
        The columns that the table reads, and ``time`` and ``created`` in microseconds since 1970.
    """
    shared = [pl.lit(tenant).alias(name) for name in table.source.shared if name in table.columns]
    with_shared = events.lazy().with_columns(shared)
    selected = with_shared if table.where is None else with_shared.filter(expression(table.where))
    return (
        selected.drop_nulls(list(table.keys))
        .select(
            *table.columns,
            time=pl.col("event_timestamp").dt.timestamp("us"),
            created=pl.col("created_timestamp").dt.timestamp("us"),
        )
        .collect()
    )


def parts(table: WindowedTable) -> dict[str, tuple[str, ...]]:
    """Number column → the partial aggregates that the table's features need."""
    column_parts: dict[str, set[str]] = {}
    for feature in table.features.values():
        if type(feature) in _PARTS:
            column_parts.setdefault(str(feature.of), set()).update(_PARTS[type(feature)])
    return {name: tuple(sorted(column_parts[name])) for name in sorted(column_parts)}


def tiles(table: WindowedTable, events: pl.DataFrame, width: int) -> dict[str, pl.DataFrame]:
    """Aggregates events to tiles.

    Args:
        table: the declaration.
        events: result of ``counted_events``, in any order.
        width: width of the tiles, microseconds.
    """
    at = pl.col("time") - pl.col("time") % width
    placed = events.lazy().with_columns(at=at)
    keys = [*table.keys, "at"]
    sums = placed.group_by(keys).agg(_aggregations(table, width))
    lazy_frames = {"sums": sums}
    for name in table.valued:
        present = placed.drop_nulls(name).with_columns(value=pl.col(name))
        lazy_frames[f"values.{name}"] = present.group_by(*keys, "value").agg(
            [] if distinct_alone(table, name) else _VALUE_AGGREGATIONS
        )
    for name, length in sequences(table).items():
        lazy_frames[f"events.{name}"] = newest_of(
            placed.drop_nulls(name).select(*keys, value=pl.col(name), last=pl.col("time")), keys, length
        )
    frames = pl.collect_all(list(lazy_frames.values()))
    return dict(zip(lazy_frames, frames, strict=True))


def distinct_alone(table: WindowedTable, column: str) -> bool:
    """Whether all features of a text column are distinct counts."""
    aggregates = {type(feature) for feature in table.features.values() if feature.of == column}
    return aggregates == {Distinct}


def sequences(table: WindowedTable) -> dict[str, int]:
    """Column → length of the longest sequence with repeats."""
    longest: dict[str, int] = {}
    for feature in table.of_kind(LastN).values():
        if not feature.distinct:
            longest[feature.of] = max(feature.n, longest.get(feature.of, 0))
    return dict(sorted(longest.items()))


def newest_of(events: pl.LazyFrame, keys: list[str], length: int) -> pl.LazyFrame:
    """The newest ``length`` events of each group, newest first; events of equal time in alphabetical order."""
    ordered = events.sort(*keys, "last", "value", descending=[*(False for _ in keys), True, False])
    return ordered.group_by(keys, maintain_order=True).head(length)


def merge_tiles(table: WindowedTable, sets: list[Tiles], at: int) -> dict[str, pl.DataFrame]:
    """Merges consecutive tile sets into one tile for each key, which starts at ``at``."""
    keys = list(table.keys)
    lazy_frames: dict[str, pl.LazyFrame] = {}
    for name in sets[0]:
        concatenated = pl.concat([tiles[name].lazy() for tiles in sets])
        if name == "sums":
            columns = [column for column in concatenated.collect_schema().names() if column not in (*keys, "at")]
            aggregations = [_merged_part(table, column) for column in columns]
            lazy_frames[name] = concatenated.group_by(keys).agg(aggregations)
        elif name.startswith("values."):
            aggregations = [pl.col("n").sum(), pl.col("first").min(), pl.col("last").max()]
            only_distinct = distinct_alone(table, name.removeprefix("values."))
            lazy_frames[name] = concatenated.group_by(*keys, "value").agg([] if only_distinct else aggregations)
        else:
            length = sequences(table)[name.removeprefix("events.")]
            lazy_frames[name] = newest_of(concatenated.drop("at"), keys, length)
        lazy_frames[name] = (
            lazy_frames[name].with_columns(at=pl.lit(at, pl.Int64)).select(concatenated.collect_schema().names())
        )
    return dict(zip(lazy_frames, pl.collect_all(list(lazy_frames.values())), strict=True))


def empty(table: WindowedTable) -> dict[str, pl.DataFrame]:
    """An empty tile set with all its columns."""
    columns = {name: TYPES[str(table.source.dtype(name))] for name in table.columns}
    no_events = pl.DataFrame(schema={**columns, "time": pl.Int64, "created": pl.Int64})
    return tiles(table, no_events, 1)


def _aggregations(table: WindowedTable, width: int) -> list[pl.Expr]:
    created, newest = pl.col("created"), pl.col("time").max()
    late = created.filter(created > pl.col("at") + width).max().fill_null(0)
    aggregations = [pl.len().cast(pl.Int64).alias("n"), newest.alias("last"), late.alias("late")]
    aggregations += [_part(name, part) for name, column_parts in parts(table).items() for part in column_parts]
    for name, feature in table.of_kind(Conditional).items():
        is_true = pl.col(feature.of).fill_null(False) if feature.where is None else expression(feature.where)
        aggregations.append(is_true.sum().cast(pl.Int64).alias(f"{name}.true"))
    for name, decayed in table.of_kind(DecayedSum).items():
        weight = pl.lit(1.0) if decayed.of is None else pl.col(decayed.of).fill_null(0).cast(pl.Float64)
        aggregations.append((weight * _decay(pl.col("time") - newest, decayed)).sum().alias(f"{name}.mass"))
    return aggregations


def _part(name: str, part: str) -> pl.Expr:
    value = pl.col(name)
    aggregate = {
        "n": value.is_not_null().sum().cast(pl.Int64),
        "sum": value.sum(),
        "squares": (value * value).sum(),
        "min": value.min(),
        "max": value.max(),
    }[part]
    return aggregate.alias(f"{name}.{part}")


def _merged_part(table: WindowedTable, column: str) -> pl.Expr:
    part = column.rpartition(".")[2]
    if part == "mass":
        decayed = table.features[column.removesuffix(".mass")]
        assert isinstance(decayed, DecayedSum)
        return (pl.col(column) * _decay(pl.col("last") - pl.col("last").max(), decayed)).sum().alias(column)
    return getattr(pl.col(column), _MERGE[part])()


def _decay(age: pl.Expr, feature: DecayedSum) -> pl.Expr:
    """Remaining share of a mass after an age, given as negative microseconds."""
    return pl.lit(2.0).pow(age.cast(pl.Float64) / duration(feature.half_life))
