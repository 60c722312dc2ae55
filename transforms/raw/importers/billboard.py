"""Billboard's weekly charts (UT Data's collection): Hot 100 and Billboard 200, as Parquet or CSV.

A title on the Hot 100 is a track. An album on the Billboard 200 is a track too, with an identifier of its own. The
charts have no identifiers. They are made of the letters and digits of title and performer
(``bb:hot100:without-me:halsey``), because case and punctuation change from week to week. The performer before
"Featuring" is the artist. The created time of a chart is its date.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from feature_repo.encryption import parquet_files
from transforms.raw.importers.format import Format
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC

CHARTS = {"hot100": "hot100", "hot-100": "hot100", "b200": "b200", "billboard200": "b200", "billboard-200": "b200"}
"""Prefix of a file's stem → chart."""

_NAMES = {
    "chart_week": "chart_date",
    "current_week": "rank",
    "peak_pos": "peak",
    "wks_on_chart": "weeks_on_chart",
}
"""Column of the CSV files → column of the Parquet files."""
_NUMBERS = ("rank", "last_week", "peak", "weeks_on_chart")
_BATCH = 200_000


def read(path: Path) -> Iterator[Batch]:
    """Yield artists and titles, then the weekly entries, chart after chart."""
    BILLBOARD.check(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    charts = [(chart, file) for file in files if (chart := _chart(file))]
    if not charts:
        raise BILLBOARD.mismatch(f"no {' or '.join(sorted(set(CHARTS.values())))} in {path}")
    tables = [_table(chart, file) for chart, file in charts]
    total = sum(table.height for table in tables)
    done = 0
    for table in tables:
        by_time = table.sort("event_timestamp", "rank")
        yield Batch(
            "artists",
            by_time.group_by("artist_id", maintain_order=True).agg(
                pl.col("artist_name").first().alias("name"), pl.col("event_timestamp").first()
            ),
            total=total,
        )
        yield Batch(
            "tracks",
            by_time.group_by("track_id", maintain_order=True).agg(
                pl.col("title", "artist_id", "artist_name", "event_timestamp").first()
            ),
            total=total,
        )
        for start in range(0, table.height, _BATCH):
            rows = table.slice(start, _BATCH)
            done += rows.height
            yield Batch("chart_entries", rows, done=done, total=total)


def _chart(file: Path) -> str | None:
    if file.suffix not in (".parquet", ".csv"):
        return None
    stem = file.stem.lower().replace("_", "-")
    return next((chart for begin, chart in CHARTS.items() if stem.startswith(begin)), None)


def _table(chart: str, file: Path) -> pl.DataFrame:
    try:
        rows = (
            parquet_files.read(file) if file.suffix == ".parquet" else pl.read_csv(file, infer_schema=False, glob=False)
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BILLBOARD.mismatch(f"{file}: {str(error).splitlines()[0]}") from error
    rows = rows.rename({old: new for old, new in _NAMES.items() if old in rows.columns})
    absent = [name for name in ("chart_date", "title", "performer", *_NUMBERS) if name not in rows.columns]
    if absent:
        raise BILLBOARD.mismatch(f"no column {absent} in {file}, but {rows.columns}")
    artist = pl.col("performer").str.replace(r"(?i)\s+(featuring|feat\.?|ft\.?|with)\s.*$", "")
    date = pl.col("chart_date").cast(pl.String).str.to_date(strict=False)
    return rows.select(
        pl.lit(chart).alias("chart"),
        pl.format("bb:{}:{}:{}", pl.lit(chart), _slug(pl.col("title")), _slug(artist)).alias("track_id"),
        pl.format("bb:{}", _slug(artist)).alias("artist_id"),
        "title",
        artist.alias("artist_name"),
        date.cast(MICROSECONDS_UTC).alias("event_timestamp"),
        *(pl.col(name).cast(pl.Int64, strict=False) for name in _NUMBERS),
    )


def _slug(text: pl.Expr) -> pl.Expr:
    """Letters and digits in lower case with - between words; the stripped text if it has none."""
    words = text.str.to_lowercase().str.replace_all("['’`]", "").str.replace_all(r"[^\p{L}\p{N}]+", "-")
    slug = words.str.strip_chars("-")
    return pl.when(slug == "").then(text.str.strip_chars()).otherwise(slug)


BILLBOARD = Format("billboard", "a file, or a folder with files, named hot100… or b200… (.parquet or .csv)", read)
