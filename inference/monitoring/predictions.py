"""A log of answers: what was said, by which model, of every family; ``python -m inference monitor`` reads it.

``REFRAIN_LOG_PREDICTIONS=0.1`` logs one answer in ten, as JSON lines in ``data/predictions/``; ``monitor pack`` makes
Parquet of them. Writing is done by a thread of its own (``background_log``); answers are never held up, and a full
disk costs lines, not answers.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog, share_of


class PredictionLog(BackgroundLog):
    """Logs some of the answers of one process.

    Args:
        home: the data folder.
        share: of the answers that are logged; after ``REFRAIN_LOG_PREDICTIONS`` if None.

    Raises:
        InputError: the variable names no share.
    """

    WHAT = "predictions"

    def __init__(self, home: Home, share: float | None = None) -> None:
        super().__init__(share_of("REFRAIN_LOG_PREDICTIONS") if share is None else share)
        self._folder = home.predictions

    def put(self, family: str, model: str, **values: Any) -> None:
        """Log an answer, if it is one of those that are; never waits.

        Args:
            family: ``recommendations``, ``forecasts``, ``anomalies``, ``texts`` or ``sounds``.
            model: name and version.
            values: what was said: numbers, truths and short texts.
        """
        if self._share and self.wants():
            self.tell((time.time(), family, model, values))

    def line(self, told: Any) -> tuple[Path, dict[str, Any]]:
        """One answer."""
        at, family, model, values = told
        day = datetime.fromtimestamp(at, UTC).date()
        return self._folder / f"family={family}" / f"date={day}", {"at": round(at * 1e6), "model": model, **values}
