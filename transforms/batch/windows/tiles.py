"""Tiles: partial aggregates of the events of one key within one hop, which can be merged.

A tile set is a dictionary of frames:

- ``sums``: one row per key and tile, with the number of events ``n``, the time ``last`` of the newest event, and
  ``late``, the newest created time after the tile's end, 0 if there is none; per number column ``c`` those of ``c.n``,
  ``c.sum``, ``c.min`` and ``c.max`` that features need, and parts of large sums and of products such as ``c.square0``
  (``wide``); per rate ``name.true``; per decayed sum ``name.mass`` as of ``last``.
- ``values.c``: one row per key, tile and value of a column ``c``; with the count ``n`` and the times ``first`` and
  ``last`` if features need more than the number of distinct values.
- ``values.c.bucket``: the same of the buckets of a number column, for quantiles.
- ``events.c``: one row per event with its value and its time ``last``, for sequences with repeats and the last of a
  column without texts; only the newest events of a tile.
- ``oldest.c``: one row per key and tile with the value of a number column in the oldest event, and its time ``first``.

Values of columns without texts are integers in all of them, see ``feature_repo.windows.units``. All frames have the key
columns and ``at``, the tile's start in microseconds since 1970.
"""

from collections.abc import Mapping

import polars as pl

from feature_repo.errors import InputError
from feature_repo.windows import (
    Aggregate,
    Conditional,
    DecayedSum,
    Distinct,
    First,
    Last,
    LastN,
    Max,
    Mean,
    Min,
    Previous,
    Quantile,
    Slope,
    Std,
    Sum,
    WindowedTable,
)
from feature_repo.windows.table import duration
from feature_repo.windows.units import Units
from transforms.batch.windows import wide
from transforms.batch.windows.expressions import expression
from transforms.batch.windows.quantile import buckets
from transforms.feature_tables import TYPES
from transforms.raw.dates import FORMAT, are_dates

Tiles = Mapping[str, pl.DataFrame]

_PARTS: dict[type[Aggregate], tuple[str, ...]] = {
    Sum: ("sum",),
    Mean: ("n", "sum"),
    Std: ("n", "sum"),
    Min: ("min",),
    Max: ("max",),
    Slope: ("n", "sum", *wide.TIME, *wide.TIME_SQUARE, *wide.TIME_VALUE),
}
_WIDE: dict[str, tuple[str, ...]] = {"sum": wide.VALUE, "min": ("n", "min"), "max": ("n", "max")}
"""Part → the parts instead, of a column with integers of any size: its extremes may be those that stand for none."""
_VALUE_AGGREGATIONS = [
    pl.len().cast(pl.Int64).alias("n"),
    pl.col("time").min().alias("first"),
    pl.col("time").max().alias("last"),
]
"""Aggregations of the events of one value, where its presence alone does not suffice."""
_MERGE = {
    "n": "sum",
    "sum": "sum",
    "min": "min",
    "max": "max",
    "true": "sum",
    "last": "max",
    "late": "max",
    **dict.fromkeys(wide.PARTS, "sum"),
}


def counted_events(table: WindowedTable, events: pl.DataFrame, tenant: str) -> pl.DataFrame:
    """Selects the events that a table counts: those that fulfil its condition and have its keys.

    Args:
        table: the declaration.
        events: events of the table's source, enriched by its dimensions (``enriched``).
        tenant: value of the columns that all events share.

    Returns:
        The columns that the table reads, the integers that its features read of them, and ``time`` and ``created`` in
        microseconds since 1970.

    Raises:
        InputError: a Float64 column has a value that is not finite or too large for its units, or a Date column
            one that is no day.
    """
    shared = [pl.lit(tenant).alias(name) for name in table.source.shared if name in table.columns]
    counted = (
        select_counted(table, events.lazy().with_columns(shared))
        .select(
            *table.columns,
            time=pl.col("event_timestamp").dt.timestamp("us"),
            created=pl.col("created_timestamp").dt.timestamp("us"),
        )
        .collect()
    )
    return _with_integers(table, counted)


def select_counted(table: WindowedTable, events: pl.LazyFrame) -> pl.LazyFrame:
    """Selects the events that fulfil a table's condition and have its keys, with all their columns."""
    selected = events if table.where is None else events.filter(expression(table.where))
    return selected.drop_nulls(list(table.keys))


