"""Finds the candidates of an answer: retrieved, allowed to be played, and never heard.

Rights, heard tracks and the features that rank the candidates are looked up in one round trip. Where the filters leave
too few, more are retrieved.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from feature_repo.distinct import is_among
from feature_repo.errors import OnlineUnavailable
from inference.features.prepared import PreparedLookup, RoundTrip
from inference.recommend.catalogue import Catalogue
from inference.recommend.heard import MAX_LOOKUPS, NOT_ONLINE, Heard
from inference.recommend.listener import Listener
from inference.recommend.rank import FeatureLookup
from inference.recommend.request import RequestOptions, Strategy
from inference.recommend.retrieve import retrieve
from inference.recommend.rights import Rights, RightsLookup
from transforms.pure.candidates.pool import SOURCES, Pool

HEARD_UNCHECKED = "the online store does not answer: a known track may be among these"
NOTHING = np.empty(0, np.int64)
SOURCES_OF: dict[str, tuple[str, ...]] = {
    "collaborative": ("taste", "similar"),
    "content": ("content",),
    "hybrid": ("taste", "similar", "content", "popular", "fresh"),
    "real_time": SOURCES,
    "cold_start": ("similar", "content", "popular", "fresh"),
}
"""Strategy → names of its candidate sources, for strategies that recommend unheard tracks."""
PrepareFeatures = Callable[[Pool], FeatureLookup]
"""Prepares the lookup of the features that rank candidates."""


@dataclass(frozen=True)
class Wanted:
    """What candidates are wanted.

    Attributes:
        strategy: which model answers.
        options: options of the request.
        excluded: places of tracks that must not be candidates.
        picks: places of the listener's picks.
        count: number of tracks of the answer.
        share: share of the usual number of candidates.
    """

    strategy: Strategy
    options: RequestOptions
    excluded: np.ndarray
    picks: np.ndarray
    count: int
    share: float = 1.0


@dataclass(frozen=True)
class Candidates:
    """The candidates of one answer.

    Attributes:
        pool: the candidates.
        unheard: whether all that the listener ever heard was left out.
        notes: messages on why there could be others.
        features: the lookup of features of these candidates and perhaps of others; None if they were not looked up.
    """

    pool: Pool
    unheard: bool
    notes: list[str]
    features: FeatureLookup | None = None


@dataclass(frozen=True)
class _Lookups:
    """What is known of retrieved candidates, after one round trip; None of what was not looked up."""

    rights: RightsLookup | None = None
    heard: PreparedLookup | None = None
    features: FeatureLookup | None = None

    def fetch(self) -> None:
        """Fetch all of them."""
        lookups = [one.lookup for one in (self.rights, self.features) if one is not None]
        RoundTrip(lookups if self.heard is None else [*lookups, self.heard]).fetch()


class CandidateSearch:
    """Finds candidates among the tracks of one bundle.

    Args:
        catalogue: the tracks of the bundle.
        rights: which tracks may be played.
        heard: which tracks a listener has heard.
    """

    def __init__(self, catalogue: Catalogue, rights: Rights, heard: Heard) -> None:
        self._catalogue, self._rights, self._heard = catalogue, rights, heard

    def find(self, listener: Listener, wanted: Wanted, prepare: PrepareFeatures | None = None) -> Candidates:
        """Retrieve unheard candidates that may be played, more of them where the filters leave too few.

        Args:
            listener: the listener.
            wanted: what candidates are wanted.
            prepare: prepares the lookup of the features of candidates; None if they are not needed.
        """
        excluded, at_least, checked, ask = wanted.excluded, wanted.count, NOTHING, listener.reachable
        features: FeatureLookup | None = None
        while True:
            pool = self._retrieve(listener, wanted, excluded, at_least)
            lookups = _Lookups()
            if ask and len(pool) and not len(checked):
                lookups = self._look_up(listener, pool, prepare)
                features = lookups.features
            permitted = self._rights.allowed(
                pool,
                country=listener.country,
                explicit=wanted.options.explicit,
                ask=ask,
                prepared=lookups.rights,
            )
            allowed, ask = permitted.pool, ask and permitted.answered
            unchecked = pool.places if lookups.heard else allowed.places[~is_among(allowed.places, checked)]
            heard, heard_note = self.heard_among(listener, unchecked, lookups.heard)
            notes = [note for note in (permitted.note, heard_note) if note]
            checked = np.sort(np.concatenate([checked, unchecked])) if len(checked) else unchecked
            if len(heard):
                excluded = np.union1d(excluded, heard)
                allowed = allowed.keep(~is_among(allowed.places, heard))
            if heard_note or len(allowed) >= wanted.count or at_least >= len(self._catalogue):
                break
            if len(checked) >= MAX_LOOKUPS:
                notes.append(
                    f"the best {len(checked):,} tracks were looked up, of which {len(allowed):,} were never heard"
                )
                break
            at_least = min(4 * at_least, len(self._catalogue))
        if not len(allowed) and wanted.strategy in ("collaborative", "content"):
            return self._popular(listener, replace(wanted, excluded=excluded), notes)
        if not len(allowed) and len(checked) < MAX_LOOKUPS:
            notes.append("nothing is left: every track was heard, excluded or may not be played here")
        return Candidates(allowed, listener.reachable and not heard_note, notes, features)

    def heard_among(
        self, listener: Listener, places: np.ndarray, prepared: PreparedLookup | None = None
    ) -> tuple[np.ndarray, str | None]:
        """List the places that the listener has heard; if that cannot be looked up, none and a note."""
        if not listener.reachable:
            return NOTHING, None
        try:
            heard = self._heard.among(listener.user_id, places, listener.witness, prepared=prepared)
        except OnlineUnavailable:
            return NOTHING, HEARD_UNCHECKED
        return (NOTHING, NOT_ONLINE) if heard is None else (heard, None)

    def _retrieve(self, listener: Listener, wanted: Wanted, excluded: np.ndarray, at_least: int) -> Pool:
        return retrieve(
            self._catalogue,
            listener,
            SOURCES_OF[wanted.strategy],
            excluded,
            picks=wanted.picks if wanted.strategy == "cold_start" else None,
            at_least=at_least,
            share=wanted.share,
        )

    def _look_up(self, listener: Listener, pool: Pool, prepare: PrepareFeatures | None) -> _Lookups:
        """Look up in one round trip what filters and ranks the candidates."""
        lookups = _Lookups(
            self._rights.prepare(pool.places),
            self._heard.prepare(listener.user_id, pool.places, listener.witness),
            None if prepare is None else prepare(pool),
        )
        lookups.fetch()
        return lookups

    def _popular(self, listener: Listener, wanted: Wanted, notes: list[str]) -> Candidates:
        """Find popular tracks instead: the strategy knows nothing of the listener."""
        popular = self.find(listener, replace(wanted, strategy="cold_start"))
        reason = f"{wanted.strategy} knows nothing of this listener: popular tracks"
        return replace(popular, notes=[*notes, *popular.notes, *([reason] if len(popular.pool) else [])])
