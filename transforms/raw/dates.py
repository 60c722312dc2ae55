"""Days written as texts, of which there is one for each: "2026-03-01"."""

from typing import TypeVar

import polars as pl

Texts = TypeVar("Texts", pl.Series, pl.Expr)

FORMAT = "%Y-%m-%d"


def are_dates(texts: Texts) -> Texts:
    """Whether (n,) texts are days of the years 1 to 9999; null for a missing text.

    >>> are_dates(pl.Series(["2026-02-28", "2026-02-30", "2026-2-3", None])).to_list()
    [True, False, False, None]
    """
    days = texts.str.to_date(FORMAT, strict=False).dt.to_string(FORMAT).fill_null("")
    return (days == texts) & (texts >= "0001")
