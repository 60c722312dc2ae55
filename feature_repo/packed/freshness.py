"""Freshness of views in the online store, from the status that writers of packed values record."""

from collections.abc import Sequence
from dataclasses import dataclass

from feature_repo.packed import entity_key
from feature_repo.packed.server import Server, raise_errors, retry


@dataclass(frozen=True)
class Freshness:
    """Write status of one view.

    Attributes:
        view: name of the view.
        newest_event: newest event time ever written, in seconds since 1970 UTC; None if there is none.
        written_at: time of the last write, in seconds since 1970 UTC; None if there is none.
        rows_written: total rows written; a repeated write of a row counts again.
    """

    view: str
    newest_event: float | None
    written_at: float | None
    rows_written: int

    def age(self, now: float) -> float | None:
        """Returns the age of the newest event, in seconds; None without one."""
        return None if self.newest_event is None else now - self.newest_event


def freshness(server: Server, project: str, views: Sequence[str]) -> list[Freshness]:
    """Reads the freshness of views in one round trip.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    keys = [entity_key.status(project, view) for view in views]
    commands = [("HMGET", key, "newest_event", "written_at", "rows_written") for key in keys]
    statuses = retry(server, lambda: raise_errors(server.send(commands, keys)), tries=2) if keys else []
    return [
        Freshness(view, _seconds(newest), _seconds(written), int(rows or 0))
        for view, (newest, written, rows) in zip(views, statuses, strict=True)
    ]


def _seconds(microseconds: bytes | None) -> float | None:
    return None if microseconds is None else int(microseconds) / 1_000_000
