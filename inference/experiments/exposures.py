"""Logs which arm a listener was shown, at the moment of the decision; ``refrain model experiment`` reads the log.

JSON lines in ``data/exposures/tenant=…/date=…/``. A thread of its own writes all exposures; those that are dropped
(disk full, a thousand pending) are counted in ``refrain_exposures_left_out_total``.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from inference.monitoring.background_log import BackgroundLog


class ExposureLog(BackgroundLog):
    """Writes the exposures of one process."""

    WHAT = "exposures"

    def __init__(self, home: Home) -> None:
        super().__init__(1.0, home)
        self._folder = home.exposures

    def to_line(self, exposure: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
        """Return the file and the fields of one exposure."""
        at = datetime.fromtimestamp(exposure["at"] / 1e6, UTC)
        return self._folder / f"date={at.date()}", exposure
