"""Features of the texts about a track or an artist, as of the midnight after each day with new texts."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.emotions import EMOTIONS
from transforms.batch.scored_texts import ScoredTexts
from transforms.raw.table import MICROSECONDS_UTC

DAY = 86_400_000_000
CHUNK = 100_000
"""Texts whose vectors are in memory at once; the texts of one artist are always together."""
OPINIONS = ("review", "comment")
WHAT_IT_IS = ("title", "description", "tag")
OTHERS_WEIGHT = 0.25
"""Weight of lyrics and opinions in vector and topics; texts of the kinds ``WHAT_IT_IS`` have weight 1."""
_MEANS = {
    "sentiment": OPINIONS,
    **{f"emotion_{name}": (*OPINIONS, "lyrics") for name in EMOTIONS},
    "subjectivity": None,
}
"""Score → kinds of texts whose mean is the feature; None for all kinds."""
_LYRICS_SCORES = ("repetition", "rhyme_density", "vocabulary_richness")


@dataclass(frozen=True)
class Written:
    """Texts about tracks and artists, with their scores.

    Attributes:
        rows: ``track_id`` and ``artist_id`` (one may be null), ``kind``, ``text``, and both times.
        scored: scores of the distinct texts.
    """

    rows: pl.DataFrame
    scored: ScoredTexts


def gather(texts: pl.DataFrame, tracks: pl.DataFrame, artists: pl.DataFrame, tags: pl.DataFrame) -> pl.DataFrame:
    """Collects all texts about tracks and artists: texts, titles, names and tags. See ``Written.rows``."""
    times = ("event_timestamp", "created_timestamp")
    artist_by_track = tracks.sort("event_timestamp").unique("track_id", keep="last").select("track_id", "artist_id")
    about_tracks = (
        texts.filter(pl.col("entity") == "track")
        .rename({"entity_id": "track_id"})
        .join(artist_by_track, on="track_id", how="left")
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
    """Computes one row for each entity and day with new texts, from all its texts up to then.

    Args:
        written: the texts with their scores.
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
            created=pl.col("created_timestamp").dt.timestamp("us"),
        )
        .sort(key, "at", "created", "kind", "text")
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
    """Computes the rows of some entities from all their texts."""
    count = rows.height
    keys, day = rows[key].to_numpy(), rows["at"].to_numpy() // DAY
    begins = np.concatenate([[True], keys[1:] != keys[:-1]]) if count else np.zeros(0, bool)
    last = np.concatenate([(keys[1:] != keys[:-1]) | (day[1:] != day[:-1]), [True]]) if count else np.zeros(0, bool)
    number, kind = rows["number"].to_numpy(), rows["kind"].to_numpy()
    table = scored.table[number] if count else scored.table.clear()
    sums = _Sums(begins, last)
    columns: dict[str, object] = {
        key: keys[last],
        "event_timestamp": pl.Series((day[last] + 1) * DAY, dtype=pl.Int64).cast(MICROSECONDS_UTC),
        "created_timestamp": pl.Series(
            np.maximum(sums.maxima(rows["created"].to_numpy()), scored.known), dtype=pl.Int64
        ).cast(MICROSECONDS_UTC),
        "texts": sums.totals(np.ones(count)).astype(np.int64),
        "opinions": sums.totals(np.isin(kind, OPINIONS).astype(float)).astype(np.int64),
        "language": pl.Series(_languages(begins, table, last), dtype=pl.String),
    }
    for name, kinds in _MEANS.items():
        if name in table.columns:
            values = table[name].to_numpy().astype(float)
            is_counted = ~np.isnan(values) & (True if kinds is None else np.isin(kind, kinds))
            columns[name] = _null(sums.mean(values, is_counted))
        else:
            columns[name] = pl.Series([None] * int(last.sum()), dtype=pl.Float64)
    words, explicit = table["words"].to_numpy().astype(float), table["explicitness"].to_numpy().astype(float)
    columns["explicitness"] = _null(sums.mean(np.nan_to_num(explicit), words > 0, weight=words))
    for name in _LYRICS_SCORES:
        columns[name] = _null(sums.newest(table[name].to_numpy().astype(float), kind == "lyrics"))
    weight = np.where(np.isin(kind, WHAT_IT_IS), 1.0, OTHERS_WEIGHT)
    for name, matrix in (("topics", scored.topics), ("vector", scored.vectors)):
        if not matrix.shape[1]:
            columns[name] = pl.Series([None] * int(last.sum()), dtype=pl.List(pl.Float32))
            continue
        values = matrix[number]
        has_vector = ~np.isnan(values[:, 0])
        total = sums.totals(np.where(has_vector[:, None], np.nan_to_num(values) * weight[:, None], 0.0))
        norm = np.linalg.norm(total, axis=1) if name == "vector" else total.sum(axis=1)
        normalized = (total / np.where(norm > 1e-9, norm, 1)[:, None]).astype(np.float32)
        lists = pl.Series(normalized, dtype=pl.Array(pl.Float32, matrix.shape[1])).cast(pl.List(pl.Float32))
        is_empty = sums.totals(has_vector.astype(float)) == 0
        columns[name] = pl.select(pl.when(pl.Series(~is_empty)).then(lists)).to_series()
    columns["fit"] = pl.Series([scored.fit] * int(last.sum()), dtype=pl.Int64)
    return pl.DataFrame(columns)


class _Sums:
    """Running sums within entities, at the last text of each day."""

    def __init__(self, begins: np.ndarray, last: np.ndarray) -> None:
        self._last = last
        self._first = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0)) if len(begins) else begins

    def totals(self, values: np.ndarray) -> np.ndarray:
        """(days, …) sums of (n, …) values up to each day."""
        running = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0, dtype=np.float64)])
        places = np.flatnonzero(self._last)
        return running[places + 1] - running[self._first[places]]

    def mean(self, values: np.ndarray, is_counted: np.ndarray, weight: np.ndarray | float = 1.0) -> np.ndarray:
        """(days,) weighted means of the counted values up to each day; NaN without any."""
        weights = np.where(is_counted, weight, 0.0)
        total, count = self.totals(np.where(is_counted, values, 0.0) * weights), self.totals(weights)
        return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)

    def maxima(self, values: np.ndarray) -> np.ndarray:
        """(days,) largest value up to each day, exact for int64."""
        maxima = np.empty(len(values), np.int64)
        maximum = 0
        for place, value in enumerate(values.tolist()):
            maximum = value if self._first[place] == place else max(maximum, value)
            maxima[place] = maximum
        return maxima[self._last]

    def newest(self, values: np.ndarray, is_counted: np.ndarray) -> np.ndarray:
        """(days,) newest counted value up to each day; NaN without any."""
        place = np.where(is_counted, np.arange(len(values)), -1)
        newest_place = np.maximum.accumulate(place) if len(place) else place
        values_then = np.where(newest_place >= self._first, values[newest_place], np.nan)
        return values_then[self._last]


def _languages(begins: np.ndarray, table: pl.DataFrame, last: np.ndarray) -> list[str | None]:
    """Language of the most words up to each day; null if no text has a language."""
    languages: list[str | None] = []
    counts: dict[str, int] = {}
    for begin, language, count, end in zip(begins, table["language"], table["words"], last, strict=True):
        if begin:
            counts = {}
        if language != "und":
            counts[language] = counts.get(language, 0) + count
        if end:
            languages.append(max(counts, key=lambda code: (counts[code], code)) if counts else None)
    return languages


def _null(values: np.ndarray) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)
