"""Computes the rows of a windowed table from its tiles."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.windows import (
    Aggregate,
    Count,
    CountIf,
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
    Rate,
    Ratio,
    Slope,
    Std,
    Sum,
    TimeSinceLast,
    TopK,
    Window,
    WindowedTable,
)
from feature_repo.windows.table import duration
from transforms.batch.windows import wide
from transforms.batch.windows.decayed import decayed
from transforms.batch.windows.distinct import ValueTiles, distinct, levels
from transforms.batch.windows.items import Grid, Items, Rows, encode, extreme, is_run_start, prefix_sums
from transforms.batch.windows.last_n import last_n, last_n_distinct
from transforms.batch.windows.lists import Lists
from transforms.batch.windows.quantile import middles, quantile
from transforms.batch.windows.tiles import Tiles, bucket_column, square_parts
from transforms.batch.windows.top_k import top_k
from transforms.raw.table import MICROSECONDS_UTC

INT = np.iinfo(np.int64)


def rows(table: WindowedTable, tiles: Tiles, first: int, stop: int, since: int | None = None) -> pl.DataFrame:
    """Computes the rows of a table at the moments T with first ≤ T < stop.

    Args:
        table: the declaration.
        tiles: tiles of all events that these moments need: from ``table.reach`` before the first one, or from the
            beginning if the table remembers.
        first: first moment, microseconds since 1970.
        stop: moment after the last one, microseconds since 1970.
        since: microseconds since 1970; earlier tiles are counted but make no row due: they are merged past tiles.

    Returns:
        One row for each key and moment at which an event entered or left a window, in the order of key and moment: the
        keys, ``event_timestamp``, ``created_timestamp`` and the table's columns.
    """
    words, coded = _coded(table, tiles)
    times = tiles["sums"]["at"]
    earliest = int(times.min()) if len(times) else first  # type: ignore[arg-type]
    grid = Grid.over(table, min(earliest, first), stop + table.reach)
    keys = max((int(code.max(initial=-1)) for code in coded.keys.values()), default=-1) + 1
    dense_keys = None
    if keys > grid.max_keys:
        coded.keys, dense_keys = _dense_codes(coded.keys)
        keys = len(dense_keys)
    pieces = []
    for low in range(0, max(keys, 1), grid.max_keys):
        piece_tiles = coded if keys <= grid.max_keys else coded.between(low, low + grid.max_keys)
        piece, code = _rows(table, piece_tiles, grid, first, stop, -1 if since is None else since)
        code = code + low if dense_keys is None else dense_keys[code + low]
        pieces.append(_with_keys(table, words, code, piece))
    return pl.concat(pieces)


@dataclass
class _Coded:
    """Tiles with keys and values encoded as positions in the sorted list of all values of the column.

    Attributes:
        tiles: the frames.
        keys: frame → (n,) codes of its keys, in which all key columns are combined.
        values: frame → all its values, and their (n,) codes; only of frames of texts, or of one row per value.
    """

    tiles: Tiles
    keys: dict[str, np.ndarray]
    values: dict[str, tuple[pl.Series, np.ndarray]]

    def between(self, low: int, stop: int) -> "_Coded":
        """The tiles of the keys with low ≤ code < stop, with ``low`` subtracted from their codes."""
        masks = {name: (code >= low) & (code < stop) for name, code in self.keys.items()}
        return _Coded(
            {name: frame.filter(pl.Series(masks[name])) for name, frame in self.tiles.items()},
            {name: code[masks[name]] - low for name, code in self.keys.items()},
            {name: (texts, value[masks[name]]) for name, (texts, value) in self.values.items()},
        )


def _coded(table: WindowedTable, tiles: Tiles) -> tuple[list[pl.Series], _Coded]:
    """Encodes tiles, columns in parallel; returns the values of each key column, and the encoded tiles."""
    columns = [[frame[key] for frame in tiles.values()] for key in table.keys]
    by_value = {f"values.{name}" for name in table.valued}
    with_values = [
        name
        for name, frame in tiles.items()
        if name in by_value or ("value" in frame.columns and frame["value"].dtype == pl.String)
    ]
    columns += [[tiles[name]["value"]] for name in with_values]
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        encoded = list(pool.map(encode, columns))
    of_keys, of_values = encoded[: len(table.keys)], encoded[len(table.keys) :]
    combined = {}
    for place, name in enumerate(tiles):
        code = of_keys[0][1][place]
        for words, codes in of_keys[1:]:
            code = code * max(len(words), 1) + codes[place]
        combined[name] = code
    values = {name: (words, codes[0]) for name, (words, codes) in zip(with_values, of_values, strict=True)}
    return [words for words, _ in of_keys], _Coded(tiles, combined, values)


def _dense_codes(codes: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Replaces codes by codes without gaps; returns them, and the original code of each."""
    distinct_codes = np.unique(np.concatenate(list(codes.values())))
    return {name: np.searchsorted(distinct_codes, code) for name, code in codes.items()}, distinct_codes


