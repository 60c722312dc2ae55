"""How old what is online is: read from what the writers of packed values note."""

from collections.abc import Sequence
from dataclasses import dataclass

from feature_repo.packed import entity_key
from feature_repo.packed.server import Server, persistent, raised


@dataclass(frozen=True)
class Freshness:
    """Of one view.

    Attributes:
        newest_event: seconds since 1970 UTC of the newest row that was ever written; None if none was.
        written_at: when something was written last.
        rows_written: how many rows were written since the view is online, the same row again counted again.
    """

    view: str
    newest_event: float | None
    written_at: float | None
    rows_written: int

    def age(self, now: float) -> float | None:
        """Seconds since the newest event."""
        return None if self.newest_event is None else now - self.newest_event


def freshness(server: Server, project: str, views: Sequence[str]) -> list[Freshness]:
    """Of some views, in one round trip.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    keys = [entity_key.status(project, view) for view in views]
    commands = [("HMGET", key, "newest_event", "written_at", "rows_written") for key in keys]
    found = persistent(server, lambda: raised(server.send(commands, keys)), tries=2) if keys else []
    return [
        Freshness(view, _seconds(newest), _seconds(written), int(rows or 0))
        for view, (newest, written, rows) in zip(views, found, strict=True)
    ]


def _seconds(microseconds: bytes | None) -> float | None:
    return None if microseconds is None else int(microseconds) / 1_000_000
