"""What is shown of tracks: titles and artists, looked up and kept for ``MAX_AGE_S``, as they decide nothing."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from feature_repo.errors import OnlineUnavailable
from feature_repo.output.plain import shorten
from inference.features import OnlineFeatures
from inference.recommend.catalogue import Catalogue
from inference.recommend.hidden_facts import ARTIST_ID, ARTIST_NAME, TITLE

MAX_AGE_S = 60.0
"""Seconds for which a title is kept. All are dropped together."""
MOST_KEPT = 500_000
"""Maximum number of tracks that are kept."""
LONGEST = 500
"""Characters of a title or a name in an answer."""
_Shown = tuple[str, str | None, str | None]
"""Title, artist and artist name of one track."""


@dataclass(frozen=True)
class Titles:
    """What is shown of some tracks.

    Attributes:
        titles: titles; identifiers stand in for unknown ones.
        artist_ids: artists, None where unknown.
        artist_names: names of the artists, None where unknown.
    """

    titles: list[str]
    artist_ids: list[str | None]
    artist_names: list[str | None]


class TitleLookup:
    """Looks up what is shown of the tracks of one bundle. Safe to share between threads.

    Args:
        features: lookup of the feature service ``track_display_v1``.
        catalogue: the tracks of the bundle.
        clock: monotonic clock in seconds.

    Attributes:
        features: the lookup.

    >>> TitleLookup(OnlineFeatures("track_display_v1"), catalogue).of(["t000001"]).titles  # doctest: +SKIP
    ['Slow River']
    """

    def __init__(
        self, features: OnlineFeatures, catalogue: Catalogue, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.features, self._catalogue, self._clock = features, catalogue, clock
        self._kept, self._kept_since = dict[str, _Shown](), clock()

    def of(self, tracks: Sequence[str], *, reachable: bool = True, hidden: frozenset[str] = frozenset()) -> Titles:
        """Return what is shown of tracks; where the online store does not say, identifiers stand in for titles.

        Args:
            tracks: (n,) identifiers of the tracks.
            reachable: whether the online store is asked for tracks that are not kept.
            hidden: features that are left out, as if they were unknown.
        """
        kept = self._not_too_old()
        missing = [track for track in dict.fromkeys(tracks) if track not in kept]
        others = self._look_up(missing, kept, reachable=reachable) if missing else {}
        shown = [others.get(track) or kept[track] for track in tracks]
        nothing: list[str | None] = [None] * len(tracks)
        return Titles(
            list(tracks) if TITLE in hidden else [title for title, _, _ in shown],
            nothing if ARTIST_ID in hidden else [artist for _, artist, _ in shown],
            nothing if ARTIST_NAME in hidden else [name for _, _, name in shown],
        )

    def _not_too_old(self) -> dict[str, _Shown]:
        """Return the tracks that are kept; none if they were kept for too long, or there are too many."""
        now = self._clock()
        if now - self._kept_since > MAX_AGE_S or len(self._kept) > MOST_KEPT:
            self._kept, self._kept_since = {}, now
        return self._kept

    def _look_up(self, tracks: list[str], kept: dict[str, _Shown], *, reachable: bool) -> dict[str, _Shown]:
        """Return what is shown of tracks that are not kept, and keep those that have a title."""
        values = None
        if reachable:
            try:
                values = self.features.get({"track_id": tracks}).values
            except OnlineUnavailable:
                values = None
        if values is None:
            places = (self._catalogue.place.get(track) for track in tracks)
            artists = (None if place is None else self._catalogue.artist_ids[place] for place in places)
            return {track: (track, artist, None) for track, artist in zip(tracks, artists, strict=True)}
        shown: dict[str, _Shown] = {}
        rows = zip(tracks, values[TITLE], values[ARTIST_ID], values[ARTIST_NAME], strict=True)
        for track, title, artist, name in rows:
            shown[track] = (shorten(title or track, LONGEST), artist, name and shorten(name, LONGEST))
            if title:
                kept[track] = shown[track]
        return shown
