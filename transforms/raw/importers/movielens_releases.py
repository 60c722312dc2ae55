"""MovieLens since 1M: ``ratings``, ``movies``, ``tags`` and ``links``, as CSV or between ``::``.

Listeners are dated by their first rating; films, as a catalogue, by the opening of MovieLens. The year of a
film is the one in its title; ids elsewhere go to ``track_links``, tags to ``track_tags``. Ages (in ranges), occupations
and zip codes of 1M are not read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.rows import Malformed, frame
from transforms.raw.files.streams import plain_name
from transforms.raw.files.table import Table
from transforms.raw.files.text import recognize
from transforms.raw.importers.format import LAST_SECOND
from transforms.raw.importers.listening import played_batches
from transforms.raw.importers.movielens_100k import SKIPPED_UP_TO_STARS
from transforms.raw.importers.service_tables import UNSTORED, part_refused
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.validate import QUARANTINE

FILES = tuple(
    f"{name}.{ending}" for name in ("ratings", "movies", "users", "tags", "links") for ending in ("csv", "dat")
)

_COLUMNS = {
    "ratings": ["userId", "movieId", "rating", "timestamp"],
    "movies": ["movieId", "title", "genres"],
    "users": ["userId", "gender", "age", "occupation", "zip"],
    "tags": ["userId", "movieId", "tag", "timestamp"],
    "links": ["movieId", "imdbId", "tmdbId"],
}
_SITES = {"imdbId": "imdb", "tmdbId": "tmdb"}
_RELEASE = re.compile(r"ml-[a-z0-9-]+", re.IGNORECASE)
_MOMENT = "event_timestamp"
OPENED = datetime(1995, 1, 9, tzinfo=UTC)
"""The day of the oldest ratings."""

_USERS = {"user_id": pl.String(), _MOMENT: MICROSECONDS_UTC}


def release_name(folder: str, path: Path, files: set[str]) -> str:
    """The name of a release: that of its folder or archive, else by the files that it has.

    >>> release_name("ml-25m", Path("downloads"), {"ratings.csv"}), release_name("", Path("x"), {"ratings.csv"})
    ('ml-25m', 'ml-latest')
    """
    places = [*reversed(PurePosixPath(folder).parts), path.name, path.absolute().parent.name]
    named = next((name for name in map(plain_name, places) if _RELEASE.fullmatch(name)), "")
    return named.lower() or ("ml-latest" if "ratings.csv" in files else "ml-1m" if "users.dat" in files else "ml-10m")


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        name: its name, which ids begin with.
        files: name of a file → the file.
    """

    name: str
    files: Mapping[str, Member]

    def read(self) -> Iterator[Batch]:
        """Yields the films, the ratings with whose they are, then tags and links.

        Raises:
            InputError: a file is damaged.
        """
        films, no_films = self._films()
        genders, no_users = self._genders()
        yield Batch("users", pl.DataFrame(schema=_USERS), no_users)
        dated = films.with_columns(pl.lit(OPENED).cast(MICROSECONDS_UTC).alias(_MOMENT))
        yield Batch("tracks", dated, no_films)
        for ratings, malformed, done, total in self._rows("ratings"):
            plays, refused = self._plays(ratings, films, genders, malformed)
            for batch in played_batches(plays, refused, done=done, total=total):
                yield _with_facts(batch, films, genders)
        yield from self._tags()
        yield from self._links(dated)

    def _rows(self, name: str) -> Iterator[tuple[pl.DataFrame, list[Malformed], float, float]]:
        """The rows of a file as texts, by the names of the CSV files; none if there is no such file."""
        names = _COLUMNS[name]
        if member := self.files.get(f"{name}.csv"):
            table = Table(recognize(member))
        elif member := self.files.get(f"{name}.dat"):
            table = Table(recognize(member), delimiter="::", header=False, quoted=False)
        else:
            return
        columns = table.columns if table.has_header else [*names, *table.columns][: len(table.columns)]
        columns = [name if name in names else f"_{number}" for number, name in enumerate(columns)]
        for batch in table.batches():
            rows = frame(columns, batch.rows).select(pl.col(pl.String).str.strip_chars())
            missing = [pl.lit(None, pl.String).alias(column) for column in names if column not in rows.columns]
            yield rows.with_columns(missing).select(names), batch.malformed, batch.done, member.size

    def _id(self, column: str) -> pl.Expr:
        return pl.lit(f"{self.name}:") + pl.when(pl.col(column) != "").then(column)

    def _films(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Title, genres, year and stand-in of the artist of every film; and lines that are none."""
        parts, malformed = [pl.DataFrame(schema=dict.fromkeys(_COLUMNS["movies"], pl.String))], []
        for rows, lines, _, _ in self._rows("movies"):
            parts.append(rows)
            malformed += lines
        reasons = {"no film": pl.col("movieId").fill_null("") == ""}
        films, refused = part_refused(
            pl.concat(parts).unique("movieId", keep="first", maintain_order=True), reasons, malformed
        )
        year = pl.col("title").str.extract(r"\((\d{4})[^()]*\)\s*$").cast(pl.Int32)
        listed = pl.col("genres").str.split("|").list.eval(pl.element().filter(~pl.element().str.starts_with("(")))
        genres = listed.list.eval(pl.element().filter(pl.element() != ""))
        films = films.select(
            "title", genres=genres, released=pl.date(year, 1, 1).cast(MICROSECONDS_UTC), track_id=self._id("movieId")
        )
        kinds = pl.when(pl.col("genres").list.len() > 0).then("genres").otherwise(pl.lit(["unknown"]))
        return (
            films.with_columns(
                artist_id=pl.lit(f"{self.name}:") + kinds.list.join("+"), artist_name=kinds.list.join(", ")
            ),
            refused,
        )

    def _genders(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The gender of each listener; and lines that are none, without their text, since it holds a zip code."""
        parts, malformed = [pl.DataFrame(schema=dict.fromkeys(_COLUMNS["users"], pl.String))], []
        for rows, lines, _, _ in self._rows("users"):
            parts.append(rows)
            malformed += [Malformed(line.reason, UNSTORED) for line in lines]
        genders = pl.concat(parts).select(user_id=self._id("userId"), gender="gender").unique("user_id")
        return genders, pl.DataFrame(malformed, schema=QUARANTINE, orient="row")

    def _plays(
        self, rows: pl.DataFrame, films: pl.DataFrame, genders: pl.DataFrame, lines: list[Malformed]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        rating = pl.col("rating").cast(pl.Float64, strict=False)
        reasons = {
            "no rating between 0.5 and 5": ~rating.is_between(0.5, 5).fill_null(False),
            **_reasons(),
            "a listener that users lacks": ~self._id("userId").is_in(genders["user_id"].implode())
            & (genders.height > 0),
            "a film that movies lacks": ~self._id("movieId").is_in(films["track_id"].implode()) & (films.height > 0),
        }
        rated, refused = part_refused(rows, reasons, lines)
        plays = rated.select(
            user_id=self._id("userId"),
            track_id=self._id("movieId"),
            skipped=rating <= SKIPPED_UP_TO_STARS,
            context=pl.lit("rating"),
            event_timestamp=_moment(),
            reported_by=pl.lit("movielens"),
        )
        return plays.join(films.drop("genres", "released"), on="track_id", how="left", maintain_order="left"), refused

    def _tags(self) -> Iterator[Batch]:
        for rows, lines, done, total in self._rows("tags"):
            tagged, refused = part_refused(rows, {"no tag": pl.col("tag").fill_null("") == "", **_reasons()}, lines)
            tags = tagged.select(
                "tag", user_id=self._id("userId"), track_id=self._id("movieId"), event_timestamp=_moment()
            )
            yield Batch("users", tags.sort(_MOMENT).unique("user_id", keep="first").select("user_id", _MOMENT))
            yield Batch("track_tags", tags, refused, done, total)

    def _links(self, films: pl.DataFrame) -> Iterator[Batch]:
        for rows, lines, done, total in self._rows("links"):
            links = (
                rows.rename(_SITES)
                .with_columns(track_id=self._id("movieId"))
                .unpivot(list(_SITES.values()), index="track_id", variable_name="site", value_name="id")
            )
            known = links.filter(pl.col("id") != "").join(films.select("track_id", _MOMENT), on="track_id")
            refused = pl.DataFrame(lines, schema=QUARANTINE, orient="row")
            yield Batch("track_links", known, refused, done, total)


def _reasons() -> dict[str, pl.Expr]:
    """Why the listener, the film or the time of a row is none."""
    seconds = pl.col("timestamp").cast(pl.Int64, strict=False)
    return {
        "no listener": pl.col("userId").fill_null("") == "",
        "no film": pl.col("movieId").fill_null("") == "",
        "no time": ~seconds.is_between(0, LAST_SECOND).fill_null(False),
    }


def _moment() -> pl.Expr:
    return (pl.col("timestamp").cast(pl.Int64) * 1_000_000).cast(MICROSECONDS_UTC)


def _with_facts(batch: Batch, films: pl.DataFrame, genders: pl.DataFrame) -> Batch:
    """Adds what the release says of films and listeners. Ratings are no plays that other services know too."""
    match batch.table:
        case "tracks":
            rows = batch.rows.join(films, on="track_id", how="anti")
        case "users":
            rows = batch.rows.join(genders, on="user_id", how="left")
        case "plays":
            rows = batch.rows.drop("recording")
        case _:
            rows = batch.rows
    return replace(batch, rows=rows)
