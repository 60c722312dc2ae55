"""Stages of a run, each with its key, result and wall time, in a file that outlives a kill."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from feature_repo.home import Home
from feature_repo.whole_files import write_whole


@dataclass(frozen=True)
class Stage:
    """One finished stage.

    Attributes:
        name: name of the stage.
        seconds: wall time of the stage.
        cached: whether nothing had to be done.
        summary: the result in words.
    """

    name: str
    seconds: float
    cached: bool
    summary: str


class Stages:
    """Runs each stage only if its key has changed since it last ended.

    Args:
        home: the data folder.
        again: whether to run every stage in any case.
        say: callback for each finished stage.
    """

    def __init__(self, home: Home, *, again: bool = False, say: Callable[[Stage], None] = lambda stage: None) -> None:
        self._path = home.pipeline / "stages.json"
        self._again, self._say = again, say
        self.done: list[Stage] = []
        self._records: dict[str, dict[str, Any]] = {}
        with suppress(OSError, ValueError, AttributeError):  # a damaged file is ignored
            records = json.loads(self._path.read_text()).items()
            self._records = {
                name: record
                for name, record in records
                if isinstance(record, dict) and {"key", "summary"} <= record.keys()
            }

    def run(self, name: str, key: str, work: Callable[[], str], *, always: bool = False) -> Stage:
        """Does the work of a stage, unless it was done with the same key.

        Args:
            name: name of the stage.
            key: digest of everything the stage reads, as it is before the work; empty if it is not known.
            work: function that does the work and returns its result in words.
            always: whether the work decides by itself what is to be done.
        """
        started = time.perf_counter()
        record = self._records.get(name)
        cached = not always and not self._again and bool(key) and record is not None and record["key"] == key
        result = str(record["summary"]) if cached and record else work()
        stage = Stage(name, time.perf_counter() - started, cached, result)
        if not cached:
            self._records[name] = {"key": key, "summary": result, "at": datetime.now(UTC).isoformat()}
            self._save()
        self.done.append(stage)
        self._say(stage)
        return stage

    def _save(self) -> None:
        write_whole(self._path, json.dumps(self._records, indent=1))
