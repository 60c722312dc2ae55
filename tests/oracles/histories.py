"""Random histories and spines with many edge cases, for comparison with the oracle.

Each view has its own history. Keys: none, one or several, with null parts. Times: ties of event and created time, null
created times, any unit down to the nanosecond, any zone, the years 1 to 9999. Files: one file, a folder, days or keys
in the paths, other column types, missing features, columns of nulls. Names: names that differ only in case, names that
the engine uses itself, other names in the files. Views may have a ttl. A spine has moments at and around these times.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Array, Bool, Float32, Float64, Int64, String, UnixTimestamp

from tests.oracles.point_in_time import Row, as_of

HOUR, DAY = 3_600_000_000, 86_400_000_000
YEAR_1, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
"""First and last microsecond of the calendar, since 1970."""

MARCH_2026 = 1_772_366_400_000_000

_KEYS: dict[str, tuple[Any, list[Any]]] = {
    "user_id": (String, ["ann", "bob", "007", "7", "", "Ann", "ö ü/x", "a=b", *(f"u{n}" for n in range(300))]),
    "artist_id": (String, ["1", "11", "111", "x"]),
    "number": (Int64, [0, 7, -1, 2**62, *range(100, 140)]),
}
_NAMES = ["ph", "pH", "User_ID", "row", "code", "newest", "key 0", "event", "a.b", 'q"q', "refrain_row", "sp ace", "ä"]
_SCALES = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 1}
_ZONES = ["UTC", "UTC", "UTC", None, "Asia/Tokyo", "America/New_York", "+05:30", "-03:00"]


def _is_whole(values: Sequence[Any]) -> bool:
    return all(value is None or value == int(value) for value in values)


def _list_of(dtype: pa.DataType) -> Callable[[Sequence[Any]], pa.Array]:
    return lambda values: pa.array(values, dtype)


def _dictionary(values: Sequence[Any]) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


def _decimal(dtype: pa.DataType) -> Callable[[Sequence[Any]], pa.Array]:
    return lambda values: pa.array([None if v is None else Decimal(str(v)) for v in values], dtype)


def _times(unit: str, zone: str | None) -> Callable[[Sequence[Any]], pa.Array]:
    scale = 1 if unit == "us" else 1_000_000
    return lambda values: pa.array([None if v is None else v // scale for v in values], pa.int64()).cast(
        pa.timestamp(unit, zone)
    )


@dataclass(frozen=True)
class _Kind:
    """A feature type of Feast, values of this type, and the Arrow forms in which a file may hold them.

    Attributes:
        without_nulls: index of the first form that cannot hold nulls: Arrow cannot read fixed-size lists with nulls.
    """

    dtype: Any
    values: Sequence[Any]
    forms: Sequence[Callable[[Sequence[Any]], pa.Array]]
    without_nulls: int | None = None


_KINDS = (
    _Kind(Int64, range(100), [_list_of(t) for t in (pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.float64())]),
    _Kind(Int64, [2**62 + 1, -(2**62), 5], [_list_of(pa.int64())]),
    _Kind(
        Float64,
        [n / 2 for n in range(-20, 20)],
        [_list_of(pa.float32()), _list_of(pa.float64()), _decimal(pa.decimal128(6, 1)), _decimal(pa.decimal128(9, 3))],
    ),
    _Kind(String, ["", "a", "ä", "x" * 30], [_list_of(pa.string()), _list_of(pa.large_string()), _dictionary]),
    _Kind(Bool, [True, False], [_list_of(pa.bool_())]),
    _Kind(
        Array(Float32),
        [[0.5, -1.0], [2.0, 3.0]],
        [_list_of(t) for t in (pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2))],
        without_nulls=2,
    ),
    _Kind(
        UnixTimestamp,
        [MARCH_2026 + n * 1_000_000 for n in range(50)],
        [_times(unit, zone) for unit, zone in (("us", "UTC"), ("s", "UTC"), ("us", "Asia/Tokyo"), ("s", "+05:30"))],
    ),
)


@dataclass(frozen=True)
class MadeView:
    """A view and its rows as input for the oracle: times in microseconds, in the order of the files."""

    view: FeatureView
    keys: tuple[str, ...]
    features: tuple[str, ...]
    rows: Mapping[tuple, Sequence[Row]]
    ttl: int | None
    path: Path

    def expected_row(
        self, key: tuple, moment: int | None, *, as_known: bool = False, ttl: int | None = None
    ) -> Row | None:
        """Returns the row that the oracle finds. It searches only the rows of the key, for speed."""
        if None in key:
            return None
        rows = self.rows.get(key, ())
        key_values = dict(zip(self.keys, key, strict=True))
        return as_of(rows, key_values, moment, ttl=self.ttl if ttl is None else ttl, as_known=as_known)


@dataclass(frozen=True)
class MadeSpine:
    """A spine and its rows as input for the oracle."""

    table: pa.Table
    keys: Mapping[str, Sequence[Any]]
    moments: Sequence[int | None]


@dataclass(frozen=True)
class MadeWorld:
    """Entities, views over one time span, and a spine.

    Attributes:
        first: first microsecond of the span.
        last: last microsecond of the span.
    """

    entities: Sequence[Entity]
    views: Sequence[MadeView]
    spine: MadeSpine
    first: int
    last: int


def make_world(random: np.random.Generator, folder: Path, *, spine_rows: int) -> MadeWorld:
    """Makes a world and writes its tables to a folder."""
    first, last = _time_span(random)
    views = [_make_view(random, folder, f"v{number}", first, last) for number in range(int(random.integers(1, 4)))]
    event_times = [row["event_timestamp"] for view in views for rows in view.rows.values() for row in rows]
    entities = [
        Entity(
            name=f"{key}_entity", join_keys=[key], value_type=ValueType.INT64 if dtype == Int64 else ValueType.STRING
        )
        for key, (dtype, _) in _KEYS.items()
    ]
    return MadeWorld(entities, views, _make_spine(random, spine_rows, event_times, first, last), first, last)


def _time_span(random: np.random.Generator) -> tuple[int, int]:
    return [
        (MARCH_2026, MARCH_2026 + 4 * DAY),
        (MARCH_2026, MARCH_2026 + 20),
        (-5 * DAY, 5 * DAY),
        (YEAR_1, YEAR_1 + 3 * DAY),
        (YEAR_9999 - 3 * DAY, YEAR_9999),
        (YEAR_1, YEAR_9999),
    ][random.choice(6, p=[0.5, 0.15, 0.1, 0.05, 0.1, 0.1])]


def _pick(random: np.random.Generator, values: Sequence[Any], size: int, null_share: float = 0.0) -> list[Any]:
    positions, is_null = random.integers(0, len(values), size), random.random(size) < null_share
    return [
        None if is_missing else values[position]
        for position, is_missing in zip(positions.tolist(), is_null.tolist(), strict=True)
    ]


def _null_share(random: np.random.Generator) -> float:
    """Draws a share of nulls: none, few, many or all."""
    return float(random.choice([0.0, 0.02, 0.3, 0.9, 1.0], p=[0.5, 0.2, 0.15, 0.1, 0.05]))


def _make_view(random: np.random.Generator, folder: Path, name: str, first: int, last: int) -> MadeView:
    keys = tuple(sorted(random.permutation(sorted(_KEYS))[: random.integers(0, 4)].tolist()))
    size = int(random.choice([0, 1, 30, 1500], p=[0.03, 0.05, 0.22, 0.7]))
    has_few_keys = random.random() < 0.5
    pools = {key: _KEYS[key][1][: int(random.integers(1, 8))] if has_few_keys else _KEYS[key][1] for key in keys}
    size = min(size, 12 * int(np.prod([len(pool) for pool in pools.values()])))  # the oracle scans all rows of a key
    columns: dict[str, list[Any]] = {
        key: _pick(random, pool, size, _null_share(random) / 2) for key, pool in pools.items()
    }
    steps = int(random.choice([3, 50, 10**9]))
    step = max((last - first) // steps, 1)
    events = first + random.integers(0, (last - first) // step + 1, size) * step
    delay = random.choice([0, 1, 7, HOUR, DAY], size)
    created = np.minimum(events + delay, YEAR_9999)
    is_unknown = random.random(size) < _null_share(random)
    has_created = random.random() < 0.75
    count = int(random.integers(1, 5))
    names = [str(name) for name in random.permutation(_NAMES)[:count]]
    kinds = [_KINDS[position] for position in random.integers(0, len(_KINDS), count)]
    for feature, kind in zip(names, kinds, strict=True):
        columns[feature] = _pick(random, kind.values, size, _null_share(random))
    layout = str(random.choice(["file", "folder", "day", "key"], p=[0.3, 0.4, 0.15, 0.15]))
    in_path = next((key for key in keys if "" not in columns[key]), None) if layout == "key" and size else None
    renamed = {
        field: f"{field} in files"
        for field in (*keys, *names, "event_timestamp")
        if field != in_path and random.random() < 0.15
    }
    root = folder / name
    path = root.with_suffix(".parquet") if layout == "file" else root
    order, events, created = _write(
        random, path, layout, in_path, columns, dict(zip(names, kinds, strict=True)), keys, renamed,
        (events, created if has_created else None, is_unknown), (first, last),
    )  # fmt: skip
    rows: dict[tuple, list[dict[str, Any]]] = {}
    for position in order:
        row = {column: values[position] for column, values in columns.items()}
        row["event_timestamp"] = int(events[position])
        if has_created:
            row["created_timestamp"] = None if is_unknown[position] else int(created[position])
        rows.setdefault(tuple(row[key] for key in keys), []).append(row)
    ttl = int(random.choice([0, 1, 30 * HOUR, 400 * DAY], p=[0.6, 0.1, 0.2, 0.1]))
    source = FileSource(
        name=f"{name}_source",
        path=str(path),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp" if has_created else "",
        field_mapping={old: new for new, old in renamed.items()} or None,
    )
    view = FeatureView(
        name=name,
        entities=[
            Entity(
                name=f"{key}_entity",
                join_keys=[key],
                value_type=ValueType.INT64 if key == "number" else ValueType.STRING,
            )
            for key in keys
        ],
        schema=[
            *(Field(name=key, dtype=_KEYS[key][0]) for key in keys),
            *(Field(name=feature, dtype=kind.dtype) for feature, kind in zip(names, kinds, strict=True)),
        ],
        source=source,
        ttl=timedelta(microseconds=ttl),
    )
    return MadeView(view, keys, tuple(names), rows, ttl or None, path)


def _write(
    random: np.random.Generator,
    path: Path,
    layout: str,
    in_path: str | None,
    columns: Mapping[str, Sequence[Any]],
    kinds: Mapping[str, _Kind],
    keys: Sequence[str],
    renamed: Mapping[str, str],
    times: tuple[np.ndarray, np.ndarray | None, np.ndarray],
    span: tuple[int, int],
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Writes the files. Returns the rows in file order, and their times in the precision of the files."""
    events, created, is_unknown = times
    created = None if created is None else created.copy()
    events = events.copy()
    files = _rows_by_file(random, path, layout, in_path, columns, events)
    fits_ns = span[0] > -(2**63) // 1000 and span[1] < 2**63 // 1000
    for target, positions in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        table: dict[str, pa.Array] = {}
        zone = str(random.choice([str(zone) for zone in _ZONES]))
        for name, values in (("event_timestamp", events), ("created_timestamp", created)):
            if values is None:
                continue
            unit = str(random.choice(["us", "us", "ns", "ms", "s"]))
            unit = "us" if unit == "ns" and not fits_ns else unit
            values[positions] = values[positions] // _SCALES[unit] * _SCALES[unit]
            mask = None if name == "event_timestamp" else is_unknown[positions]
            table[renamed.get(name, name)] = _instants(random, values[positions], unit, zone, mask)
        for key in keys:
            if key != in_path:
                dtype = pa.int64() if key == "number" else pa.string()
                encoded = pa.array([columns[key][position] for position in positions], dtype)
                is_category = key != "number" and random.random() < 0.3
                table[renamed.get(key, key)] = encoded.dictionary_encode() if is_category else encoded
        for feature, kind in kinds.items():
            values = [columns[feature][position] for position in positions]
            if all(value is None for value in values) and target != next(reversed(files)) and random.random() < 0.5:
                if random.random() < 0.5:  # a feature that was added later
                    table[renamed.get(feature, feature)] = pa.nulls(len(positions))
                continue
            forms = kind.forms if None not in values else kind.forms[: kind.without_nulls]
            form = forms[random.integers(0, len(forms))]
            table[renamed.get(feature, feature)] = form(values)
        if random.random() < 0.2:
            table["unused"] = pa.array([0] * len(positions), pa.int64()).cast(pa.timestamp("us", "+05:30"))
        order = random.permutation(list(table)).tolist()
        pq.write_table(pa.table({name: table[name] for name in order}), target, row_group_size=200)
    files_in_order = sorted(sorted(files), key=lambda file: file.name.startswith("pushed-"))
    return (
        [position for file in files_in_order for position in files[file]],
        events,
        created if created is not None else events,
    )


