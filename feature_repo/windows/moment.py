"""What is finished at the moment of the question: time since the last event, and sums that fade.

The table keeps what does not change between two events; one on-demand view a table, ``<table>_now``, does the rest,
the same in a training set and online.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from feature_repo.windows.aggregates import DecayedSum
from feature_repo.windows.table import WindowedTable, duration

SECOND = 1_000_000.0


def name_of(table: WindowedTable) -> str:
    """Name of a table's on-demand view."""
    return f"{table.name}_now"


def inputs(table: WindowedTable) -> dict[str, str]:
    """Argument of ``function`` → column; empty for a table that has nothing of the moment."""
    moments = {name: feature for name, feature in table.features.items() if feature.of_the_moment}
    read = {
        column: f"{table.name}__{column}"
        for name, feature in moments.items()
        for column, _ in feature.fields(name, "", "")
    }
    return read | {"request_timestamp": "request_timestamp"} if read else {}


def outputs(table: WindowedTable) -> dict[str, str]:
    """Name → Feast type of what ``function`` returns."""
    return {name: "Float64" for name, feature in table.features.items() if feature.of_the_moment}


def function(table: WindowedTable) -> Callable[..., dict[str, np.ndarray]]:
    """One pure numpy function, for ``feature_repo.on_demand``."""
    half_lives = {
        name: duration(feature.half_life) / SECOND if isinstance(feature, DecayedSum) else None
        for name, feature in table.features.items()
        if feature.of_the_moment
    }
    return partial(finish, half_lives)


def finish(
    half_lives: Mapping[str, float | None], request_timestamp: np.ndarray, **columns: np.ndarray
) -> dict[str, np.ndarray]:
    """Seconds since ``<name>_at``, or ``<name>_mass`` as faded since then.

    Args:
        half_lives: name → seconds, None for the time since the last event.
        request_timestamp: (n,) seconds since 1970.
        columns: (n,) ``<name>_at`` in microseconds since 1970 and ``<name>_mass``; NaN where nothing happened.

    Returns:
        Name → (n,); NaN where nothing happened for a time, 0 for a sum.
    """
    out = {}
    for name, half_life in half_lives.items():
        passed = request_timestamp - columns[f"{name}_at"] / SECOND
        if half_life is None:
            out[name] = passed
        else:
            out[name] = np.where(np.isnan(passed), 0.0, columns[f"{name}_mass"] * np.exp2(-passed / half_life))
    return out
