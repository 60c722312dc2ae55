"""What was shown to whom, with which chance: the log that off-policy evaluation and experiments learn from.

``REFRAIN_LOG_IMPRESSIONS=1`` logs every answer (a share is possible, too), as JSON lines in ``data/impressions/``:
who asked, when, of which model, and of each slot the track, its score, its chance and whether it was explored.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog, share_of

if TYPE_CHECKING:
    from inference.recommend.answer import Answer


class ImpressionLog(BackgroundLog):
    """Logs answers.

    Args:
        home: the data folder.
        share: of the answers that are logged, 0 to 1.
    """

    WHAT = "impressions"

    def __init__(self, home: Home, share: float) -> None:
        super().__init__(share)
        self._folder = home.impressions

    @classmethod
    def from_env(cls, home: Home) -> "ImpressionLog | None":
        """After ``REFRAIN_LOG_IMPRESSIONS``; one log for each data folder of the process, None without the variable.

        Raises:
            InputError: it is no share.
        """
        share = share_of("REFRAIN_LOG_IMPRESSIONS")
        return _shared(home, share) if share else None

    def line(self, told: "Answer") -> tuple[Path, dict[str, Any]]:
        """One answer."""
        shown = ("track_id", "score", "source", "propensity", "explored")
        return self._folder / f"date={datetime.fromtimestamp(told.at, UTC).date()}", {
            "answer_id": told.answer_id,
            "at": round(told.at * 1e6),
            "user_id": told.user_id,
            "model": told.model,
            "strategy": told.strategy,
            "features": told.features,
            "slots": [{name: value for name, value in asdict(item).items() if name in shown} for item in told.items],
        }


@cache
def _shared(home: Home, share: float) -> ImpressionLog:
    return ImpressionLog(home, share)
