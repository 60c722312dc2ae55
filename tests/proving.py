"""How long to prove, from which seed, and what was compared: ``make prove SEED=1 MINUTES=10``."""

import itertools
import os
import time
from collections.abc import Iterator


class Budget:
    """Seconds of one proof, and a count of what it compared.

    Args:
        name: of the proof.
        seconds: that it may take.
        seed: of its first world.
    """

    def __init__(self, name: str, seconds: float, seed: int) -> None:
        self.name, self.seconds, self.seed = name, seconds, seed
        self.rows = self.worlds = 0
        self._started = time.monotonic()

    @classmethod
    def from_env(cls, name: str, *, seconds: float) -> "Budget":
        """From ``REFRAIN_PROVE_SEED``, and ``REFRAIN_PROVE_MINUTES`` in the place of ``seconds``."""
        minutes = os.environ.get("REFRAIN_PROVE_MINUTES")
        return cls(name, 60 * float(minutes) if minutes else seconds, int(os.environ.get("REFRAIN_PROVE_SEED", "1")))

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        return self.elapsed >= self.seconds

    def seeds(self) -> Iterator[int]:
        """One after the other until the time is over; one at the least."""
        for seed in itertools.count(self.seed):
            yield seed
            self.worlds += 1
            if self.is_spent:
                return

    def count(self, rows: int) -> None:
        """So many rows more were compared."""
        self.rows += rows

    def say(self) -> None:
        """One line for people."""
        print(f"{self.name}: {self.rows:,} rows of {self.worlds} worlds from seed {self.seed}, {self.elapsed:.0f} s")
