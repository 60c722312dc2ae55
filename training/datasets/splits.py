"""Splits by time: training comes before validation and test, for everybody at the same moments."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from feature_repo.errors import InputError

LEAST_EVENTS = 100


@dataclass(frozen=True)
class TimeSplit:
    """One global split of events by time.

    Attributes:
        validation: first moment of validation, µs since 1970 UTC; training is everything before.
        test: first moment of test.
        end: first moment after the last event.

    >>> times = np.arange(1_000)
    >>> split = TimeSplit.by_share(times)
    >>> split.validation, split.test, split.end
    (800, 900, 1000)
    >>> split.folds(times, 2)
    [(160, 480), (480, 800)]
    """

    validation: int
    test: int
    end: int

    @classmethod
    def by_share(cls, times: np.ndarray, *, validation: float = 0.1, test: float = 0.1) -> "TimeSplit":
        """Takes the last ``test`` share of the events as test, and the ``validation`` share before them as validation.

        Args:
            times: (n,) µs since 1970 UTC, in any order. Events of one moment stay together, in the later part.
            validation: share of the events.
            test: share of the events.

        Raises:
            InputError: there are too few events, or they all happened within one part.
        """
        if len(times) < LEAST_EVENTS:
            raise InputError(
                expected=f"at least {LEAST_EVENTS} plays to learn from",
                found=f"{len(times)}",
                next_command="refrain import FORMAT PATH  (or: refrain simulate)",
            )
        ordered = np.sort(times)
        first_test = ordered[round(len(ordered) * (1 - test))]
        first_validation = ordered[round(len(ordered) * (1 - test - validation))]
        if not ordered[0] < first_validation < first_test:
            raise InputError(
                expected="plays spread over time",
                found="too many at one moment to split",
                next_command="check event_timestamp of the source",
            )
        return cls(int(first_validation), int(first_test), int(ordered[-1]) + 1)

    def folds(self, times: np.ndarray, count: int, *, since: float = 0.2) -> list[tuple[int, int]]:
        """Returns (cutoff, end) of consecutive periods before validation, each with the same number of events.

        Args:
            times: (n,) µs since 1970 UTC.
            count: number of periods.
            since: share of the training events that come before the first cutoff.
        """
        ordered = np.sort(times[times < self.validation])
        positions = np.linspace(round(len(ordered) * since), len(ordered), count + 1).astype(int)
        bounds = [*(int(ordered[position]) for position in positions[:-1]), self.validation]
        return [(first, last) for first, last in pairwise(bounds) if first < last]
