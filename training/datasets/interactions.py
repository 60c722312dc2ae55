"""Plays as arrays of users, tracks and times."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from feature_repo.home import Home
from feature_repo.purposes import PERSONALISATION
from training.datasets.consent import Permission
from transforms.raw.read import plays, scan

_OF_PLAYS = ("user", "track", "time", "weight", "device", "context", "skipped")


@dataclass(frozen=True)
class Interactions:
    """Plays in order of time, with numbers for identifiers.

    Attributes:
        user_ids: sorted identifiers; ``user`` counts into them.
        track_ids: sorted identifiers; ``track`` counts into them.
        artist_ids: (tracks,) artist of each track, or None.
        user: (n,) int64.
        track: (n,) int64.
        time: (n,) µs since 1970 UTC, ascending.
        weight: (n,) number of plays that each row stands for; 1 if left out.
        device: (n,) device of each play, None for unknown; all unknown if left out.
        context: (n,) context of each play, None for unknown; all unknown if left out.
        skipped: (n,) whether the play was skipped; none if left out.

    >>> plays = Interactions(["u1", "u2"], ["a", "b"], [None, None], *np.array([[0, 1, 0], [0, 0, 1], [10, 20, 30]]))
    >>> plays.before(30).tracks_by_user()
    {0: array([0]), 1: array([0])}
    >>> plays.newest_first(0), plays.between(10, 20).shape, len(plays.only(plays.user == 0).time)
    (array([1, 0]), (2, 2), 2)
    >>> plays.heard_and_new(15, 40)[1]
    {0: array([1])}
    >>> Interactions.load(Home.from_env()).shape                                    # doctest: +SKIP
    (150, 400)
    """

    user_ids: Sequence[str]
    track_ids: Sequence[str]
    artist_ids: Sequence[str | None]
    user: np.ndarray
    track: np.ndarray
    time: np.ndarray
    weight: np.ndarray = field(default=None)  # type: ignore[assignment, arg-type]
    device: np.ndarray = field(default=None)  # type: ignore[assignment, arg-type]
    context: np.ndarray = field(default=None)  # type: ignore[assignment, arg-type]
    skipped: np.ndarray = field(default=None)  # type: ignore[assignment, arg-type]

    def __post_init__(self) -> None:
        count = len(self.time)
        defaults = {
            "weight": np.ones(count),
            "device": np.full(count, None, object),
            "context": np.full(count, None, object),
            "skipped": np.zeros(count, bool),
        }
        for name, values in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, values)

    @classmethod
    def load(cls, home: Home) -> "Interactions":
        """Loads all raw plays of a data folder, and all tracks of its catalogue, whether played or not.

        Plays of listeners who have not consented to personalisation, or to training, are left out, as are those of
        listeners whose data may not be used (``training.datasets.consent``).

        Raises:
            StoreError: there are no plays.
        """
        columns = ("user_id", "track_id", "artist_id", "event_timestamp", "device", "context", "skipped")
        rows = Permission.of(home, PERSONALISATION).rows(plays(home).select(columns).collect())
        rows = rows.sort("event_timestamp", "user_id", "track_id")
        users = rows["user_id"].unique().sort()
        catalogue = scan(home, "tracks").sort("event_timestamp").select("track_id", "artist_id").collect()
        all_tracks = pl.concat([catalogue, rows.select("track_id", "artist_id")])
        tracks = all_tracks.group_by("track_id", maintain_order=True).agg(pl.col("artist_id").last()).sort("track_id")
        numbered_rows = rows.join(users.to_frame().with_row_index("user"), on="user_id", maintain_order="left").join(
            tracks.select("track_id").with_row_index("track"), on="track_id", maintain_order="left"
        )
        return cls(
            users.to_list(),
            tracks["track_id"].to_list(),
            tracks["artist_id"].to_list(),
            numbered_rows["user"].cast(pl.Int64).to_numpy(),
            numbered_rows["track"].cast(pl.Int64).to_numpy(),
            numbered_rows["event_timestamp"].dt.timestamp("us").to_numpy(),
            device=numbered_rows["device"].to_numpy(),
            context=numbered_rows["context"].to_numpy(),
            skipped=numbered_rows["skipped"].fill_null(False).to_numpy(),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and of tracks."""
        return len(self.user_ids), len(self.track_ids)

    def between(self, first: int, last: int) -> "Interactions":
        """Selects plays with ``first <= time < last``; identifiers keep their numbers."""
        low, high = np.searchsorted(self.time, [first, last])
        return self.only(slice(int(low), int(high)))

    def only(self, places: slice | np.ndarray) -> "Interactions":
        """Selects plays by place or mask; identifiers keep their numbers."""
        columns = {name: getattr(self, name)[places] for name in _OF_PLAYS}
        return replace(self, **columns)

    def before(self, moment: int) -> "Interactions":
        """Selects plays with ``time < moment``."""
        return self.between(np.iinfo(np.int64).min, moment)

    def newest_first(self, user: int) -> np.ndarray:
        """Lists the distinct tracks of one user, the one played last first."""
        return distinct(self.track[self.user == user][::-1])

    def heard_and_new(self, cutoff: int, end: int) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
        """Returns the tracks that a recommender may know at a cutoff, and those that it should recommend.

        Args:
            cutoff: µs since 1970 UTC.
            end: µs since 1970 UTC; later plays are ignored.

        Returns:
            Distinct tracks before the cutoff of each user who has any; and for those who also played between cutoff and
            end, the distinct tracks that are new to them (maybe none).
        """
        heard = self.before(cutoff).tracks_by_user()
        later = self.between(cutoff, end).tracks_by_user()
        new = {user: np.setdiff1d(tracks, heard[user]) for user, tracks in later.items() if user in heard}
        return heard, new

    def tracks_by_user(self) -> dict[int, np.ndarray]:
        """Returns the distinct tracks of each user who has any."""
        pairs = np.unique(np.stack([self.user, self.track], axis=1), axis=0)
        users, starts = np.unique(pairs[:, 0], return_index=True)
        return dict(zip(users.tolist(), np.split(pairs[:, 1], starts[1:]), strict=True)) if len(users) else {}


def distinct(tracks: np.ndarray) -> np.ndarray:
    """Keeps the first of equal tracks."""
    return np.asarray(tracks[np.sort(np.unique(tracks, return_index=True)[1])])
