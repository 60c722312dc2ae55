"""The groups of people as of a time, from raw tables of states: plan, country, age, gender, or what a project has."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from feature_repo.home import Home
from transforms.raw.declared import raw_tables
from transforms.raw.read import scan

BIRTH_YEAR = "birth_year"
"""Column that becomes bands of age."""
BANDS = ((0, "under 18"), (18, "18–24"), (25, "25–34"), (35, "35–49"), (50, "50 and over"))
"""Age from which a band begins, and its name."""
_AT = "event_timestamp"


def groups_of(
    home: Home, columns: Sequence[str], key: str, ids: Sequence[str] | np.ndarray, times: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns division → (n,) group of each unit; empty where it is not known at the time.

    The last row of an entity holds until its next. A table without the key, or without rows, makes no divisions. The
    year of birth becomes a band of age at the time.

    Args:
        home: the data folder.
        columns: table and column of each division, such as ``users.plan``.
        key: join key of the ids, such as ``user_id``.
        ids: (n,) identifier of each unit.
        times: (n,) time of each unit, in µs since 1970 UTC.
    """
    tables = raw_tables(home)
    result: dict[str, np.ndarray] = {}
    units = pl.DataFrame({key: np.asarray(ids, np.str_), _AT: times}).with_row_index("unit")
    units = units.with_columns(pl.col(_AT).cast(pl.Datetime("us", "UTC"))).sort(_AT)
    for name in columns:
        table, _, column = name.partition(".")
        if table not in tables or not {key, column} <= set(tables[table].columns):
            continue
        states = scan(home, table).select(pl.col(key).cast(pl.String), _AT, value=pl.col(column)).sort(_AT).collect()
        if states.is_empty():
            continue
        joined = units.join_asof(states, on=_AT, by=key, check_sortedness=False).sort("unit")
        division = division_of(name)
        if column == BIRTH_YEAR:
            ages = joined[_AT].dt.year() - joined["value"].cast(pl.Int64)
            result[division] = np.array([_band(age) for age in ages.to_list()], np.str_)
        else:
            result[division] = np.array(joined["value"].cast(pl.String).fill_null("").to_list(), np.str_)
    return result


def division_of(column: str) -> str:
    """Returns the name of the division by a column such as ``users.plan``; ``age`` for the year of birth.

    >>> division_of("users.plan"), division_of("users.birth_year")
    ('plan', 'age')
    """
    name = column.partition(".")[2]
    return "age" if name == BIRTH_YEAR else name


def _band(age: int | None) -> str:
    if age is None or age < 0:
        return ""
    return [name for start, name in BANDS if age >= start][-1]
