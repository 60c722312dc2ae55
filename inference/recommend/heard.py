"""Which tracks a listener has ever heard, asked of the online store candidate by candidate.

``user_track_history`` has a row for each listener and track from the first play on, and the stream writes it after
every play. So a lookup is exact for a lifetime of any length, whereas ``user_history`` lists the last 1,000 tracks, and
those up to midnight.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from inference.features import OnlineFeatures
from inference.features.prepared import PreparedLookup
from inference.recommend.catalogue import Catalogue

SERVICE = "heard_v1"
PLAYS = "user_track_history__plays"
MAX_LOOKUPS = 10_000
"""Number of tracks looked up for one answer after which no further candidates are retrieved."""
NOT_ONLINE = (
    "what was heard long ago is not online, so that a known track may be among these; "
    "run: refrain build && refrain materialize"
)


class Heard:
    """The exact filter of heard tracks.

    Args:
        features: lookup of the feature service ``heard_v1``.
        catalogue: the tracks of the bundle.
    """

    def __init__(self, features: OnlineFeatures, catalogue: Catalogue) -> None:
        self._features, self._catalogue = features, catalogue

    def prepare(self, user_id: str, places: np.ndarray, witness: str | None = None) -> PreparedLookup:
        """Prepare the lookup of ``among``, to be fetched together with others; arguments as there."""
        return self._features.prepare({"user_id": [user_id], "track_id": self._tracks(places, witness)})

    def among(
        self,
        user_id: str,
        places: np.ndarray,
        witness: str | None = None,
        *,
        prepared: PreparedLookup | None = None,
    ) -> np.ndarray | None:
        """List the places of tracks that the listener has heard.

        Args:
            user_id: identifier of the listener.
            places: (n,) places of tracks.
            witness: a track that the listener has surely heard.
            prepared: what ``prepare`` returned for the same arguments, fetched.

        Returns:
            The heard ones of ``places``; None if the witness is not among the heard tracks, so that the online store
            has not got them (yet).

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        tracks = self._tracks(places, witness) if prepared is None else prepared.keys["track_id"]
        if not len(tracks):
            return places
        plays = self._look_up(user_id, tracks, prepared)[PLAYS]
        if witness and not plays[-1]:
            return None
        return np.asarray(places[plays[: len(places)] > 0])

    def _tracks(self, places: np.ndarray, witness: str | None) -> Sequence[str]:
        """Return the tracks to look up: those at the places, then the witness if there is one."""
        tracks: Sequence[str] = self._catalogue.track_keys.at(places)
        if witness in self._catalogue.place:
            return self._catalogue.track_keys.at(np.append(places, self._catalogue.place[witness]))
        return [*tracks, witness] if witness else tracks

    def plays(self, user_id: str, tracks: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n,) plays of each track by the listener, 0 for none, and the (n,) seconds since 1970 of the last.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        if not len(tracks):
            return np.empty(0, np.int64), np.empty(0)
        columns = self._look_up(user_id, tracks)
        return columns[PLAYS], columns["user_track_history__idle_seconds_at"] / 1e6

    def _look_up(
        self, user_id: str, tracks: Sequence[str], prepared: PreparedLookup | None = None
    ) -> Mapping[str, np.ndarray]:
        return self._features.get({"user_id": [user_id], "track_id": tracks}, prepared=prepared).columns
