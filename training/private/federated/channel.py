"""What a run needs of the transport: sums of masked words, and public messages. Secure aggregation provides it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np


class Total(Protocol):
    """The sum of one round."""

    @property
    def words(self) -> np.ndarray:
        """(n,) uint64 sum of the words of the silos, modulo 2^64."""

    @property
    def silos(self) -> Sequence[str]:
        """Names of the silos that are in the sum."""

    @property
    def dropped(self) -> Sequence[str]:
        """Names of the silos that are not."""


class CoordinatorChannel(Protocol):
    """The coordinator's side."""

    def collect(
        self,
        round_name: str,
        words: int,
        *,
        threshold: int,
        timeout_s: float,
        about: Mapping[str, str] | None = None,
    ) -> Total:
        """Sums what the silos submit to a round.

        Args:
            round_name: name of the round, which was never used.
            words: number of words of each silo.
            threshold: fewest silos whose sum may be seen.
            timeout_s: seconds after which a phase goes on without those that are missing.
            about: what a silo has to agree on, by name.

        Raises:
            RefrainError: fewer silos than the threshold came to its end.
        """

    def publish(self, name: str, content: bytes) -> None:
        """Shows bytes to every silo, under a name that never has other bytes."""


class SiloChannel(Protocol):
    """A silo's side."""

    def submit(self, round_name: str, words: np.ndarray, *, about: Mapping[str, str] | None = None) -> None:
        """Submits (n,) uint64 words to a round, under masks; ``about`` has to be the coordinator's.

        Raises:
            RefrainError: the round is over, or went on without this silo.
        """

    def fetch(self, name: str, timeout_s: float) -> bytes:
        """Waits for what the coordinator shows under a name.

        Raises:
            RefrainError: nothing came in time.
        """
