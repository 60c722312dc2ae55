"""Wall time of each stage of a run."""

import time

from feature_repo.command_line import Progress


class Clock:
    """Measures the seconds of each stage, and reports the progress over all.

    Args:
        report: progress callback.
        stages: number of stages.
    """

    def __init__(self, report: Progress, stages: int) -> None:
        self.seconds: dict[str, float] = {}
        self.report, self._stages = report, stages
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Ends a stage."""
        now = time.perf_counter()
        self.seconds[stage], self._last = now - self._last, now
        self.report(len(self.seconds), self._stages, f"{stage} done")