def _with_integers(table: WindowedTable, events: pl.DataFrame) -> pl.DataFrame:
    """Adds the integers that features read: units of floats, days of dates, parts of large sums, and buckets."""
    source = table.enriched
    for name in table.columns:
        units = source.units(name)
        if units is not None or source.dtype(name) == "Date":
            reporter, column = table.origin(name)
            values = events[name].alias(column)
            encoded = _days(reporter.name, values) if units is None else _units(reporter.name, values, units)
            events = events.with_columns(encoded.alias(source.integers(name)))
    for name, column_parts in parts(table).items():
        if not set(wide.PARTS).isdisjoint(column_parts):
            value, is_present = events[source.integers(name)], events[name].is_not_null().to_numpy()
            computed = wide.parts_of(column_parts, value.fill_null(0).to_numpy(), is_present, events["time"].to_numpy())
            events = events.with_columns(pl.Series(f"{name}.{part}", column) for part, column in computed.items())
    for name in bucketed(table):
        value = events[source.integers(name)]
        numbered = pl.Series(buckets(value.fill_null(0).to_numpy()))
        bucket = pl.when(value.is_not_null()).then(numbered).alias(bucket_column(name))
        events = events.with_columns(bucket)
    return events


def _units(source: str, values: pl.Series, units: Units) -> pl.Series:
    is_valid = values.is_finite() & (values.abs() <= units.largest)
    _check(source, values, is_valid, f"finite numbers up to {units.largest:g}")
    encoded = pl.Series(units.encode(values.fill_null(0.0).to_numpy()))
    return pl.select(pl.when(values.is_not_null()).then(encoded)).to_series()


def _days(source: str, values: pl.Series) -> pl.Series:
    _check(source, values, are_dates(values), 'days such as "2026-03-01"')
    return values.str.to_date(FORMAT).to_physical().cast(pl.Int64)


def _check(source: str, values: pl.Series, is_valid: pl.Series, expected: str) -> None:
    """Checks that all values that are not missing are valid."""
    invalid = values.filter(values.is_not_null() & ~is_valid.fill_null(False))
    if len(invalid):
        raise InputError(
            expected=f"{expected} in the column {values.name} of {source}",
            found=str(invalid[0]),
            next_command=f"correct the file of the raw table {source} that has it, then: refrain build",
        )


def parts(table: WindowedTable) -> dict[str, tuple[str, ...]]:
    """Number column → the partial aggregates that the table's features need."""
    column_parts: dict[str, set[str]] = {}
    for feature in table.features.values():
        if type(feature) in _PARTS:
            column = str(feature.of)
            is_wide = table.enriched.is_wide(column)
            for part in _PARTS[type(feature)]:
                column_parts.setdefault(column, set()).update(_WIDE.get(part, (part,)) if is_wide else (part,))
            if isinstance(feature, Std):
                column_parts[column].update(square_parts(table, column))
    return {name: tuple(sorted(column_parts[name])) for name in sorted(column_parts)}


def square_parts(table: WindowedTable, column: str) -> tuple[str, ...]:
    """Names of the parts of the squares of a number column."""
    limits = None if table.enriched.units(column) else table.enriched.limits(column)
    return wide.square_parts(limits)


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
    buckets_of = {bucket_column(name): pl.col(bucket_column(name)) for name in bucketed(table)}
    for name, value in ({name: _value(table, name) for name in table.valued} | buckets_of).items():
        present = placed.drop_nulls(name).with_columns(value=value)
        lazy_frames[f"values.{name}"] = present.group_by(*keys, "value").agg(
            [] if distinct_alone(table, name) else _VALUE_AGGREGATIONS
        )
    for name, length in sequences(table).items():
        lazy_frames[f"events.{name}"] = newest_of(_dated_values(table, placed, name, "last"), keys, length)
    for name in oldest_columns(table):
        lazy_frames[f"oldest.{name}"] = oldest_of(_dated_values(table, placed, name, "first"), keys)
    frames = pl.collect_all(list(lazy_frames.values()))
    return dict(zip(lazy_frames, frames, strict=True))


def _dated_values(table: WindowedTable, placed: pl.LazyFrame, name: str, time: str) -> pl.LazyFrame:
    value = _value(table, name).alias("value")
    return placed.drop_nulls(name).select(*table.keys, "at", value, pl.col("time").alias(time))


def _value(table: WindowedTable, name: str) -> pl.Expr:
    """Values of a column as tiles keep them: texts, or integers."""
    source = table.enriched
    return pl.col(name) if source.holds_texts(name) else pl.col(source.integers(name)).cast(pl.Int64)


