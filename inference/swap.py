"""Swaps champions without a restart: a newly promoted model is loaded beside the old one, tried out, then swapped in.

A request keeps the model with which it began, so no request fails. A model that cannot be loaded or fails its trial is
logged and not used; the champion before it goes on serving.
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
CHECK_SECONDS = 2.0
"""Seconds between two checks for promotions."""
_log = logging.getLogger("refrain.swap")


@dataclass(frozen=True)
class Swap:
    """The outcome of one promotion.

    Attributes:
        at: time of the swap, or of the attempt.
        taken: whether the promoted model serves now.
        reason: why it does not serve; empty if it does.
    """

    at: datetime
    taken: bool
    reason: str = ""


class Live(Generic[T]):
    """A served object, made of one or several models and replaced when one is promoted. Safe to share between threads.

    Args:
        load: creates the object from the models that are promoted now.
        models: names of models whose promotion is followed; a pinned version (``recommendation:3``) never changes.
        home: the data folder.
        try_out: makes a trial request before the object serves; raises if it fails.

    Attributes:
        swaps: outcomes of promotions since the first load, the newest last.
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
        names_and_versions = map(name_and_version, models)
        self._files = [home.bundles(model) / ALIASES for model, version in names_and_versions if not version]
        self._lock = threading.Lock()
        self._loaded: T | None = None
        self._promoted: tuple[bytes, ...] = ()
        self.swaps: list[Swap] = []

    @property
    def loaded(self) -> T | None:
        """The served object; None before the first request."""
        return self._loaded

    def get(self) -> T:
        """Return the served object; load it on the first call.

        Raises:
            RefrainError: it cannot be loaded.
        """
        loaded = self._loaded
        if loaded is not None:
            return loaded
        with self._lock:
            if self._loaded is None:
                promoted = self._promoted_now()
                self._loaded, self._promoted = self._load(), promoted
            return self._loaded

    def refresh(self) -> Swap | None:
        """Load and swap in a model promoted since the last call; None if there is none."""
        if self._loaded is None or self._promoted_now() == self._promoted:
            return None
        with self._lock:
            promoted = self._promoted_now()
            if promoted == self._promoted:
                return None
            try:
                successor = self._load()
                self._try_out(successor)
            except Exception as error:  # whatever a damaged model raises, the one before it goes on serving
                reason = f"{type(error).__name__}: {error}"
                _log.warning("the promoted model is not used: %s", reason)
                swap = Swap(datetime.now(UTC), taken=False, reason=reason)
            else:
                self._loaded = successor
                swap = Swap(datetime.now(UTC), taken=True)
            self._promoted = promoted
            self.swaps = [*self.swaps[-19:], swap]
            return swap

    def _promoted_now(self) -> tuple[bytes, ...]:
        return tuple(file.read_bytes() if file.is_file() else b"" for file in self._files)


class Watcher:
    """A thread that checks for promotions; ``close`` ends it.

    Args:
        lives: served objects by name.
        on_swap: called with the name and the outcome of a promotion.
        seconds: seconds between two checks.
    """

    def __init__(
        self, lives: dict[str, Live], on_swap: Callable[[str, Swap], None], seconds: float = CHECK_SECONDS
    ) -> None:
        self._lives, self._on_swap = lives, on_swap
        self._ticker = Ticker("swap", seconds, self._check)

    def start(self) -> None:
        """Start the thread."""
        self._ticker.start()

    def close(self) -> None:
        """Stop the thread."""
        self._ticker.close()

    def look(self) -> None:
        """Check once, now."""
        for name, live in list(self._lives.items()):
            try:
                swap = live.refresh()
            except OSError as error:  # the folder cannot be read: look again later
                _log.warning("%s: %s", name, error)
                continue
            if swap:
                self._on_swap(name, swap)

    def _check(self) -> float:
        """Check, and return seconds to wait in addition, so that slow loading does not keep a core busy."""
        started = time.monotonic()
        self.look()
        return min(time.monotonic() - started, 30.0)
