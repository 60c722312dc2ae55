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
    >>> split.outside_gaps(np.array([780, 795, 800, 895]), 10).tolist()
    [True, False, True, False]
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

    @classmethod
    def at(cls, times: np.ndarray, *, test: int, end: int, validation: int, gap: int = 0) -> "TimeSplit":
        """Takes fixed moments, as protocols of public data do: the same ones for everybody who measures by them.

        Args:
            times: (n,) µs since 1970 UTC, in any order.
            test: first moment of test.
            end: first moment after test.
            validation: length of validation in µs, which ends ``gap`` before test.
            gap: µs before validation and before test of which nothing is learned; ``outside_gaps`` leaves them out.

        Raises:
            InputError: a part has no events.

        >>> split = TimeSplit.at(np.arange(100), test=90, end=100, validation=10, gap=2)
        >>> split.validation, split.test, split.end
        (78, 90, 100)
        """
        split = cls(test - gap - validation, test, end)
        parts = {
            "training": times < split.validation - gap,
            "validation": (times >= split.validation) & (times < test - gap),
            "test": (times >= test) & (times < end),
        }
        if empty := [name for name, is_in_part in parts.items() if not is_in_part.any()]:
            raise InputError(
                expected="plays before validation, in it, and in the test period",
                found=f"none in {empty[0]}",
                next_command="check that all of the data set is imported",
            )
        return split

    def outside_gaps(self, times: np.ndarray, gap: int) -> np.ndarray:
        """Returns (n,) whether each time is outside of the gaps before validation and before test."""
        in_gaps = [(times >= moment - gap) & (times < moment) for moment in (self.validation, self.test)]
        return ~(in_gaps[0] | in_gaps[1])

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
