"""Who is told of incidents, and that they are told once."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from feature_repo.errors import InputError
from inference.anomaly.detector import ToldIncident

REPEAT_SECONDS = 3_600.0
MOST_WAITING = 1_000
"""Notices that wait for a webhook that does not answer; the oldest are dropped beyond, and counted."""
REMEMBERED = 100_000


class Sink(Protocol):
    """Takes notices."""

    def send(self, notice: dict[str, Any]) -> None:
        """Deliver one; raises OSError if it cannot be delivered now."""
        ...


@dataclass(frozen=True)
class FileSink:
    """One JSON object a line, appended."""

    path: Path

    def send(self, notice: dict[str, Any]) -> None:
        """Append a line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as handle:
            handle.write(json.dumps(notice) + "\n")


@dataclass(frozen=True)
class WebhookSink:
    """POST of JSON to an address.

    Attributes:
        url: http or https.
        timeout: seconds.
    """

    url: str
    timeout: float = 5.0

    def send(self, notice: dict[str, Any]) -> None:
        """POST it; anything but a 2xx is an OSError."""
        request = urllib.request.Request(
            self.url, json.dumps(notice).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout):
                pass
        except urllib.error.HTTPError as error:
            raise OSError(f"HTTP {error.code}") from error


def sink_of(text: str) -> Sink:
    """``http://…`` or ``https://…`` for a webhook, else a file.

    Raises:
        InputError: it is an address of another kind.
    """
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in ("http", "https"):
        return WebhookSink(text)
    if scheme:
        raise InputError(
            expected="a file, or an address that begins with http:// or https://",
            found=repr(text),
            next_command="python -m inference anomalies --help",
        )
    return FileSink(Path(text).expanduser().absolute())


@dataclass
class Alerts:
    """Tells sinks of incidents: when one is new, and again each ``repeat`` seconds while it goes on.

    What a sink does not take waits, and is tried again with the next telling.

    Attributes:
        sinks: who is told.
        repeat: seconds.
        clock: for tests.
        dropped: notices that waited too long.
    """

    sinks: Sequence[Sink]
    repeat: float = REPEAT_SECONDS
    clock: Callable[[], float] = time.monotonic
    dropped: int = 0
    _told: dict[str, float] = field(default_factory=dict)
    _waiting: list[deque[dict[str, Any]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _delivering: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._waiting = [deque() for _ in self.sinks]

    def tell(self, detector: str, incidents: Iterable[ToldIncident], *, deliver: bool = True) -> int:
        """Note those that are due, and deliver them unless somebody else does; returns how many were due."""
        now = self.clock()
        with self._lock:
            due = self._due(detector, incidents, now)
        if deliver:
            self.deliver()
        return due

    def _due(self, detector: str, incidents: Iterable[ToldIncident], now: float) -> int:
        due = 0
        for incident in incidents:
            key = f"{detector}/{incident.id}"
            last = self._told.get(key)
            if last is not None and now - last < self.repeat:
                continue
            self._told.pop(key, None)
            self._told[key] = now
            due += 1
            notice = {"detector": detector, "state": "new" if last is None else "going on", **_plain(incident)}
            for waiting in self._waiting:
                waiting.append(notice)
                if len(waiting) > MOST_WAITING:
                    waiting.popleft()
                    self.dropped += 1
        while len(self._told) > REMEMBERED:
            self._told.pop(next(iter(self._told)))
        return due

    @property
    def waiting(self) -> int:
        """Notices that could not be delivered yet."""
        return sum(map(len, self._waiting))

    def deliver(self) -> None:
        """Send what waits; one thread at a time, others return at once."""
        if not self._delivering.acquire(blocking=False):
            return
        try:
            for sink, waiting in zip(self.sinks, self._waiting, strict=True):
                while waiting:
                    try:
                        sink.send(waiting[0])
                    except OSError:
                        break
                    with self._lock:
                        waiting.popleft()
        finally:
            self._delivering.release()


def _plain(incident: ToldIncident) -> dict[str, Any]:
    return asdict(incident) | {"start": incident.start.isoformat(), "end": incident.end.isoformat()}