def _rows_by_file(
    random: np.random.Generator,
    path: Path,
    layout: str,
    in_path: str | None,
    columns: Mapping[str, Sequence[Any]],
    events: np.ndarray,
) -> dict[Path, list[int]]:
    """Returns the row numbers of each file."""
    files: dict[Path, list[int]] = {}
    count, size = 1 if layout == "file" else int(random.integers(1, 6)), len(events)
    part_of_row = np.sort(random.integers(0, count, size)).tolist() if size else []
    for row, part in enumerate(part_of_row):
        name = f"part-{part:03}.parquet"
        if layout == "file":
            target = path
        elif layout == "day":
            target = path / f"date={_datetime(int(events[row]) // DAY * DAY):%Y-%m-%d}" / name
        elif in_path:
            target = path / f"{in_path}={_text_in_path(columns[in_path][row], padded=part % 2 == 1)}" / name
        else:
            target = path / (f"pushed-{name}" if part % 3 == 2 else name)
        files.setdefault(target, []).append(row)
    return files or {path if layout == "file" else path / "part-000.parquet": []}


def _text_in_path(value: Any, *, padded: bool) -> str:
    if value is None:
        return "__HIVE_DEFAULT_PARTITION__"
    return f"00{value}" if padded and isinstance(value, int) and value >= 0 else quote(str(value), safe="")


