"""The log of predictions: values and model version of the answers of every family, for ``refrain monitor``.

``REFRAIN_LOG_PREDICTIONS=0.1`` logs one answer in ten, as JSON lines in ``data/predictions/``; ``monitor pack`` turns
them into Parquet. A background thread writes them (``background_log``); answers never wait, and a full disk loses log
lines, not answers.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog, share_of


class PredictionLog(BackgroundLog):
    """Logs a share of the answers of one process.

    Args:
        home: the data folder.
        share: share of the answers to log, 0 to 1; the value of ``REFRAIN_LOG_PREDICTIONS`` if None.

    Raises:
        InputError: the variable is not a share from 0 to 1.
    """

    WHAT = "predictions"

    def __init__(self, home: Home, share: float | None = None) -> None:
        super().__init__(share_of("REFRAIN_LOG_PREDICTIONS") if share is None else share, home)
        self._folder = home.predictions

    def put(self, family: str, model: str, **values: float | str | bool | None) -> None:
        """Queue an answer to be logged if it falls into the share; never blocks.

        Args:
            family: ``recommendations``, ``forecasts``, ``anomalies``, ``texts`` or ``sounds``.
            model: name and version of the model.
            values: values of the answer: numbers, booleans and short texts.
        """
        if self._share and self.wants():
            self.add((time.time(), family, model, values))

    def to_line(self, record: Any) -> tuple[Path, dict[str, Any]]:
        """Return the folder and the log line of one answer."""
        at, family, model, values = record
        day = datetime.fromtimestamp(at, UTC).date()
        return self._folder / f"family={family}" / f"date={day}", {"at": round(at * 1e6), "model": model, **values}