def _with_keys(table: WindowedTable, words: list[pl.Series], code: np.ndarray, piece: pl.DataFrame) -> pl.DataFrame:
    columns = []
    for key, texts in zip(reversed(table.keys), reversed(words), strict=True):
        size = max(len(texts), 1)
        columns.append(texts.gather(code % size).alias(key))
        code = code // size
    return pl.DataFrame(columns[::-1]).hstack(piece)


def _rows(
    table: WindowedTable, coded: _Coded, grid: Grid, first: int, stop: int, since: int
) -> tuple[pl.DataFrame, np.ndarray]:
    sums = _items(coded.tiles["sums"], coded.keys["sums"], grid, [])
    moments = _moments(table, sums, grid, first, stop, since)
    compute = _Compute(table, coded, sums, moments)
    columns: dict[str, pl.Series] = {}
    for name, feature in table.features.items():
        for window in table.windows_of(feature):
            series = compute(name, feature, window)
            fields = feature.fields(name, window.suffix, "String")
            columns.update({column: values for (column, _), values in zip(fields, series, strict=True)})
    times = {"event_timestamp": moments.at, "created_timestamp": np.maximum(moments.at, compute.late())}
    time_columns = [pl.Series(name, values).cast(MICROSECONDS_UTC) for name, values in times.items()]
    return pl.DataFrame([*time_columns, *(series.alias(name) for name, series in columns.items())]), moments.code


def _items(frame: pl.DataFrame, code: np.ndarray, grid: Grid, then_by: list[str]) -> Items:
    """Sorts tiles by key and time, then by further columns; a minus before a name sorts in descending order."""
    at = frame["at"].to_numpy()
    place = pl.DataFrame({"place": grid.place(code, at), **{name: frame[name.lstrip("-")] for name in then_by}})
    columns = ["place", *then_by]
    order = place.select(pl.arg_sort_by(columns, descending=[name.startswith("-") for name in columns])).to_series()
    index = order.to_numpy()
    full = [column for column in frame.get_columns() if not column.null_count()]
    numbers = {
        column.name: column.to_numpy()[index] for column in full if column.name != "at" and column.dtype.is_numeric()
    }
    nullable = {column.name: column.gather(order) for column in frame.get_columns() if column.null_count()}
    return Items(code[index], at[index], numbers, nullable, grid)


def _moments(table: WindowedTable, sums: Items, grid: Grid, first: int, stop: int, since: int) -> Rows:
    """Keys and moments at which a tile enters or leaves a window."""
    recent = sums.at >= since
    code, at = sums.code[recent], sums.at[recent]
    places = []
    for moment in (
        at - at % table.unit + table.unit,
        *(window.leaves(at) for window in table.spans if not window.is_lifetime),
    ):
        inside = (moment >= first) & (moment < stop)
        places.append(grid.place(code[inside], moment[inside]))
    all_places = np.concatenate(places)
    all_places.sort()
    return Rows(all_places[is_run_start(all_places)], grid)


