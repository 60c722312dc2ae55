"""Daily plays of every track and the catalogue, pulled through Feast, with their hierarchy of artists and genres."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.datasets import all_keys, training_set
from training.datasets.series import history, last_full_day
from training.models.forecasting.hierarchy import Hierarchy
from training.models.forecasting.panel import Panel

SERVICE = "track_trend_v1"
"""Feature service of a track at an origin; its release time is read from it, too."""
_DISPLAYED = ("track_catalogue__artist_id", "track_catalogue__genres")


@dataclass
class World:
    """Histories and catalogue of all tracks up to a midnight.

    Attributes:
        home: the data folder.
        tracks: identifiers of the tracks.
        values: (tracks, days) plays a day, NaN before the first play.
        end: midnight after the last day.
        artists: artist of each track.
        genres: first genre of each track.
        released: (tracks,) release time in µs since 1970 UTC; NaN if unknown.
        countries: country code → share of the listeners.
    """

    home: Home
    tracks: list[str]
    values: np.ndarray
    end: datetime
    artists: list[str | None]
    genres: list[str | None]
    released: np.ndarray
    countries: dict[str, float]

    @classmethod
    def load(cls, home: Home, end: datetime | None = None) -> "World":
        """Pulls histories and catalogue through Feast."""
        end = end or last_full_day(home)
        names, plays = history(home, "track_plays_v1", "track_popularity__plays_1d", "track_id", end=end)
        spine = all_keys("track_display_v1", None, end, home=home)
        catalogue = training_set("track_display_v1", spine, home=home).data
        row_of = {name: number for number, name in enumerate(names)}
        unplayed = [name for name in catalogue["track_id"].to_list() if name not in row_of]
        values = np.vstack([plays, np.full((len(unplayed), plays.shape[1]), np.nan, np.float32)])
        catalogue_rows = {row["track_id"]: row for row in catalogue.select("track_id", *_DISPLAYED).to_dicts()}
        tracks = [*names, *unplayed]
        rows = [catalogue_rows.get(name, {}) for name in tracks]
        released = _released(home, tracks, end)
        artists = [row.get(_DISPLAYED[0]) for row in rows]
        genres = [(row.get(_DISPLAYED[1]) or [None])[0] for row in rows]
        return cls(home, tracks, values, end, artists, genres, released, _countries(home, end))

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """The hierarchy of tracks, artists, genres and the total."""
        return Hierarchy.of(self.tracks, {"artist": self.artists, "genre": self.genres})

    @cached_property
    def panel(self) -> Panel:
        """The series of all nodes."""
        values = self.hierarchy.sums(self.values)
        return Panel(self.hierarchy.names, values, (7,), self.end)

    def age(self, end: datetime) -> np.ndarray:
        """Computes the days since release: (tracks,)."""
        return (end.timestamp() * 1e6 - self.released) / 86_400e6


def _released(home: Home, tracks: list[str], end: datetime) -> np.ndarray:
    spine = pl.DataFrame({"track_id": tracks}).with_columns(
        event_timestamp=pl.lit(end), artist_id=pl.lit(None, pl.String), platform_id=pl.lit(home.tenant)
    )
    released = training_set(SERVICE, spine, home=home).data["track_catalogue__released"]
    return released.dt.timestamp("us").cast(pl.Float64).to_numpy()


def _countries(home: Home, end: datetime) -> dict[str, float]:
    """Computes the share of the listeners by country, of the ten largest."""
    spine = all_keys("user_behavior_v1", None, end, home=home)
    countries = training_set("user_behavior_v1", spine, home=home).data["user_profile__country"].drop_nulls()
    counts = countries.value_counts().sort("count", "user_profile__country", descending=True)[:10]
    return {str(code): count / countries.len() for code, count in counts.iter_rows()}
