"""How long each stage of a run takes."""

import time

from feature_repo.command_line import Progress


class Clock:
    """Seconds of each stage, and the progress over all.

    Args:
        tell: whom to tell.
        stages: how many there are.
    """

    def __init__(self, tell: Progress, stages: int) -> None:
        self.seconds: dict[str, float] = {}
        self.tell, self._stages = tell, stages
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """A stage is over."""
        now = time.perf_counter()
        self.seconds[stage], self._last = now - self._last, now
        self.tell(len(self.seconds), self._stages, f"{stage} done")
