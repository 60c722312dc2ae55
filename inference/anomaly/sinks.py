"""Sends notices of incidents to files and webhooks, without repeating them too often."""

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
from feature_repo.output.json_text import to_json
from inference.anomaly.notice_times import NoticeTimes
from inference.anomaly.observation import IncidentReport

REPEAT_SECONDS = 3_600.0
MAX_PENDING = 1_000
"""Maximum number of undelivered notices per sink; beyond it the oldest are dropped and counted."""


class Sink(Protocol):
    """A destination of notices."""

    def send(self, notice: dict[str, Any]) -> None:
        """Deliver one notice; raises OSError if it cannot be delivered now."""
        ...


@dataclass(frozen=True)
class FileSink:
    """Appends each notice to a file, as one JSON object per line."""

    path: Path

    def send(self, notice: dict[str, Any]) -> None:
        """Append the notice as one line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as handle:
            handle.write(to_json(notice) + "\n")


@dataclass(frozen=True)
class WebhookSink:
    """Posts each notice as JSON to a URL.

    Attributes:
        url: address, http or https.
        timeout: seconds to wait for an answer.
    """

    url: str
    timeout: float = 5.0

    def send(self, notice: dict[str, Any]) -> None:
        """POST the notice; any status other than 2xx raises OSError."""
        request = urllib.request.Request(
            self.url, to_json(notice).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout):
                pass
        except urllib.error.HTTPError as error:
            raise OSError(f"HTTP {error.code}") from error


def sink_of(text: str) -> Sink:
    """Create a webhook sink for ``http://…`` or ``https://…``, else a file sink.

    Raises:
        InputError: the text is a URL with another scheme.
    """
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in ("http", "https"):
        return WebhookSink(text)
    if scheme:
        raise InputError(
            expected="a file, or an address that begins with http:// or https://",
            found=repr(text),
            next_command="refrain anomalies --help",
        )
    return FileSink(Path(text).expanduser().absolute())


@dataclass
class Alerts:
    """Sends incidents to sinks: when one is new, and again every ``repeat`` seconds while it goes on.

    Notices that a sink does not accept are queued and tried again with the next call.

    Attributes:
        sinks: destinations of the notices.
        repeat: seconds between two notices of the same incident.
        clock: clock in seconds; one that all processes share where ``times`` is shared.
        times: when the last notice of each incident was sent.
        dropped: number of notices that were dropped because too many were queued.
    """

    sinks: Sequence[Sink]
    repeat: float = REPEAT_SECONDS
    clock: Callable[[], float] = time.monotonic
    dropped: int = 0
    times: NoticeTimes = field(default_factory=NoticeTimes)
    _queues: list[deque[dict[str, Any]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _delivering: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._queues = [deque() for _ in self.sinks]

    def add(self, detector: str, incidents: Iterable[IncidentReport], *, deliver: bool = True) -> int:
        """Queue notices that are due and deliver them if ``deliver``; returns the number that were due."""
        now = self.clock()
        with self._lock:
            due = self._queue_due(detector, incidents, now)
        if deliver:
            self.deliver()
        return due

    def _queue_due(self, detector: str, incidents: Iterable[IncidentReport], now: float) -> int:
        due = 0
        with self.times.update() as notified_at:
            for incident in incidents:
                key = f"{detector}/{incident.id}"
                last = notified_at.get(key)
                if last is not None and 0 <= now - last < self.repeat:
                    continue
                notified_at[key] = now
                due += 1
                notice = {"detector": detector, "state": "new" if last is None else "going on", **_as_json(incident)}
                for queue in self._queues:
                    queue.append(notice)
                    if len(queue) > MAX_PENDING:
                        queue.popleft()
                        self.dropped += 1
        return due

    @property
    def waiting(self) -> int:
        """Number of notices that are not delivered yet."""
        return sum(map(len, self._queues))

    def deliver(self) -> None:
        """Send queued notices; only one thread delivers at a time, others return at once."""
        if not self._delivering.acquire(blocking=False):
            return
        try:
            for sink, queue in zip(self.sinks, self._queues, strict=True):
                while queue:
                    try:
                        sink.send(queue[0])
                    except OSError:
                        break
                    with self._lock:
                        queue.popleft()
        finally:
            self._delivering.release()


def _as_json(incident: IncidentReport) -> dict[str, Any]:
    return asdict(incident) | {"start": incident.start.isoformat(), "end": incident.end.isoformat()}