class _Compute:
    """Computes the columns of features; intermediate results that several features need are cached."""

    def __init__(self, table: WindowedTable, coded: _Coded, sums: Items, rows: Rows) -> None:
        self._table, self._coded, self._sums, self._rows = table, coded, sums, rows
        self._items_cache: dict[str, Items] = {}
        self._valued_cache: dict[str, ValueTiles] = {}
        self._prefix_sums: dict[str, np.ndarray] = {}
        self._level_cache: dict[str, np.ndarray] = {}
        ratios = table.of_kind(Ratio).values()
        self._divided = {name for ratio in ratios for name in (ratio.numerator, ratio.denominator)}
        self._divided_cache: dict[tuple[str, str], list[pl.Series]] = {}

    def __call__(self, name: str, feature: Aggregate, window: Window) -> list[pl.Series]:
        """Computes the columns of a feature in a window."""
        method = getattr(self, f"_{_METHODS[type(feature)]}")
        if name not in self._divided:
            return method(name, feature, window)
        if (name, window.name) not in self._divided_cache:
            self._divided_cache[name, window.name] = method(name, feature, window)
        return self._divided_cache[name, window.name]

    def late(self) -> np.ndarray:
        """(rows,) newest created time of the late events in the row's longest window; 0 without late events."""
        late = np.flatnonzero(self._sums.columns["late"])
        if not len(late):
            return np.zeros(len(self._rows), np.int64)
        longest = max(self._table.spans, key=lambda window: (window.is_lifetime, window.width))
        if self._table.remembers:
            longest = Window("lifetime", 0, longest.hop)
        first, stop = self._rows.ranges(self._sums, longest)
        late_range = (np.searchsorted(late, first), np.searchsorted(late, stop))
        return extreme(self._sums.columns["late"][late], *late_range, of=np.maximum, empty=0)

    def _total(self, part: str, window: Window) -> np.ndarray:
        if part not in self._prefix_sums:
            self._prefix_sums[part] = prefix_sums(self._sums.columns[part])
        first, stop = self._rows.ranges(self._sums, window)
        return self._prefix_sums[part][stop] - self._prefix_sums[part][first]

    def _count(self, name: str, feature: Count, window: Window) -> list[pl.Series]:
        return [pl.Series(self._total("n", window))]

    def _count_if(self, name: str, feature: CountIf, window: Window) -> list[pl.Series]:
        return [pl.Series(self._total(f"{name}.true", window))]

    def _decoded(self, column: str | None, integers: np.ndarray) -> np.ndarray:
        """(rows,) values of a column from integers."""
        return self._table.enriched.decode(str(column), integers)

    def _value_total(self, feature: Aggregate, window: Window) -> np.ndarray:
        """(rows,) sums of the values of a number column, see ``wide``."""
        if self._table.enriched.is_wide(str(feature.of)):
            return self._wide_total(feature, wide.VALUE, window)
        return self._total(f"{feature.of}.sum", window)

    def _sum(self, name: str, feature: Sum, window: Window) -> list[pl.Series]:
        return [pl.Series(self._decoded(feature.of, wide.clipped(self._value_total(feature, window))))]

    def _mean(self, name: str, feature: Mean, window: Window) -> list[pl.Series]:
        n = self._total(f"{feature.of}.n", window)
        return [_where(n > 0, self._decoded(feature.of, wide.mean(n, self._value_total(feature, window))))]

    def _rate(self, name: str, feature: Rate, window: Window) -> list[pl.Series]:
        n = self._total("n", window)
        return [_where(n > 0, self._total(f"{name}.true", window) / np.maximum(n, 1))]

    def _ratio(self, name: str, feature: Ratio, window: Window) -> list[pl.Series]:
        parts = [self(part, self._table.features[part], window)[0] for part in (feature.numerator, feature.denominator)]
        return [_where(*divided(*(part.cast(pl.Float64).to_numpy() for part in parts)))]

    def _std(self, name: str, feature: Std, window: Window) -> list[pl.Series]:
        n, total = self._total(f"{feature.of}.n", window), self._value_total(feature, window)
        spread = wide.deviation(n, total, self._wide_total(feature, square_parts(self._table, str(feature.of)), window))
        return [_where(n > 0, self._decoded(feature.of, spread))]

    def _slope(self, name: str, feature: Slope, window: Window) -> list[pl.Series]:
        n, total = self._total(f"{feature.of}.n", window), self._value_total(feature, window)
        parts = wide.TIME, wide.TIME_SQUARE, wide.TIME_VALUE
        products = (self._wide_total(feature, names, window) for names in parts)
        is_valid, slope = wide.slope(n, total, *products)
        return [_where(is_valid, self._decoded(feature.of, slope))]

    def _quantile(self, name: str, feature: Quantile, window: Window) -> list[pl.Series]:
        items = self._integers(f"values.{bucket_column(str(feature.of))}", [])
        is_valid, bucket = quantile(items, self._rows, window, feature.q)
        return [_where(is_valid, self._decoded(feature.of, middles(bucket)))]

    def _wide_total(self, feature: Aggregate, parts: tuple[str, ...], window: Window) -> np.ndarray:
        return wide.total({part: self._total(f"{feature.of}.{part}", window) for part in parts}, parts)

    def _extreme(self, name: str, feature: Aggregate, window: Window) -> list[pl.Series]:
        part, of, empty = ("min", np.minimum, INT.max) if isinstance(feature, Min) else ("max", np.maximum, INT.min)
        column = f"{feature.of}.{part}"
        nullable = self._sums.nullable.get(column)
        values = self._sums.columns[column] if nullable is None else nullable.fill_null(empty).to_numpy()
        extremes = extreme(values, *self._rows.ranges(self._sums, window), of=of, empty=empty)
        is_wide = self._table.enriched.is_wide(str(feature.of))
        is_valid = self._total(f"{feature.of}.n", window) > 0 if is_wide else extremes != empty
        return [_where(is_valid, self._decoded(feature.of, extremes))]

    def _values(self, name: str, order: list[str]) -> tuple[Items, pl.Series]:
        """Sorted tiles of the values of a column, and the values that their codes stand for."""
        words, value = self._coded.values[name]
        if name not in self._items_cache:
            frame = self._coded.tiles[name].with_columns(value=pl.Series(value))
            self._items_cache[name] = _items(frame, self._coded.keys[name], self._rows.grid, order)
        return self._items_cache[name], words

    def _integers(self, name: str, order: list[str]) -> Items:
        """Sorted tiles of the values of a column without texts, which are integers."""
        if name not in self._items_cache:
            self._items_cache[name] = _items(self._coded.tiles[name], self._coded.keys[name], self._rows.grid, order)
        return self._items_cache[name]

    def _is_text(self, feature: Aggregate) -> bool:
        return self._table.enriched.holds_texts(str(feature.of))

    def _distinct(self, name: str, feature: Distinct, window: Window) -> list[pl.Series]:
        of = f"values.{feature.of}"
        if of not in self._valued_cache:
            code, (_, value) = self._coded.keys[of], self._coded.values[of]
            self._valued_cache[of] = ValueTiles.of(code, value, self._coded.tiles[of]["at"].to_numpy(), self._rows.grid)
        return [
            pl.Series(distinct(self._valued_cache[of], self._rows, window, feature.exact, lambda: self._levels_of(of)))
        ]

    def _levels_of(self, name: str) -> np.ndarray:
        if name not in self._level_cache:
            self._level_cache[name] = levels(self._coded.values[name][0].to_list())
        return self._level_cache[name]

    def _top_k(self, name: str, feature: TopK, window: Window) -> list[pl.Series]:
        items, words = self._values(f"values.{feature.of}", ["first", "value"])
        return self._lists(feature, top_k(items, self._rows, window, feature.k), words)

    def _first(self, name: str, feature: First, window: Window) -> list[pl.Series]:
        if not self._is_text(feature):
            items = self._integers(f"oldest.{feature.of}", [])
            first, stop = self._rows.ranges(items, window)
            return [self._numbers(feature, items.columns["value"], first, first < stop)]
        items, words = self._values(f"values.{feature.of}", ["first", "value"])
        first, stop = self._rows.ranges(items, window)
        return [_texts(words, items.columns["value"], first, first < stop)]

    def _last(self, name: str, feature: Last, window: Window) -> list[pl.Series]:
        if not self._is_text(feature):
            items = self._integers(f"events.{feature.of}", ["last", "-value"])
            first, stop = self._rows.ranges(items, window)
            return [self._numbers(feature, items.columns["value"], stop - 1, first < stop)]
        items, words = self._values(f"values.{feature.of}", ["first", "value"])
        lists = last_n_distinct(items, self._rows, window, 1)
        place = np.cumsum(lists.length) - 1
        return [_texts(words, lists.values, place, lists.length > 0)]

    def _previous(self, name: str, feature: Previous, window: Window) -> list[pl.Series]:
        items, words = self._newest_events(feature)
        lists = last_n(items, self._rows, window, 2)
        place, is_valid = np.cumsum(lists.length) - 1, lists.length == 2
        if words is None:
            return [self._numbers(feature, lists.values, place, is_valid)]
        return [_texts(words, lists.values, place, is_valid)]

    def _last_n(self, name: str, feature: LastN, window: Window) -> list[pl.Series]:
        if feature.distinct:
            items, words = self._values(f"values.{feature.of}", ["first", "value"])
            columns = self._lists(feature, last_n_distinct(items, self._rows, window, feature.n), words)
        else:
            items, texts = self._newest_events(feature)
            columns = self._lists(feature, last_n(items, self._rows, window, feature.n), texts)
        return columns if feature.times else columns[:1]

    def _newest_events(self, feature: Aggregate) -> tuple[Items, pl.Series | None]:
        """Sorted newest events of a column, and the texts that codes of their values stand for; None for integers."""
        name, order = f"events.{feature.of}", ["last", "-value"]
        return self._values(name, order) if self._is_text(feature) else (self._integers(name, order), None)

    def _lists(self, feature: Aggregate, lists: Lists, words: pl.Series | None) -> list[pl.Series]:
        """Lists of values, which are codes of ``words`` or integers, and of their numbers."""
        if words is None:
            values = pl.Series(self._decoded(feature.of, lists.values))
        else:
            values = words.gather(lists.values)
            if not self._is_text(feature):
                values = pl.Series(self._decoded(feature.of, values.to_numpy()))
        return _lists(lists, values)

    def _numbers(self, feature: Aggregate, values: np.ndarray, place: np.ndarray, is_valid: np.ndarray) -> pl.Series:
        return _where(is_valid, self._decoded(feature.of, _take(values, _within(values, place))))

    def _newest(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Position of each row's newest tile in the window, and whether there is one."""
        first, stop = self._rows.ranges(self._sums, window)
        return np.maximum(stop - 1, 0), first < stop

    def _time_since_last(self, name: str, feature: TimeSinceLast, window: Window) -> list[pl.Series]:
        place, has_tile = self._newest(window)
        return [_where(has_tile, _take(self._sums.columns["last"], place))]

    def _decayed_sum(self, name: str, feature: DecayedSum, window: Window) -> list[pl.Series]:
        place, has_tile = self._newest(window)
        last = self._sums.columns["last"]
        mass = decayed(self._sums.code, last, self._sums.columns[f"{name}.mass"], duration(feature.half_life))
        return [_where(has_tile, _take(mass, place)), _where(has_tile, _take(last, place))]


_METHODS: dict[type[Aggregate], str] = {
    Count: "count",
    CountIf: "count_if",
    DecayedSum: "decayed_sum",
    Distinct: "distinct",
    First: "first",
    Last: "last",
    LastN: "last_n",
    Max: "extreme",
    Mean: "mean",
    Min: "extreme",
    Previous: "previous",
    Quantile: "quantile",
    Rate: "rate",
    Ratio: "ratio",
    Slope: "slope",
    Std: "std",
    Sum: "sum",
    TimeSinceLast: "time_since_last",
    TopK: "top_k",
}


def divided(numerator: np.ndarray, denominator: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether (n,) ratios exist, and their values; NaN stands for what is missing. The same in every engine."""
    is_valid = ~np.isnan(numerator) & ~np.isnan(denominator) & (denominator != 0)
    return is_valid, np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=is_valid)


def _take(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    return values[place] if len(values) else np.zeros(len(place), values.dtype)


def _within(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Places moved into the array; those that were not in it are not valid."""
    return np.minimum(np.maximum(place, 0), max(len(values) - 1, 0))


def _where(is_valid: np.ndarray, values: np.ndarray) -> pl.Series:
    series = pl.Series(values)
    return series if is_valid.all() else series.zip_with(pl.Series(is_valid), pl.Series([None], dtype=series.dtype))


def _texts(words: pl.Series, values: np.ndarray, place: np.ndarray, is_valid: np.ndarray) -> pl.Series:
    return words.gather(_where(is_valid, _take(values, _within(values, place))))


def _lists(lists: Lists, values: pl.Series) -> list[pl.Series]:
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lists.length)]).astype(np.int64)
    elements = values.to_arrow(compat_level=pl.CompatLevel.oldest()), pa.array(lists.numbers)
    list_arrays = (pa.LargeListArray.from_arrays(offsets, array) for array in elements)
    return [pl.Series(pl.from_arrow(array)) for array in list_arrays]
