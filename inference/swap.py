"""Hot swap of champions: a newly promoted version is loaded beside the old one, tried out, then swapped in.

A request keeps the version that it began with, so no request is lost. A version that cannot be loaded or fails its
trial is logged and refused; the previous champion keeps serving.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from feature_repo.bundle import ALIASES, CHAMPION, name_and_version
from feature_repo.home import Home
from inference.public_text import describe
from inference.ticker import Ticker

T = TypeVar("T")
POLL_SECONDS = 2.0
"""Seconds between two checks for promotions."""
_log = logging.getLogger("refrain.swap")


@dataclass(frozen=True)
class Swap:
    """The outcome of one promotion.

    Attributes:
        at: time of the outcome.
        accepted: whether the promoted version serves now.
        reason: why the version was refused, in words for callers of the API; empty if it was accepted.
    """

    at: datetime
    accepted: bool
    reason: str = ""


class Live(Generic[T]):
    """One serving object made of one or several models, replaced on promotion. Safe to share between threads.

    Args:
        load: makes the object from the current champions.
        models: names of the models whose promotions count. A fixed version (``recommendation:3``) never changes.
        home: the data folder.
        try_out: tests a new object before it serves; raises if it fails.

    Attributes:
        swaps: outcomes of the promotions since the first load, newest last.
    """

    def __init__(
        self,
        load: Callable[[], T],
        models: Sequence[str],
        home: Home,
        *,
        try_out: Callable[[T], object] = lambda loaded: None,
    ) -> None:
        self._load, self._try_out = load, try_out
        named = map(name_and_version, models)
        self._files = [home.bundles(model) / ALIASES for model, version in named if not version]
        self._lock = threading.Lock()
        self._loaded: T | None = None
        self._promoted: tuple[bytes | None, ...] = ()
        self.swaps: list[Swap] = []

    @property
    def loaded(self) -> T | None:
        """The serving object; None if it was never requested."""
        return self._loaded

    @property
    def is_promoted(self) -> bool:
        """Whether one of its models has been promoted."""
        return any(CHAMPION.encode() in (aliases or b"") for aliases in self._read_aliases())

    def get(self) -> T:
        """Return the serving object; the first call loads it.

        Raises:
            RefrainError: a bundle cannot be loaded.
        """
        loaded = self._loaded
        if loaded is not None:
            return loaded
        with self._lock:
            if self._loaded is None:
                promoted = self._read_aliases()
                self._loaded, self._promoted = self._load(), promoted
            return self._loaded

    def refresh(self) -> Swap | None:
        """Swap in a newly promoted version and return the outcome; None if nothing was promoted.

        After a demotion nothing serves until the next request, which loads what is promoted then. Where the file of
        promotions is gone or damaged, the model stays.
        """
        if self._loaded is None or self._read_aliases() == self._promoted:
            return None
        with self._lock:
            promoted = self._read_aliases()
            if promoted == self._promoted:
                return None
            if any(map(_is_demotion, self._promoted, promoted)):
                self._loaded, self._promoted = None, promoted
                return self._add(Swap(datetime.now(UTC), accepted=True, reason="demoted: no version serves"))
            try:
                successor = self._load()
                self._try_out(successor)
            except Exception as error:  # whatever a damaged model raises, the previous one serves
                _log.warning("not taken over: %s: %s", type(error).__name__, error)
                swap = Swap(datetime.now(UTC), accepted=False, reason=describe(error))
            else:
                self._loaded = successor
                swap = Swap(datetime.now(UTC), accepted=True)
            self._promoted = promoted
            return self._add(swap)

    def _add(self, swap: Swap) -> Swap:
        self.swaps = [*self.swaps[-19:], swap]
        return swap

    def _read_aliases(self) -> tuple[bytes | None, ...]:
        """Return the content of each file; None for one that is not there."""
        return tuple(file.read_bytes() if file.is_file() else None for file in self._files)


def _is_demotion(before: bytes | None, now: bytes | None) -> bool:
    """Return whether a file of promotions named a champion, and now says that there is none."""
    if before is None or CHAMPION.encode() not in before:
        return False
    try:
        aliases = json.loads(now or b"null")
    except ValueError:
        return False
    return isinstance(aliases, dict) and CHAMPION not in aliases


class Watcher:
    """A thread that checks for promotions; ``close`` ends it.

    Args:
        lives: name → serving object.
        on_swap: called with the name and the outcome of each promotion.
        seconds: time between two checks.
    """

    def __init__(
        self, lives: dict[str, Live], on_swap: Callable[[str, Swap], None], seconds: float = POLL_SECONDS
    ) -> None:
        self._lives, self._on_swap = lives, on_swap
        self._ticker = Ticker("swap", seconds, self._timed_refresh)

    def start(self) -> None:
        """Start the thread."""
        self._ticker.start()

    def close(self) -> None:
        """End the thread."""
        self._ticker.close()

    def refresh_all(self) -> None:
        """Check all serving objects for promotions once, now."""
        for name, live in list(self._lives.items()):
            try:
                swap = live.refresh()
            except OSError as error:  # the folder cannot be read: try again later
                _log.warning("%s: %s", name, error)
                continue
            if swap:
                self._on_swap(name, swap)

    def _timed_refresh(self) -> float:
        """Refresh and return seconds to pause: a model that loads slowly must not keep a core busy."""
        started = time.monotonic()
        self.refresh_all()
        return min(time.monotonic() - started, 30.0)
