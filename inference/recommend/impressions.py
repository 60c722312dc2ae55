"""The impression log: which tracks were shown to whom, with their propensities, for off-policy evaluation.

``REFRAIN_LOG_IMPRESSIONS=1`` logs every answer (0.1 logs one in ten), as JSON lines in ``data/impressions/``: the
listener, the time, the model, and for each slot the track, its score, its propensity and whether it was explored.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog, share_of

if TYPE_CHECKING:
    from inference.recommend.answer import Answer


class ImpressionLog(BackgroundLog):
    """Logs answers with the tracks that they show.

    Args:
        home: the data folder.
        share: share of the answers to log, 0 to 1.
    """

    WHAT = "impressions"

    def __init__(self, home: Home, share: float) -> None:
        super().__init__(share, home)
        self._folder = home.impressions

    @classmethod
    def from_env(cls, home: Home) -> "ImpressionLog | None":
        """Return the log set up by ``REFRAIN_LOG_IMPRESSIONS``, one for each data folder; None without the variable.

        Raises:
            InputError: the variable is not a share from 0 to 1.
        """
        share = share_of("REFRAIN_LOG_IMPRESSIONS")
        return _shared(home, share) if share else None

    def to_line(self, answer: "Answer") -> tuple[Path, dict[str, Any]]:
        """Return the folder and the log line of one answer."""
        slot_fields = ("track_id", "score", "source", "propensity", "explored")
        return self._folder / f"date={datetime.fromtimestamp(answer.at, UTC).date()}", {
            "answer_id": answer.answer_id,
            "at": round(answer.at * 1e6),
            "user_id": answer.user_id,
            "model": answer.model,
            "strategy": answer.strategy,
            "features": answer.features,
            "slots": [{name: getattr(item, name) for name in slot_fields} for item in answer.items],
        }


@cache
def _shared(home: Home, share: float) -> ImpressionLog:
    return ImpressionLog(home, share)
