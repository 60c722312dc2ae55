"""Rights that outlive a model and a process: taken over by the next model, and kept in a file of the data folder.

While the online store answers, a serving process reads the rights of all tracks every ``REFRESH_S`` seconds and writes
them to ``data/rights/`` every ``SAVE_S`` seconds. So a model that is promoted, or a process that starts, while the
store does not answer knows what may be played.
"""

import contextlib
import json
import os
import time
import weakref
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from inference.recommend.rights import EVERYWHERE, MAX_STALENESS_S, Rights
from transforms.pure import npz

REFRESH_S = 30.0
"""Seconds between two readings of the rights of all tracks."""
SAVE_S = 60.0
"""Least seconds between two writings of the file, by whichever process."""
CLOCK_ERROR_S = 60.0
"""Seconds by which a file may be from the future; if it is more, its age is not known, and it does not count."""
STALENESS = "REFRAIN_RIGHTS_MAX_AGE"
"""Environment variable for ``MAX_STALENESS_S``."""


class KnownRights:
    """The rights of all models of a process, by identifiers of tracks.

    Args:
        file: where rights are kept for the next process.
        wall: seconds since 1970, from which the age of the file follows.
    """

    def __init__(self, file: Path, wall: Callable[[], float] = time.time) -> None:
        self.file, self._wall = file, wall
        self._rights: weakref.WeakSet[Rights] = weakref.WeakSet()

    @classmethod
    def of(cls, home: Home) -> "KnownRights":
        """Return those of a data folder, the same object for all models of this process."""
        return _shared(home)

    def add(self, rights: Rights) -> None:
        """Add the rights of a model that was loaded; it takes over what the others and the file know."""
        if self.file.is_file():
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile):
                _restore(rights, npz.unpack(self.file.read_bytes()), self._wall())
        for other in list(self._rights):
            _copy(other, rights)
        self._rights.add(rights)

    def refresh(self, pause: Callable[[float], object] = time.sleep) -> bool:
        """Read the rights of all tracks, and write the file if that is due; return whether the store answered.

        Args:
            pause: see ``Rights.refresh``.
        """
        answers = [rights.refresh(pause) for rights in list(self._rights)]
        if all(answers) and self._is_due():
            self.save()
        return all(answers)

    def save(self) -> None:
        """Write the file; a folder that cannot be written is left alone."""
        known = max(list(self._rights), key=lambda rights: len(rights.track_ids), default=None)
        if known is None or not known.is_known:
            return
        with contextlib.suppress(OSError):
            write_whole(self.file, _pack(known, self._wall()))

    def _is_due(self) -> bool:
        try:
            return not 0 <= self._wall() - self.file.stat().st_mtime < SAVE_S
        except OSError:
            return True


def max_staleness_s() -> float:
    """Return the seconds for which rights count while the store does not answer, from ``REFRAIN_RIGHTS_MAX_AGE``.

    Raises:
        InputError: the variable is not a number of 0 or more.
    """
    text = os.environ.get(STALENESS, "")
    try:
        seconds = float(text) if text else MAX_STALENESS_S
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(
            expected=f"{STALENESS} as seconds, 0 or more", found=repr(text), next_command=f"export {STALENESS}=3600"
        )
    return seconds


@cache
def _shared(home: Home) -> KnownRights:
    return KnownRights(home.root / "rights" / f"{home.tenant}.npz")


def _copy(source: Rights, target: Rights) -> None:
    target_place = {track: place for place, track in enumerate(target.track_ids)}
    pairs = [(row, target_place[track]) for row, track in enumerate(source.track_ids) if track in target_place]
    if not pairs:
        return
    rows, places = np.array(pairs, np.int64).T
    numbers = source.regions[rows]
    regions = {row: source.region_sets[numbers[row]] for row in np.flatnonzero(numbers != EVERYWHERE).tolist()}
    target.take_over(places, source.read_at[rows], source.available[rows], source.explicit[rows], regions)


def _pack(rights: Rights, now: float) -> bytes:
    sets = [sorted(countries) for countries in rights.region_sets]
    header = {"track_ids": list(rights.track_ids), "region_sets": sets, "saved_at": now}
    arrays: dict[str, np.ndarray] = {
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
        "age_s": rights.clock() - rights.read_at,
        "available": rights.available,
        "explicit": rights.explicit,
        "regions": rights.regions,
    }
    return npz.pack(arrays, compressed=False)


def _restore(target: Rights, arrays: dict[str, np.ndarray], now: float) -> None:
    header = json.loads(arrays["header"].tobytes())
    elapsed_s = now - float(header["saved_at"])
    if elapsed_s < -CLOCK_ERROR_S:
        return
    stored = Rights(target.features, header["track_ids"], clock=target.clock)
    stored.region_sets = [frozenset(countries) for countries in header["region_sets"]]
    stored.read_at = target.clock() - max(elapsed_s, 0.0) - arrays["age_s"]
    stored.available, stored.explicit, stored.regions = arrays["available"], arrays["explicit"], arrays["regions"]
    _copy(stored, target)
