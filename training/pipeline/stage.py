"""Stages of one run: what each was made of, what came of it and how long it took, in a file that outlives a kill."""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from feature_repo.home import Home


@dataclass(frozen=True)
class Stage:
    """One stage that is over.

    Attributes:
        name: of it.
        seconds: that it took.
        cached: whether nothing had to be done.
        told: what came of it.
    """

    name: str
    seconds: float
    cached: bool
    told: str


class Stages:
    """Runs stages, each only where what it is made of has changed since it last ended.

    Args:
        home: the data folder.
        again: run every stage in any case.
        say: told of each stage that ends.
    """

    def __init__(self, home: Home, *, again: bool = False, say: Callable[[Stage], None] = lambda stage: None) -> None:
        self._path = home.pipeline / "stages.json"
        self._again, self._say = again, say
        self.done: list[Stage] = []
        self._known: dict[str, dict[str, Any]] = {}
        with suppress(OSError, ValueError, AttributeError):  # damaged, it has nothing to say
            known = json.loads(self._path.read_text()).items()
            self._known = {name: one for name, one in known if isinstance(one, dict) and {"key", "told"} <= one.keys()}

    def run(self, name: str, key: str, work: Callable[[], str], *, always: bool = False) -> Stage:
        """Do the work of a stage, unless it was done with the same key.

        Args:
            name: of the stage.
            key: of everything that it reads, as it will be before the work; empty if that is not known.
            work: does it, and tells what came of it.
            always: whether it decides by itself what is to be done.
        """
        started = time.perf_counter()
        known = self._known.get(name)
        cached = not always and not self._again and bool(key) and known is not None and known["key"] == key
        told = str(known["told"]) if cached and known else work()
        stage = Stage(name, time.perf_counter() - started, cached, told)
        if not cached:
            self._known[name] = {"key": key, "told": told, "at": datetime.now(UTC).isoformat()}
            self._save()
        self.done.append(stage)
        self._say(stage)
        return stage

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps(self._known, indent=1))
        partial.replace(self._path)
