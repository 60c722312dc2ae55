"""Raw tables of random values, small enough to compute all features of in a second, and changes of their columns.

Keys are few, so that groups have several rows; times are random, so that no two events of a key coincide. Dates of
charts are weeks, and weeks of telemetry are long enough for baselines by hour of the week.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from feature_repo.home import Home
from transforms import parquet
from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.vocabulary.weights import shipped
from transforms.raw.declared import raw_tables
from transforms.raw.table import MICROSECONDS_UTC, RawTable

START = datetime(2026, 2, 2, tzinfo=UTC)
DAYS = 9
NOW = START + timedelta(days=DAYS + 30)
"""The moment of the build: all that happens in the data has left a window of 28 days by then."""
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000

Draw = Callable[[np.random.Generator, int], list]

TEXTS = (
    "A warm and wonderful record, I love every minute of it",
    "Terrible, boring and sad; what a waste of an evening",
    "Ein wunderbares Album, das man immer wieder hören möchte",
    "fuck this shit, the damn beat drops and everybody shouts",
    "I walk alone at night\nI hold the fading light\nI walk alone at night\nuntil the morning's bright",
    "la la la la la la\nla la la la la la\nanother word",
    "The river runs to the sea\nand nobody waits for me\nunder the old oak tree",
    "Cette chanson est vraiment magnifique et pleine de tristesse",
)
TITLES = ("Blue Night", "Blue Night (Live)", "Blue Nights", "River", "River - Remix", "Sad Song", "Summer Rain", "Rain")

CHARTS = ("hot100", "b200", "other")


def _of(*values: object) -> Draw:
    return lambda rng, count: [values[place] for place in rng.integers(0, len(values), count)]


def _ids(prefix: str, count: int) -> Draw:
    return _of(*(f"{prefix}{number}" for number in range(count)))


def _whole(low: int, high: int) -> Draw:
    return lambda rng, count: rng.integers(low, high, count).tolist()


def _numbers(low: float, high: float) -> Draw:
    return lambda rng, count: rng.uniform(low, high, count).tolist()


def _lists(length: int, low: float = 0.0, high: float = 1.0) -> Draw:
    return lambda rng, count: rng.uniform(low, high, (count, length)).astype(np.float32).tolist()


def _subsets(*values: str) -> Draw:
    return lambda rng, count: [[value for value in values if rng.random() < 0.5] for _ in range(count)]


def typical_sound() -> dict[str, np.ndarray]:
    """Features of a sound in the middle of those that the vocabulary was learned from, by their names.

    A sound unlike all of them gets no confidence, whatever else is changed.
    """
    weights = shipped()
    voice, music = weights["voice_mean"], weights["music_mean"]
    spread = music[19:39]
    slope = spread + voice[34:54]
    timbre = [
        *(voice[:7], [0.0], music[:19], voice[7:14]),
        *(np.exp(logs) for logs in (spread, slope, slope + voice[54:74])),
    ]
    names = ("key_confidence", "pulse_clarity", "tempo_confidence", "onset_rate", "dynamic_range")
    numbers = dict(zip(names, voice[74:79], strict=True))
    numbers["onset_rate"] = np.exp(numbers["onset_rate"])
    logs = dict(zip(("centroid", "bandwidth", "roll_off", "crossings"), music[39:43], strict=True))
    sound = {name: np.exp(value) for name, value in logs.items()} | numbers
    sound |= {"flatness": np.exp(voice[82]), "timbre": np.concatenate(timbre)}
    return {name: np.atleast_1d(values) for name, values in sound.items()} | {
        "chroma": np.linspace(0.2, 1.0, 12) * music[43] / 0.6,
        "tonnetz": np.full(6, voice[81] / 6**0.5),
    }


def _near(name: str) -> Draw:
    """Values near those of the typical sound: a list for its lists, else a number."""
    middle = typical_sound()[name]

    def draw(rng: np.random.Generator, count: int) -> list:
        values = middle * rng.uniform(0.8, 1.2, (count, len(middle)))
        return values.tolist() if len(middle) > 1 else values[:, 0].tolist()

    return draw


DRAWS: dict[str, Draw] = {
    "user_id": _ids("u", 4),
    "track_id": _of(*(f"{source}:t{number}" for source in "ab" for number in range(5))),
    "artist_id": _ids("r", 3),
    "artist_name": _of("The Rivers", "Rivers", "Moon", "Moon & Sun"),
    "name": _of("The Rivers", "Moon", "Sun"),
    "title": _of(*TITLES),
    "client_ip": _ids("10.0.0.", 3),
    "host_id": _ids("h", 2),
    "endpoint": _ids("/e", 2),
    "country": _of("US", "DE", "BR"),
    "gender": _of("female", "male", "other"),
    "plan": _of("free", "premium"),
    "birth_year": _whole(1950, 2005),
    "device": _of("phone", "tv", "car"),
    "context": _of("radio", "album", "search"),
    "ms_played": _whole(0, 80_000),
    "action": _of("click", "like", "dislike", "hide", "rate", "subscribe", "cancel", "purchase"),
    "rating": _whole(1, 6),
    "amount_cents": _whole(0, 2_000),
    "status": _of(200, 200, 404, 500),
    "latency_us": _whole(1_000, 2_000_000),
    "bytes": _whole(100, 90_000),
    "level": _of("info", "error", "crit"),
    "template": _ids("line ", 4),
    "genres": _subsets("pop", "rock", "jazz"),
    "regions": _subsets("US", "DE"),
    "released": lambda rng, count: [START - timedelta(days=int(days)) for days in rng.integers(0, 900, count)],
    "duration_ms": _whole(30_000, 300_000),
    "chart": _of(*CHARTS),
    "rank": _whole(1, 100),
    "entity": _of("track", "artist", "user"),
    "entity_id": _of("a:t0", "a:t1", "b:t3", "r0", "r1", "r2"),
    "kind": _of("review", "comment", "lyrics", "description"),
    "text": _of(*TEXTS),
    "tag": _of("sad", "happy", "wunderbar", "damn"),
    "content": _ids("c", 4),
    "key": _of(*CLASSES),
    "mode": _of("major", "minor"),
    "meter": _of(2, 3, 4, 5),
    "loudness": _numbers(-30, -3),
    "tempo": _numbers(60, 180),
    "seconds": _numbers(3, 30),
    "audio_analyses.level": _numbers(0.01, 0.5),
    "tonal_balance": _lists(9, -60, 0),
    "beats": _lists(5, 0, 10),
    "downbeats": _lists(3, 0, 10),
    **{name: _near(name) for name in typical_sound()},
    "cpu_permille": _whole(0, 1_000),
    "memory_permille": _whole(0, 1_000),
    "disk_permille": _whole(0, 1_000),
}
"""Column, or column of a table → how its values are drawn; other columns by their types."""

ROWS = {
    **{"plays": 120, "logins": 60, "requests": 260, "host_metrics": 260, "log_lines": 60, "feedback": 60, "texts": 60},
    **{"tracks": 40, "chart_entries": 90, "audio_analyses": 40, "audio_measurements": 60},
}
"""Raw table → number of rows; 24 of the others."""
NULLS = {"host_metrics": 0.9, "tracks.artist_name": 0.5}
"""Table, or column of a table → share of the values of an optional column that are missing; a tenth of the others.

