"""How long a proof goes on and from which seed, and what it says at its end.

``REFRAIN_PROVE_SEED`` and ``REFRAIN_PROVE_MINUTES`` say it (``make prove SEED=1 MINUTES=10``); without them a proof
takes a few seconds, always with the same seed.
"""

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest

DEFAULT_SECONDS = 5.0


class Proof:
    """Worlds made from one seed until the time is over, and the rows that were compared in them.

    Args:
        name: of the proof, for its report.

    Attributes:
        rows: compared so far; the proof adds to it.
    """

    def __init__(self, name: str) -> None:
        self.name, self.rows, self._worlds = name, 0, 0
        self.seed = int(os.environ.get("REFRAIN_PROVE_SEED", "0"))
        minutes = os.environ.get("REFRAIN_PROVE_MINUTES")
        self._seconds = float(minutes) * 60 if minutes else DEFAULT_SECONDS
        self._started = time.monotonic()

    def worlds(self) -> Iterator[tuple[int, np.random.Generator]]:
        """The number of each world and its random numbers, which depend on the seed and the number alone.

        ``REFRAIN_PROVE_WORLD`` names one world to make again.
        """
        only = os.environ.get("REFRAIN_PROVE_WORLD")
        number = int(only or 0)
        while not self._worlds or (only is None and time.monotonic() - self._started < self._seconds):
            try:
                yield number, np.random.default_rng([self.seed, number])
            except BaseException:
                self._report(f"failed in world {number}: REFRAIN_PROVE_SEED={self.seed} REFRAIN_PROVE_WORLD={number}")
                raise
            number, self._worlds = number + 1, self._worlds + 1
        self._report("no difference")

    def fail(self, world: int, what: str) -> None:
        """Stop at a difference, with what makes the same world again."""
        pytest.fail(f"{self.name}: {what}\nagain: REFRAIN_PROVE_SEED={self.seed} REFRAIN_PROVE_WORLD={world}")

    def _report(self, result: str) -> None:
        seconds = time.monotonic() - self._started
        print(
            f"\n{self.name}: seed {self.seed}, {self._worlds:,} worlds, {self.rows:,} rows, {seconds:.0f} s"
            f" ({self.rows / max(seconds, 1e-9) * 60:,.0f} rows a minute): {result}"
        )
