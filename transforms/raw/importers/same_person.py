"""Whether two exports are of one person: by the plays that both hold, where their times overlap."""

from collections.abc import Container
from pathlib import Path

import polars as pl

from feature_repo.errors import InputError

MINUTE = "minute"
"""Column with the minute of a play, since 1970."""

_SAME, _OWN = 0.9, 0.3
"""Least shares of the plays of the smaller and of the larger export, while they overlap, that are the same."""


def same_person(one: pl.DataFrame, other: pl.DataFrame) -> bool | None:
    """Whether two sets of plays are of one person; None if no time is in both.

    Args:
        one: (plays, columns) the ``MINUTE`` of each play, and what else tells plays of one minute apart.
        other: the same of another export.

    >>> minutes = pl.DataFrame({MINUTE: [1, 2, 3], "ms_played": [10, 20, 30]})
    >>> same_person(minutes, minutes), same_person(minutes, minutes.with_columns(ms_played=0))
    (True, False)
    """
    first = max(bound(one, "min"), bound(other, "min"))
    last = min(bound(one, "max"), bound(other, "max"))
    shared = [plays.filter(pl.col(MINUTE).is_between(first, last)) for plays in (one, other)]
    smaller, larger = sorted(shared, key=lambda plays: plays.height)
    if not smaller.height:
        return None
    same = smaller.join(larger, on=smaller.columns, how="semi").height
    return same >= _SAME * smaller.height and same >= _OWN * larger.height


def bound(plays: pl.DataFrame, which: str) -> int:
    """The first (``min``) or last (``max``) minute of plays; 0 without plays.

    >>> bound(pl.DataFrame({MINUTE: [3, 7]}), "max")
    7
    """
    value = plays[MINUTE].min() if which == "min" else plays[MINUTE].max()
    return value if isinstance(value, int) else 0


def unused_id(wanted: str, taken: Container[str]) -> str:
    """The wanted id, with a number behind it if it is taken.

    >>> unused_id("deezer:me", {"deezer:me"})
    'deezer:me-2'
    """
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def nameless(service: str, path: Path, place: str) -> InputError:
    """The error for an export of which nothing says whose it is.

    Args:
        service: name of the format.
        path: what is read.
        place: where the export is within the path; empty for all of it.

    >>> print(nameless("deezer", Path("old"), "").next_command)
    refrain import deezer old --user NAME
    """
    where = path / place if place else path
    return InputError(
        expected="an export that names its listener, or has plays of a time that another one of them covers",
        found=f"neither in {where}, so that it may be of a person who is known, or of another",
        next_command=f"refrain import {service} {where} --user NAME",
    )