def _datetime(microseconds: int) -> datetime:
    return datetime(1, 1, 1) + timedelta(microseconds=microseconds - YEAR_1)


def _instants(
    random: np.random.Generator, values: np.ndarray, unit: str, zone: str, is_null: np.ndarray | None
) -> pa.Array:
    ticks = values * 1000 + random.integers(0, 1000, len(values)) if unit == "ns" else values // _SCALES[unit]
    mask = None if is_null is None else np.asarray(is_null, dtype=bool)
    return pa.array(ticks, pa.int64(), mask=mask).cast(pa.timestamp(unit, None if zone == "None" else zone))


def _make_spine(random: np.random.Generator, size: int, event_times: Sequence[int], first: int, last: int) -> MadeSpine:
    keys = {key: _pick(random, [*pool, "nobody" if dtype == String else 999], size, _null_share(random) / 3)
            for key, (dtype, pool) in _KEYS.items()}  # fmt: skip
    if random.random() < 0.3:  # few keys with many moments, which cover their whole histories
        keys = {key: _pick(random, pool[:2], size, 0.05) for key, (_, pool) in _KEYS.items()}
    base = np.array(event_times or [first], dtype=np.int64)[random.integers(0, max(len(event_times), 1), size)]
    moments = np.clip(base + random.choice([-1, 0, 0, 1, HOUR, -DAY, 3 * DAY], size), YEAR_1, YEAR_9999)
    unit = str(random.choice(["us", "us", "ns", "ms", "s"]))
    fits_ns = first > -(2**63) // 1000 and last < 2**63 // 1000
    unit = "us" if unit == "ns" and not fits_ns else unit
    moments = moments // _SCALES[unit] * _SCALES[unit]
    is_null = random.random(size) < _null_share(random) / 2
    has_keys_without_moment = random.random() < 0.5
    if has_keys_without_moment and size:  # keys with only null moments, sorted before, after and between the other keys
        keys_without_moment = {"aaron", "mia", "zoe"}
        positions = random.integers(0, size, 5)
        for position in positions.tolist():
            keys["user_id"][position] = sorted(keys_without_moment)[int(random.integers(0, 3))]
            is_null[position] = True
    zone = str(random.choice([str(zone) for zone in _ZONES[:-2]]))
    table = pa.table(
        {
            **{key: pa.array(values, pa.int64() if key == "number" else pa.string()) for key, values in keys.items()},
            "event_timestamp": _instants(random, moments, unit, zone, is_null),
            "row of the spine": np.arange(size),
        }
    )
    spine_moments = [
        None if is_missing else int(moment)
        for moment, is_missing in zip(moments.tolist(), is_null.tolist(), strict=True)
    ]
    return MadeSpine(table, keys, spine_moments)
