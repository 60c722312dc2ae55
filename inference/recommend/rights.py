"""Which tracks may be played: not taken down, licensed for the country, not explicit where that is excluded.

Rights fail closed. A track is recommended only if its rights were read at most ``max_staleness_s`` ago; while the
online store does not answer, those that were read last count. What is missing in a track's row means what the catalogue
says: without ``available`` it was not taken down, without ``regions`` it may be played everywhere. Without ``explicit``
nobody knows, so it is left out where explicit tracks are excluded. A track that the catalogue had when the model was
trained, and that has no row online, is not recommended; one that the catalogue never had may be played.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.errors import OnlineUnavailable
from inference.features import OnlineFeatures
from inference.features.prepared import PreparedLookup
from transforms.pure.candidates.pool import Pool

MAX_AGE_S = 5.0
"""Seconds for which looked-up features of tracks and artists are reused: a takedown takes effect within this time."""
MAX_STALENESS_S = 3_600.0
"""Seconds for which rights count while the online store does not answer; no track is recommended after that."""
BLOCK = 1_000
"""Number of tracks that ``Rights.refresh`` looks up at a time."""
PAUSE = 4.0
"""Pause of ``Rights.refresh`` after a block, in multiples of the time that the block took."""
EVERYWHERE = 0
"""Number of the set of countries of a track without ``regions``."""
NO, YES, UNKNOWN = 0, 1, -1
"""Whether a track is explicit."""
_VIEW = "track_catalogue"


@dataclass(frozen=True)
class RightsLookup:
    """Rights that are looked up together with other features.

    Attributes:
        places: (n,) places of the tracks.
        began_at: when the lookup began, in seconds of the clock: a takedown after this moment may have been missed.
        lookup: the lookup.
    """

    places: np.ndarray
    began_at: float
    lookup: PreparedLookup


@dataclass(frozen=True)
class Allowed:
    """The candidates that may be played.

    Attributes:
        pool: these candidates.
        answered: whether the online store answered, as far as it was asked.
        age_s: seconds since the oldest rights of ``pool`` were read.
        unknown: number of candidates that were left out because it is not known whether they may be played.
    """

    pool: Pool
    answered: bool
    age_s: float
    unknown: int

    @property
    def note(self) -> str | None:
        """Why more candidates were left out than necessary, or rights may be out of date; None if neither is so."""
        notes = []
        if not self.answered:
            notes.append(f"the online store does not answer: rights are those of up to {self.age_s:.0f} s ago")
        if self.unknown:
            notes.append(f"{self.unknown:,} candidates are left out, as it is not known whether they may be played")
        return "; ".join(notes) or None


class Rights:
    """Playback rights of the tracks of one bundle, looked up again after ``MAX_AGE_S``. Safe to share between threads.

    Args:
        features: lookup of the feature service ``track_rights_v1``.
        track_ids: identifiers of the tracks; a track's number is its place.
        unlisted: places of the tracks that the catalogue did not have when the model was trained.
        max_staleness_s: seconds for which rights count while the online store does not answer, at least ``MAX_AGE_S``.
        clock: monotonic clock in seconds.

    Attributes:
        track_ids: identifiers of the tracks.
        read_at: (tracks,) when the rights were read, in seconds of the clock; -inf if they never were.
        missed_at: (tracks,) when a listed track was looked up and had no row, in seconds of the clock; -inf if never.
        available: (tracks,) bool, false where the track was taken down.
        explicit: (tracks,) int8, ``NO``, ``YES`` or ``UNKNOWN``.
        regions: (tracks,) int32 numbers in ``region_sets``.
        region_sets: distinct sets of countries; the first stands for all countries.
    """

    def __init__(
        self,
        features: OnlineFeatures,
        track_ids: Sequence[str],
        *,
        unlisted: Sequence[int] | np.ndarray = (),
        max_staleness_s: float = MAX_STALENESS_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.features, self.track_ids, self.clock = features, track_ids, clock
        self._max_staleness_s = max(max_staleness_s, MAX_AGE_S)
        self._is_unlisted = np.zeros(len(track_ids), bool)
        self._is_unlisted[np.asarray(unlisted, np.int64)] = True
        self.read_at = np.full(len(track_ids), -np.inf)
        self.missed_at = np.full(len(track_ids), -np.inf)
        self.available = np.zeros(len(track_ids), bool)
        self.explicit = np.full(len(track_ids), UNKNOWN, np.int8)
        self.regions = np.full(len(track_ids), EVERYWHERE, np.int32)
        self.region_sets: list[frozenset[str]] = [frozenset()]
        self._region_numbers: dict[frozenset[str], int] = {}
        self._lock = threading.Lock()

    @property
    def is_known(self) -> bool:
        """Whether the rights of any track are known."""
        return bool((self.clock() - self.read_at <= self._max_staleness_s).any())

    def prepare(self, places: np.ndarray) -> RightsLookup | None:
        """Prepare the lookup of rights that are older than ``MAX_AGE_S``; None if there are none.

        Where some are, those are looked up along that will be in half that time, so that fewer answers look any up.
        """
        if not self._is_old(places).any():
            return None
        old = places[self._is_old(places, MAX_AGE_S / 2)]
        return RightsLookup(old, self.clock(), self.features.prepare(self._keys(old)))

    def allowed(
        self,
        pool: Pool,
        *,
        country: str | None,
        explicit: bool,
        ask: bool = True,
        prepared: RightsLookup | None = None,
    ) -> Allowed:
        """Keep the candidates that may be played, as far as that is known.

        Args:
            pool: the candidates.
            country: country of the listener. If None, tracks with regional rights are left out.
            explicit: whether explicit tracks are allowed.
            ask: whether the online store is asked for rights that are older than ``MAX_AGE_S``.
            prepared: what ``prepare`` returned for these candidates, fetched.
        """
        places = pool.places
        if prepared is not None:
            ask = self._look_up(prepared.places, prepared) and ask
        is_old = self._is_old(places)
        answered = not is_old.any() or (ask and self._look_up(places[is_old]))
        age_s = self.clock() - self.read_at[places]
        is_known = age_s <= self._max_staleness_s
        keep = is_known & self.available[places]
        if not explicit:
            track_explicit = self.explicit[places]
            keep &= track_explicit == NO
            is_known &= track_explicit != UNKNOWN
        regions = self.regions[places]
        for row in np.flatnonzero(regions != EVERYWHERE).tolist():
            keep[row] &= country in self.region_sets[regions[row]]
        return Allowed(
            pool.keep(keep), answered, float(age_s[keep].max(initial=0.0)), len(places) - int(is_known.sum())
        )

    def refresh(self, pause: Callable[[float], object] = time.sleep) -> bool:
        """Look up all tracks whose rights were not read within ``MAX_AGE_S``; return whether the store answered.

        Args:
            pause: waits for some seconds between blocks, so that answers have the processor; true ends the refresh.
        """
        places = np.flatnonzero(self._is_old(slice(None)))
        for start in range(0, len(places), BLOCK):
            began = time.perf_counter()
            if not self._look_up(places[start : start + BLOCK]) or pause(PAUSE * (time.perf_counter() - began)):
                return False
        return True

    def take_over(
        self,
        places: np.ndarray,
        read_at: np.ndarray,
        available: np.ndarray,
        explicit: np.ndarray,
        regions: Mapping[int, frozenset[str]],
    ) -> None:
        """Take rights over that were read later than the known ones.

        Args:
            places: (n,) places of the tracks, each once.
            read_at: (n,) when the rights were read, in seconds of the clock.
            available: (n,) bool, false where the track was taken down.
            explicit: (n,) ``NO``, ``YES`` or ``UNKNOWN``.
            regions: row → countries, for the tracks that may not be played everywhere.
        """
        with self._lock:
            numbers = np.full(len(places), EVERYWHERE, np.int32)
            for row, countries in regions.items():
                numbers[row] = self._region_number(countries)
            is_newer = read_at > self.read_at[places]
            if not is_newer.all():
                places, read_at, numbers = places[is_newer], read_at[is_newer], numbers[is_newer]
                available, explicit = available[is_newer], explicit[is_newer]
            self.regions[places], self.available[places], self.explicit[places] = numbers, available, explicit
            self.read_at[places] = read_at  # last: another thread takes rights that were never read for unknown

    def _is_old(self, places: np.ndarray | slice, age_s: float = MAX_AGE_S) -> np.ndarray:
        return self.clock() - np.maximum(self.read_at[places], self.missed_at[places]) > age_s

    def _keys(self, places: np.ndarray) -> dict[str, list[str]]:
        return {"track_id": [self.track_ids[place] for place in places.tolist()]}

    def _region_number(self, countries: frozenset[str]) -> int:
        number = self._region_numbers.get(countries)
        if number is None:
            number = self._region_numbers[countries] = len(self.region_sets)
            self.region_sets.append(countries)
        return number

    def _look_up(self, places: np.ndarray, prepared: RightsLookup | None = None) -> bool:
        """Look rights up; return whether the online store answered. Without a row, those of a listed track stay."""
        began_at = self.clock() if prepared is None else prepared.began_at
        try:
            if prepared is None:
                rows = self.features.get(self._keys(places))
            else:
                rows = self.features.get(prepared.lookup.keys, prepared=prepared.lookup)
        except OnlineUnavailable:
            return False
        is_online = ~np.isnan(rows.event_times[_VIEW]) | self._is_unlisted[places]
        self.missed_at[places[~is_online]] = began_at
        values, missing = rows.columns, rows.missing
        available = missing[f"{_VIEW}__available"] | values[f"{_VIEW}__available"]
        explicit = np.where(missing[f"{_VIEW}__explicit"], UNKNOWN, values[f"{_VIEW}__explicit"])
        countries = values[f"{_VIEW}__regions"][is_online]
        listed = np.flatnonzero(~missing[f"{_VIEW}__regions"][is_online])
        regions = {row: frozenset(countries[row]) for row in listed.tolist()}
        places = places[is_online]
        self.take_over(places, np.full(len(places), began_at), available[is_online], explicit[is_online], regions)
        return True