def distinct_alone(table: WindowedTable, column: str) -> bool:
    """Whether all features of a column are distinct counts."""
    aggregates = {type(feature) for feature in table.features.values() if feature.of == column}
    return aggregates == {Distinct}


def sequences(table: WindowedTable) -> dict[str, int]:
    """Column → length of the longest sequence with repeats."""
    longest: dict[str, int] = {}
    for feature in table.features.values():
        length = _sequence_length(table, feature)
        if length:
            longest[str(feature.of)] = max(length, longest.get(str(feature.of), 0))
    return dict(sorted(longest.items()))


def _sequence_length(table: WindowedTable, feature: Aggregate) -> int:
    """Number of newest events that a feature needs; 0 if it reads none, or distinct values."""
    if isinstance(feature, LastN):
        return 0 if feature.distinct else feature.n
    if isinstance(feature, Previous):
        return 2
    return int(isinstance(feature, Last) and not table.enriched.holds_texts(str(feature.of)))


def bucketed(table: WindowedTable) -> tuple[str, ...]:
    """Sorted number columns whose values are counted in buckets."""
    return tuple(sorted({str(feature.of) for feature in table.of_kind(Quantile).values()}))


def bucket_column(name: str) -> str:
    """Name of the buckets of a number column."""
    return f"{name}.bucket"


def oldest_columns(table: WindowedTable) -> tuple[str, ...]:
    """Sorted columns without texts whose oldest value is kept."""
    columns = {str(f.of) for f in table.features.values() if type(f) is First}
    return tuple(sorted(name for name in columns if not table.enriched.holds_texts(name)))


def newest_of(events: pl.LazyFrame, keys: list[str], length: int) -> pl.LazyFrame:
    """The newest ``length`` events of each group, newest first; events of equal time in alphabetical order."""
    ordered = events.sort(*keys, "last", "value", descending=[*(False for _ in keys), True, False])
    return ordered.group_by(keys, maintain_order=True).head(length)


def oldest_of(events: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    """The oldest event of each group; of equal times, the one with the smallest value."""
    return events.sort(*keys, "first", "value").group_by(keys, maintain_order=True).head(1)


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
        elif name.startswith("oldest."):
            lazy_frames[name] = oldest_of(concatenated.drop("at"), keys)
        else:
            length = sequences(table)[name.removeprefix("events.")]
            lazy_frames[name] = newest_of(concatenated.drop("at"), keys, length)
        lazy_frames[name] = (
            lazy_frames[name].with_columns(at=pl.lit(at, pl.Int64)).select(concatenated.collect_schema().names())
        )
    return dict(zip(lazy_frames, pl.collect_all(list(lazy_frames.values())), strict=True))


def empty(table: WindowedTable) -> dict[str, pl.DataFrame]:
    """An empty tile set with all its columns."""
    columns = {name: TYPES[str(table.enriched.feast_type(name))] for name in table.columns}
    no_events = pl.DataFrame(schema={**columns, "time": pl.Int64, "created": pl.Int64})
    return tiles(table, _with_integers(table, no_events), 1)


def _aggregations(table: WindowedTable, width: int) -> list[pl.Expr]:
    created, newest = pl.col("created"), pl.col("time").max()
    late = created.filter(created > pl.col("at") + width).max().fill_null(0)
    aggregations = [pl.len().cast(pl.Int64).alias("n"), newest.alias("last"), late.alias("late")]
    for name, column_parts in parts(table).items():
        value = pl.col(table.enriched.integers(name))
        aggregations += [_part(value, name, part) for part in column_parts]
    for name, feature in table.of_kind(Conditional).items():
        is_true = pl.col(feature.of).fill_null(False) if feature.where is None else expression(feature.where)
        aggregations.append(is_true.sum().cast(pl.Int64).alias(f"{name}.true"))
    for name, decayed in table.of_kind(DecayedSum).items():
        weight = pl.lit(1.0) if decayed.of is None else pl.col(decayed.of).fill_null(0).cast(pl.Float64)
        aggregations.append((weight * _decay(pl.col("time") - newest, decayed)).sum().alias(f"{name}.mass"))
    return aggregations


def _part(value: pl.Expr, name: str, part: str) -> pl.Expr:
    aggregate = {
        "n": value.is_not_null().sum().cast(pl.Int64),
        "sum": value.sum(),
        "min": value.min(),
        "max": value.max(),
    }.get(part, pl.col(f"{name}.{part}").sum())
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
