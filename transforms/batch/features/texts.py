"""What is written, as features of a track or an artist, as of midnight after each day on which something was."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.emotions import EMOTIONS
from transforms.batch.scored_texts import ScoredTexts
from transforms.raw.table import MICROSECONDS_UTC

DAY = 86_400_000_000
CHUNK = 100_000
"""Texts whose vectors are in memory at once; an artist with more has them all there."""
OPINIONS = ("review", "comment")
WHAT_IT_IS = ("title", "description", "tag")
OTHERS_WEIGHT = 0.25
"""Of lyrics and opinions in vector and topics, against what says what a track or artist is."""
_MEANS = {
    "sentiment": OPINIONS,
    **{f"emotion_{name}": (*OPINIONS, "lyrics") for name in EMOTIONS},
    "subjectivity": None,
}
"""Number → kinds of texts that it is a mean of; None for all."""
_OF_LYRICS = ("repetition", "rhyme_density", "vocabulary_richness")


@dataclass(frozen=True)
class Written:
    """Texts and what they are about.

    Attributes:
        rows: ``track_id`` and ``artist_id`` (one may be null), ``kind``, ``text``, both times.
        scored: what is said of each text.
    """

    rows: pl.DataFrame
    scored: ScoredTexts


def gather(texts: pl.DataFrame, tracks: pl.DataFrame, artists: pl.DataFrame, tags: pl.DataFrame) -> pl.DataFrame:
    """All that is written about tracks and artists: texts, titles, names, tags. See ``Written.rows``."""
    times = ("event_timestamp", "created_timestamp")
    of_track = tracks.sort("event_timestamp").unique("track_id", keep="last").select("track_id", "artist_id")
    about_tracks = (
        texts.filter(pl.col("entity") == "track")
        .rename({"entity_id": "track_id"})
        .join(of_track, on="track_id", how="left")
    )
    parts = [
        about_tracks,
        texts.filter(pl.col("entity") == "artist").with_columns(
            pl.lit(None, pl.String).alias("track_id"), pl.col("entity_id").alias("artist_id")
        ),
        tracks.with_columns(pl.lit("title").alias("kind"), pl.col("title").alias("text")),
        artists.with_columns(
            pl.lit("title").alias("kind"), pl.col("name").alias("text"), pl.lit(None, pl.String).alias("track_id")
        ),
        tags.with_columns(
            pl.lit("tag").alias("kind"), pl.col("tag").alias("text"), pl.lit(None, pl.String).alias("track_id")
        ),
    ]
    columns = ("track_id", "artist_id", "kind", "text", *times)
    return pl.concat([part.select(columns) for part in parts]).filter(pl.col("text").is_not_null())


def text_rows(written: Written, entity: str) -> pl.DataFrame:
    """One row an entity and day on which something was written: all of it until then.

    Args:
        written: texts.
        entity: ``track`` or ``artist``.
    """
    key = f"{entity}_id"
    rows = (
        written.rows.filter(pl.col(key).is_not_null())
        .with_columns(
            number=pl.col("text").replace_strict(
                list(written.scored.numbers), list(written.scored.numbers.values()), return_dtype=pl.Int64
            ),
            at=pl.col("event_timestamp").dt.timestamp("us"),
            known=pl.col("created_timestamp").dt.timestamp("us"),
        )
        .sort(key, "at", "known", "kind", "text")
    )
    keys = rows[key].to_numpy()
    begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, np.int64)
    frames, start = [], 0
    ends = [*begins[1:].tolist(), rows.height]
    for place, end in enumerate(ends):
        if end - start >= CHUNK or place == len(ends) - 1:
            frames.append(_chunk(rows[start:end], key, written.scored))
            start = end
    return pl.concat(frames) if frames else _chunk(rows, key, written.scored)


def _chunk(rows: pl.DataFrame, key: str, scored: ScoredTexts) -> pl.DataFrame:
    """Whole entities."""
    count = rows.height
    keys, day = rows[key].to_numpy(), rows["at"].to_numpy() // DAY
    begins = np.concatenate([[True], keys[1:] != keys[:-1]]) if count else np.zeros(0, bool)
    last = np.concatenate([(keys[1:] != keys[:-1]) | (day[1:] != day[:-1]), [True]]) if count else np.zeros(0, bool)
    number, kind = rows["number"].to_numpy(), rows["kind"].to_numpy()
    table = scored.table[number] if count else scored.table.clear()
    sums = _Sums(begins, last)
    found: dict[str, object] = {
        key: keys[last],
        "event_timestamp": pl.Series((day[last] + 1) * DAY, dtype=pl.Int64).cast(MICROSECONDS_UTC),
        "created_timestamp": pl.Series(
            np.maximum(sums.largest(rows["known"].to_numpy()), scored.known), dtype=pl.Int64
        ).cast(MICROSECONDS_UTC),
        "texts": sums.of(np.ones(count)).astype(np.int64),
        "opinions": sums.of(np.isin(kind, OPINIONS).astype(float)).astype(np.int64),
        "language": pl.Series(_languages(begins, table, last), dtype=pl.String),
    }
    for name, kinds in _MEANS.items():
        if name in table.columns:
            values = table[name].to_numpy().astype(float)
            counted = ~np.isnan(values) & (True if kinds is None else np.isin(kind, kinds))
            found[name] = _null(sums.mean(values, counted))
        else:
            found[name] = pl.Series([None] * int(last.sum()), dtype=pl.Float64)
    said, explicit = table["words"].to_numpy().astype(float), table["explicitness"].to_numpy().astype(float)
    found["explicitness"] = _null(sums.mean(np.nan_to_num(explicit), said > 0, weight=said))
    for name in _OF_LYRICS:
        found[name] = _null(sums.newest(table[name].to_numpy().astype(float), kind == "lyrics"))
    weight = np.where(np.isin(kind, WHAT_IT_IS), 1.0, OTHERS_WEIGHT)
    for name, matrix in (("topics", scored.topics), ("vector", scored.vectors)):
        if not matrix.shape[1]:
            found[name] = pl.Series([None] * int(last.sum()), dtype=pl.List(pl.Float32))
            continue
        values = matrix[number]
        known = ~np.isnan(values[:, 0])
        total = sums.of(np.where(known[:, None], np.nan_to_num(values) * weight[:, None], 0.0))
        norm = np.linalg.norm(total, axis=1) if name == "vector" else total.sum(axis=1)
        whole = (total / np.where(norm > 1e-9, norm, 1)[:, None]).astype(np.float32)
        lists = pl.Series(whole, dtype=pl.Array(pl.Float32, matrix.shape[1])).cast(pl.List(pl.Float32))
        nothing = sums.of(known.astype(float)) == 0
        found[name] = pl.select(pl.when(pl.Series(~nothing)).then(lists)).to_series()
    found["fit"] = pl.Series([scored.fit] * int(last.sum()), dtype=pl.Int64)
    return pl.DataFrame(found)


class _Sums:
    """Running sums within entities, at the last text of each day."""

    def __init__(self, begins: np.ndarray, last: np.ndarray) -> None:
        self._last = last
        self._first = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0)) if len(begins) else begins

    def of(self, values: np.ndarray) -> np.ndarray:
        """(days, …) sums of values (n, …)."""
        running = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0, dtype=np.float64)])
        places = np.flatnonzero(self._last)
        return running[places + 1] - running[self._first[places]]

    def mean(self, values: np.ndarray, counted: np.ndarray, weight: np.ndarray | float = 1.0) -> np.ndarray:
        """(days,) means of the values that count; NaN where none does."""
        weights = np.where(counted, weight, 0.0)
        total, count = self.of(np.where(counted, values, 0.0) * weights), self.of(weights)
        return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)

    def largest(self, values: np.ndarray) -> np.ndarray:
        """(days,) largest values so far; entities must not be large in number and value both (int64 is exact)."""
        found = np.empty(len(values), np.int64)
        best = 0
        for place, value in enumerate(values.tolist()):
            best = value if self._first[place] == place else max(best, value)
            found[place] = best
        return found[self._last]

    def newest(self, values: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """(days,) newest value that counts; NaN where none does."""
        place = np.where(counted, np.arange(len(values)), -1)
        newest = np.maximum.accumulate(place) if len(place) else place
        found = np.where(newest >= self._first, values[newest], np.nan)
        return found[self._last]


def _languages(begins: np.ndarray, table: pl.DataFrame, last: np.ndarray) -> list[str | None]:
    """Language of the most words so far; null where nothing tells."""
    found: list[str | None] = []
    counts: dict[str, int] = {}
    for begin, language, count, end in zip(begins, table["language"], table["words"], last, strict=True):
        if begin:
            counts = {}
        if language != "und":
            counts[language] = counts.get(language, 0) + count
        if end:
            found.append(max(counts, key=lambda code: (counts[code], code)) if counts else None)
    return found


def _null(values: np.ndarray) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)
