"""Tiles: what the events of one key within a stretch of time add up to, in parts that can be merged.

A tile set is a few frames, by name:

- ``sums``: one row per key and tile with ``n`` events, the newest one's time ``last``, ``late`` (the newest created
  time after the tile's end, 0 if there is none), and per number column ``c`` what is needed of ``c.n``, ``c.sum``,
  ``c.squares``, ``c.min``, ``c.max``; per rate ``name.true``; per fading sum ``name.mass`` as of ``last``.
- ``values.c``: one row per key, tile and value of a text column; where more than the number of different ones is asked
  for: ``n``, times ``first`` and ``last``.
- ``events.c``: one row per event with its value and time (``last``), for sequences with repeats; the newest of a tile.

All have the keys and ``at``, the tile's beginning in microseconds since 1970.
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
_TOLD = [
    pl.len().cast(pl.Int64).alias("n"),
    pl.col("time").min().alias("first"),
    pl.col("time").max().alias("last"),
]
"""Of a value, beside that it was there."""
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


def counted(table: WindowedTable, events: pl.DataFrame, tenant: str) -> pl.DataFrame:
    """The events that count: those that fulfil the table's condition and have its keys, in the columns it reads.

    Args:
        table: the declaration.
        events: of its source.
        tenant: stands in the columns that all events share.

    Returns:
        The columns, and ``time`` and ``created`` in microseconds since 1970.
    """
    shared = [pl.lit(tenant).alias(name) for name in table.source.shared if name in table.columns]
    with_shared = events.lazy().with_columns(shared)
    kept = with_shared if table.where is None else with_shared.filter(expression(table.where))
    return (
        kept.drop_nulls(list(table.keys))
        .select(
            *table.columns,
            time=pl.col("event_timestamp").dt.timestamp("us"),
            created=pl.col("created_timestamp").dt.timestamp("us"),
        )
        .collect()
    )


def parts(table: WindowedTable) -> dict[str, tuple[str, ...]]:
    """Number column → what has to be kept of it."""
    kept: dict[str, set[str]] = {}
    for feature in table.features.values():
        if type(feature) in _PARTS:
            kept.setdefault(str(feature.of), set()).update(_PARTS[type(feature)])
    return {name: tuple(sorted(kept[name])) for name in sorted(kept)}


def tiles(table: WindowedTable, events: pl.DataFrame, width: int) -> dict[str, pl.DataFrame]:
    """Add events up.

    Args:
        table: the declaration.
        events: of ``counted``, in any order.
        width: of the tiles, microseconds.
    """
    at = pl.col("time") - pl.col("time") % width
    placed = events.lazy().with_columns(at=at)
    keys = [*table.keys, "at"]
    sums = placed.group_by(keys).agg(_aggregations(table, width))
    found = {"sums": sums}
    for name in table.valued:
        present = placed.drop_nulls(name).with_columns(value=pl.col(name))
        found[f"values.{name}"] = present.group_by(*keys, "value").agg([] if distinct_alone(table, name) else _TOLD)
    for name, longest in sequences(table).items():
        found[f"events.{name}"] = newest_of(
            placed.drop_nulls(name).select(*keys, value=pl.col(name), last=pl.col("time")), keys, longest
        )
    frames = pl.collect_all(list(found.values()))
    return dict(zip(found, frames, strict=True))


def distinct_alone(table: WindowedTable, column: str) -> bool:
    """Whether of a text column only the number of different values is asked for."""
    asked = {type(feature) for feature in table.features.values() if feature.of == column}
    return asked == {Distinct}


def sequences(table: WindowedTable) -> dict[str, int]:
    """Column → length of the longest sequence with repeats."""
    longest: dict[str, int] = {}
    for feature in table.of_kind(LastN).values():
        if not feature.distinct:
            longest[feature.of] = max(feature.n, longest.get(feature.of, 0))
    return dict(sorted(longest.items()))


def newest_of(events: pl.LazyFrame, keys: list[str], longest: int) -> pl.LazyFrame:
    """The newest so many of each group; the first by letters among equals in time."""
    order = events.sort(*keys, "last", "value", descending=[*(False for _ in keys), True, False])
    return order.group_by(keys, maintain_order=True).head(longest)


def merged(table: WindowedTable, sets: list[Tiles], at: int) -> dict[str, pl.DataFrame]:
    """Tiles that follow each other made one, with ``at`` as their beginning."""
    keys = list(table.keys)
    found: dict[str, pl.LazyFrame] = {}
    for name in sets[0]:
        together = pl.concat([tiles[name].lazy() for tiles in sets])
        if name == "sums":
            columns = [column for column in together.collect_schema().names() if column not in (*keys, "at")]
            aggregations = [_merged(table, column) for column in columns]
            found[name] = together.group_by(keys).agg(aggregations)
        elif name.startswith("values."):
            told = [pl.col("n").sum(), pl.col("first").min(), pl.col("last").max()]
            alone = distinct_alone(table, name.removeprefix("values."))
            found[name] = together.group_by(*keys, "value").agg([] if alone else told)
        else:
            longest = sequences(table)[name.removeprefix("events.")]
            found[name] = newest_of(together.drop("at"), keys, longest)
        found[name] = found[name].with_columns(at=pl.lit(at, pl.Int64)).select(together.collect_schema().names())
    return dict(zip(found, pl.collect_all(list(found.values())), strict=True))


def empty(table: WindowedTable) -> dict[str, pl.DataFrame]:
    """Tiles of nothing, with their columns."""
    columns = {name: TYPES[str(table.source.dtype(name))] for name in table.columns}
    nothing = pl.DataFrame(schema={**columns, "time": pl.Int64, "created": pl.Int64})
    return tiles(table, nothing, 1)


def _aggregations(table: WindowedTable, width: int) -> list[pl.Expr]:
    created, newest = pl.col("created"), pl.col("time").max()
    late = created.filter(created > pl.col("at") + width).max().fill_null(0)
    found = [pl.len().cast(pl.Int64).alias("n"), newest.alias("last"), late.alias("late")]
    found += [_part(name, part) for name, wanted in parts(table).items() for part in wanted]
    for name, one in table.of_kind(Conditional).items():
        truth = pl.col(one.of).fill_null(False) if one.where is None else expression(one.where)
        found.append(truth.sum().cast(pl.Int64).alias(f"{name}.true"))
    for name, fading in table.of_kind(DecayedSum).items():
        weight = pl.lit(1.0) if fading.of is None else pl.col(fading.of).fill_null(0).cast(pl.Float64)
        found.append((weight * _faded(pl.col("time") - newest, fading)).sum().alias(f"{name}.mass"))
    return found


def _part(name: str, part: str) -> pl.Expr:
    value = pl.col(name)
    of = {
        "n": value.is_not_null().sum().cast(pl.Int64),
        "sum": value.sum(),
        "squares": (value * value).sum(),
        "min": value.min(),
        "max": value.max(),
    }[part]
    return of.alias(f"{name}.{part}")


def _merged(table: WindowedTable, column: str) -> pl.Expr:
    part = column.rpartition(".")[2]
    if part == "mass":
        fading = table.features[column.removesuffix(".mass")]
        assert isinstance(fading, DecayedSum)
        return (pl.col(column) * _faded(pl.col("last") - pl.col("last").max(), fading)).sum().alias(column)
    return getattr(pl.col(column), _MERGE[part])()


def _faded(passed: pl.Expr, fading: DecayedSum) -> pl.Expr:
    """Share left of what happened ``-passed`` microseconds before."""
    return pl.lit(2.0).pow(passed.cast(pl.Float64) / duration(fading.half_life))
