"""Plays as arrays: who, what, when."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.home import Home
from transforms.raw.read import plays


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
    """

    user_ids: Sequence[str]
    track_ids: Sequence[str]
    artist_ids: Sequence[str | None]
    user: np.ndarray
    track: np.ndarray
    time: np.ndarray

    @classmethod
    def load(cls, home: Home) -> "Interactions":
        """All raw plays of a data folder.

        Raises:
            StoreError: there are none.
        """
        rows = plays(home).select("user_id", "track_id", "artist_id", "event_timestamp").collect()
        rows = rows.sort("event_timestamp", "user_id", "track_id")
        users = rows["user_id"].unique().sort()
        tracks = rows.group_by("track_id").agg(pl.col("artist_id").last()).sort("track_id")
        numbers = rows.join(users.to_frame().with_row_index("user"), on="user_id", maintain_order="left").join(
            tracks.select("track_id").with_row_index("track"), on="track_id", maintain_order="left"
        )
        return cls(
            users.to_list(),
            tracks["track_id"].to_list(),
            tracks["artist_id"].to_list(),
            numbers["user"].cast(pl.Int64).to_numpy(),
            numbers["track"].cast(pl.Int64).to_numpy(),
            numbers["event_timestamp"].dt.timestamp("us").to_numpy(),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and of tracks."""
        return len(self.user_ids), len(self.track_ids)

    def between(self, first: int, last: int) -> "Interactions":
        """Plays with ``first <= time < last``; identifiers keep their numbers."""
        low, high = np.searchsorted(self.time, [first, last])
        part = slice(int(low), int(high))
        return Interactions(
            self.user_ids, self.track_ids, self.artist_ids, self.user[part], self.track[part], self.time[part]
        )

    def before(self, moment: int) -> "Interactions":
        """Plays with ``time < moment``."""
        return self.between(np.iinfo(np.int64).min, moment)

    def heard_and_new(self, cutoff: int, end: int) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
        """What a recommender of the cutoff may know, and what it should have told.

        Args:
            cutoff: µs since 1970 UTC.
            end: plays from there on are not looked at.

        Returns:
            Distinct tracks before the cutoff of each user who has any; and of those who also played between cutoff
            and end, the distinct tracks they had not heard (there may be none).
        """
        heard = self.before(cutoff).tracks_by_user()
        later = self.between(cutoff, end).tracks_by_user()
        new = {user: np.setdiff1d(tracks, heard[user]) for user, tracks in later.items() if user in heard}
        return heard, new

    def tracks_by_user(self) -> dict[int, np.ndarray]:
        """Distinct tracks of each user who has any."""
        pairs = np.unique(np.stack([self.user, self.track], axis=1), axis=0)
        users, starts = np.unique(pairs[:, 0], return_index=True)
        return dict(zip(users.tolist(), np.split(pairs[:, 1], starts[1:]), strict=True)) if len(users) else {}
