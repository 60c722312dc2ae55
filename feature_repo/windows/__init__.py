"""The language of windowed features: what is counted, over which time, for whom; never how.

A ``WindowedTable`` says it once. Feast's view (``feature_repo.views``), the batch (``transforms.batch.windows``) and
the oracle of the tests read the same declaration. Imports no Feast.

**What a window is.** At a moment T, a window of width w and hop h holds the events with

    floor(T to h) − w  ≤  event_timestamp  <  T

Its end is T itself; its start moves in hops, on the clock of UTC. A table with ``every="1d"`` has rows at midnights
alone, where the hop is the day and the window exactly w wide. A table with ``every="event"`` has a row after each
event and at each hop at which something left a window; its hops are 5 minutes for windows shorter than 12 hours, an
hour for those shorter than 12 days, else a day (those of Chronon, so that a window is at most 8 % too wide from 1 h
on, 4 % for a day and 4 % for 28 days).

**What is not told does not count.** A missing number is left out of sums, means, extremes; a missing truth is false;
an event without the key, or without the value that is counted, does not count.
"""

from feature_repo.windows.aggregates import (
    Aggregate,
    Conditional,
    Count,
    CountIf,
    DecayedSum,
    Distinct,
    First,
    Last,
    LastN,
    Max,
    Mean,
    Min,
    Rate,
    Std,
    Sum,
    TimeSinceLast,
    TopK,
)
from feature_repo.windows.condition import Column, Condition, column
from feature_repo.windows.events import (
    ACTIONS,
    EVENTS,
    EventSource,
    feedback,
    host_metrics,
    log_lines,
    logins,
    plays,
    requests,
)
from feature_repo.windows.table import Window, WindowedTable

__all__ = [
    "ACTIONS",
    "EVENTS",
    "Aggregate",
    "Column",
    "Condition",
    "Conditional",
    "Count",
    "CountIf",
    "DecayedSum",
    "Distinct",
    "EventSource",
    "First",
    "Last",
    "LastN",
    "Max",
    "Mean",
    "Min",
    "Rate",
    "Std",
    "Sum",
    "TimeSinceLast",
    "TopK",
    "Window",
    "WindowedTable",
    "column",
    "feedback",
    "host_metrics",
    "log_lines",
    "logins",
    "plays",
    "requests",
]
