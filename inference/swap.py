"""What serves a champion, and its successor as soon as one is promoted: loaded beside it, tried, then swapped in.

A request holds on to what it began with, so that none is lost. What cannot be loaded, or fails its trial, is told and
left out; the champion before it goes on.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from feature_repo.bundle import ALIASES, name_and_version
from feature_repo.home import Home
from inference.ticker import Ticker

T = TypeVar("T")
SECONDS = 2.0
"""Between two looks at what is promoted."""
_log = logging.getLogger("refrain.swap")


@dataclass(frozen=True)
class Swap:
    """What became of one promotion.

    Attributes:
        at: when.
        taken: whether it serves now.
        reason: why not; empty if it does.
    """

    at: datetime
    taken: bool
    reason: str = ""


class Live(Generic[T]):
    """One thing that serves, of one or several models. Safe to share between threads.

    Args:
        load: makes it, from what is promoted now.
        models: names whose promotion matters; a version that is named (``recommendation:3``) never changes.
        home: the data folder.
        try_out: asks something of it before it serves; raises if the answer is none.

    Attributes:
        swaps: what became of promotions since it was first loaded, the newest last.
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
        self._promoted: tuple[bytes, ...] = ()
        self.swaps: list[Swap] = []

    @property
    def loaded(self) -> T | None:
        """What serves; None if nobody asked yet."""
        return self._loaded

    def get(self) -> T:
        """What serves; loaded if nobody asked before.

        Raises:
            RefrainError: it cannot be loaded.
        """
        found = self._loaded
        if found is not None:
            return found
        with self._lock:
            if self._loaded is None:
                promoted = self._now()
                self._loaded, self._promoted = self._load(), promoted
            return self._loaded

    def refresh(self) -> Swap | None:
        """Take over what was promoted since; None if that is nothing."""
        if self._loaded is None or self._now() == self._promoted:
            return None
        with self._lock:
            promoted = self._now()
            if promoted == self._promoted:
                return None
            try:
                successor = self._load()
                self._try_out(successor)
            except Exception as error:  # whatever a damaged model does, the one before it serves
                reason = f"{type(error).__name__}: {error}"
                _log.warning("not taken over: %s", reason)
                swap = Swap(datetime.now(UTC), taken=False, reason=reason)
            else:
                self._loaded = successor
                swap = Swap(datetime.now(UTC), taken=True)
            self._promoted = promoted
            self.swaps = [*self.swaps[-19:], swap]
            return swap

    def _now(self) -> tuple[bytes, ...]:
        return tuple(file.read_bytes() if file.is_file() else b"" for file in self._files)


class Watcher:
    """A thread that looks for promotions; ``close`` ends it.

    Args:
        lives: what serves, by name.
        told: called with the name and what became of a promotion.
        seconds: between two looks.
    """

    def __init__(self, lives: dict[str, Live], told: Callable[[str, Swap], None], seconds: float = SECONDS) -> None:
        self._lives, self._told = lives, told
        self._ticker = Ticker("swap", seconds, self._looked)

    def start(self) -> None:
        """Begin."""
        self._ticker.start()

    def close(self) -> None:
        """End."""
        self._ticker.close()

    def look(self) -> None:
        """Once, now."""
        for name, live in list(self._lives.items()):
            try:
                swap = live.refresh()
            except OSError as error:  # the folder cannot be read: look again later
                _log.warning("%s: %s", name, error)
                continue
            if swap:
                self._told(name, swap)

    def _looked(self) -> float:
        """Look; a model that takes long to load must not keep a core busy."""
        started = time.monotonic()
        self.look()
        return min(time.monotonic() - started, 30.0)