Where most metrics are missing, hours differ in which of them have a baseline.
"""


def draw_world(seed: int) -> dict[str, pl.DataFrame]:
    """Draws the rows of all raw tables of the bundled definitions."""
    home = Home.from_env()
    return {
        name: draw_table(table, np.random.default_rng([seed, number]))
        for number, (name, table) in enumerate(raw_tables(home).items())
    }


def draw_table(table: RawTable, rng: np.random.Generator) -> pl.DataFrame:
    """Draws the rows of one raw table."""
    count = ROWS.get(table.name, 24)
    event = _times(table, rng, count)
    late = np.where(rng.random(count) < 0.3, rng.integers(0, 2 * DAY, count), 0)
    columns = {
        name: draw_column(table, name, rng, count)
        for name in table.columns
        if name not in ("event_timestamp", "created_timestamp")
    }
    rows = pl.DataFrame(
        {"event_timestamp": pl.Series(event), "created_timestamp": pl.Series(event + late), **columns}
    ).select(pl.col(name).cast(dtype) for name, dtype in table.columns.items())
    if table.name == "chart_entries":  # a title is on one chart alone
        rows = rows.with_columns(pl.col("chart").first().over("track_id"))
    return rows.unique(identity(table), keep="first", maintain_order=True)


def identity(table: RawTable) -> list[str]:
    """Columns that no two rows of a raw table share: its key and the time of the state."""
    return list(dict.fromkeys((*table.key, "event_timestamp")))


def draw_column(table: RawTable, name: str, rng: np.random.Generator, count: int) -> pl.Series:
    """Draws the values of one column that is no time."""
    dtype = table.columns[name]
    place = f"{table.name}.{name}"
    values = (DRAWS.get(place) or DRAWS.get(name) or _by_type(dtype))(rng, count)
    if name not in table.required:
        share = NULLS.get(place, NULLS.get(table.name, 0.1))
        values = [None if rng.random() < share else value for value in values]
    return pl.Series(name, values, dtype=dtype, strict=False)


def change(table: RawTable, rows: pl.DataFrame, name: str, how: str, rng: np.random.Generator) -> pl.DataFrame:
    """Returns rows with other values of one column, and the same keys as often as before: once.

    Args:
        table: the raw table.
        rows: its rows.
        name: the column.
        how: ``permute`` its values among the rows, ``draw`` a third of them anew, or set a third to ``null``. A time is
            moved: earlier when it happened, later when it was known.
        rng: random numbers.
    """
    before = rows[name]
    places = pl.Series(rng.random(rows.height) < 0.4)
    if name == "event_timestamp" and table.name == "chart_entries":
        moved = before - pl.Series(rng.integers(0, 3, rows.height) * 7 * DAY).cast(pl.Duration("us"))
    elif name == "chart":
        new = {track: CHARTS[int(rng.integers(len(CHARTS)))] for track in sorted(rows["track_id"].unique())}
        moved, places = rows["track_id"].replace_strict(new), pl.repeat(True, rows.height, eager=True)
    elif name in ("event_timestamp", "created_timestamp"):
        span = pl.Series(rng.integers(0, 2 * DAY, rows.height)).cast(pl.Duration("us"))
        moved = before - span if name == "event_timestamp" else before + span
    elif how == "permute":
        moved = before.gather(pl.Series(rng.permutation(rows.height)))
        places = pl.repeat(True, rows.height, eager=True)
    elif how == "draw":
        moved = draw_column(table, name, rng, rows.height)
    else:
        moved = pl.repeat(None, rows.height, dtype=before.dtype, eager=True)
    changed = rows.with_columns(pl.select(pl.when(places).then(moved).otherwise(before)).to_series().alias(name))
    for _ in range(5):  # what meets another row's key stays as it was
        meets = changed.select(pl.struct(identity(table)).is_duplicated()).to_series()
        if table.name == "chart_entries":
            meets |= changed.select(pl.col("chart").n_unique().over("track_id") > 1).to_series()
        if not meets.any():
            return changed
        column = pl.select(pl.when(meets).then(before).otherwise(changed[name])).to_series()
        changed = changed.with_columns(column.alias(name))
    return rows


def write_world(home: Home, tables: Mapping[str, pl.DataFrame]) -> None:
    """Writes raw tables as an import does: a file a day, or one if the table changes slowly."""
    for name, rows in tables.items():
        table, folder = raw_tables(home)[name], home.raw(name)
        if table.changes_slowly:
            parquet.write_whole(rows.sort(identity(table)), folder / parquet.PART)
            continue
        for (day,), part in rows.group_by(pl.col("event_timestamp").dt.date()):
            parquet.write_whole(part.sort("event_timestamp"), folder / f"date={day}" / parquet.PART)


def _times(table: RawTable, rng: np.random.Generator, count: int) -> np.ndarray:
    start = round(START.timestamp() * 1e6)
    if table.name == "chart_entries":
        return start - rng.integers(0, 56, count) * 7 * DAY
    if table.name in ("requests", "host_metrics"):  # of few hours of the day, so that weeks have the same hours
        return start - 20 * DAY + rng.integers(0, 28, count) * DAY + rng.integers(9 * HOUR, 12 * HOUR, count)
    return start + rng.integers(0, DAYS * DAY, count)


def _by_type(dtype: pl.DataType) -> Draw:
    if dtype == pl.Boolean():
        return _of(True, False)
    if dtype == pl.Int64():
        return _whole(0, 1_000)
    if dtype == pl.Float64():
        return _numbers(0, 1)
    if dtype == MICROSECONDS_UTC:
        return _of(START, NOW)
    return _subsets("x", "y") if isinstance(dtype, pl.List) else _ids("v", 5)


def step_functions(rows: pl.DataFrame, keys: list[str], features: list[str]) -> dict[str, str]:
    """Digest of each feature as a function of key and moment: what a look-up as of any moment answers.

    Rows that repeat the value before say nothing, nor do missing values at the beginning. Floats count to nine digits.
    """
    order = [*keys, "event_timestamp", "created_timestamp"]
    rows = rows.sort(order)
    digests = {}
    for name in features:
        value = pl.col(name)
        if rows[name].dtype.is_float():
            value = value.round_sig_figs(9)
        elif isinstance(rows[name].dtype, pl.List):
            value = value.cast(pl.List(pl.String)).list.join(" ", ignore_nulls=False)
        steps = rows.select(*order, value.alias("value"))
        before = pl.col("value").shift().over(keys, order_by=["event_timestamp", "created_timestamp"])
        steps = steps.filter(pl.col("value").ne_missing(before))
        digests[name] = steps.write_csv()
    return digests
