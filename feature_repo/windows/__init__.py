"""The declaration language of windowed features: aggregates, windows and keys, independent of any engine.

A ``WindowedTable`` is declared once. The Feast view (``feature_repo.definitions.views``), the batch run
(``transforms.batch.windows``) and the test oracle all read this declaration. Imports no Feast.

**What a window is.** At a moment T, a window of width w and hop h holds the events with

    floor(T to h) − w  ≤  event_timestamp  <  T

The window ends at T itself; its start moves in hops, aligned to the UTC clock. A table with ``every="1d"`` has rows
only at midnight, where the hop is a day and the window exactly w wide. A table with ``every="event"`` has a row after
each event, and at each hop at which an event leaves a window. Its hops are 5 minutes for windows shorter than 12 hours,
an hour for windows shorter than 12 days, else a day. These are the hops of Chronon: a window is at most 8 % too wide
from 1 h on, 4 % for a day and 4 % for 28 days.

**Missing values are ignored.** They do not enter sums, means or extremes. A missing boolean counts as false. An event
without the key, or without the aggregated value, is ignored.
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
    Previous,
    Quantile,
    Rate,
    Ratio,
    Slope,
    Std,
    Sum,
    TimeSinceLast,
    TopK,
)
from feature_repo.windows.condition import Column, Condition, column
from feature_repo.windows.enrich import Enrich
from feature_repo.windows.event_source import EventSource
from feature_repo.windows.table import Window, WindowedTable

__all__ = [
    "Aggregate",
    "Column",
    "Condition",
    "Conditional",
    "Count",
    "CountIf",
    "DecayedSum",
    "Distinct",
    "Enrich",
    "EventSource",
    "First",
    "Last",
    "LastN",
    "Max",
    "Mean",
    "Min",
    "Previous",
    "Quantile",
    "Rate",
    "Ratio",
    "Slope",
    "Std",
    "Sum",
    "TimeSinceLast",
    "TopK",
    "Window",
    "WindowedTable",
    "column",
]
