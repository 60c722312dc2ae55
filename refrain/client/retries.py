"""When a request is sent again: after a status that says so, or a connection that was lost, with growing pauses.

Every route may be repeated: an event, an act or a change of an experiment that arrives twice counts once.
"""

import random
from dataclasses import dataclass

from refrain.client.errors import ApiError

STATUSES = (429, 502, 503, 504)
"""Statuses after which another attempt may succeed."""
FIRST_PAUSE_S = 0.2
"""Seconds before the first retry; doubled for each further one, and shortened by up to a half at random."""


@dataclass(frozen=True)
class Retries:
    """How often a request is repeated, and how long the client waits.

    Attributes:
        most: maximum number of retries; 0 for none.
        longest_wait: maximum seconds before one retry. A service that wants a longer pause is not asked again.
    """

    most: int = 3
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        if self.most < 0 or self.longest_wait < 0:
            raise ValueError(f"retries and longest_wait from 0 on, not {self.most} and {self.longest_wait}")

    def pause(self, attempt: int, failure: ApiError, *, is_lost: bool) -> float | None:
        """Returns the seconds before the next attempt; None if there is none.

        Args:
            attempt: number of the attempt that failed, from 0.
            failure: its error.
            is_lost: whether the connection failed, so that there is no status.
        """
        if attempt >= self.most or not (is_lost or failure.status in STATUSES):
            return None
        if failure.retry_after is not None:
            return failure.retry_after if failure.retry_after <= self.longest_wait else None
        longest = FIRST_PAUSE_S * 2.0**attempt
        return min(random.uniform(longest / 2, longest), self.longest_wait)
