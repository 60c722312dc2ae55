"""Reads rows of a table, to look at its columns."""

from pathlib import Path

import polars as pl

from transforms.raw.dates import FORMAT, are_dates
from transforms.raw.own_tables import booleans
from transforms.raw.own_tables.files import open_table
from transforms.raw.own_tables.times import recognize, suggestion

MOST_ROWS = 100_000


def sample(path: Path) -> pl.DataFrame:
    """Reads the first rows of a table; the columns of a text file get the narrowest type that holds them.

    Args:
        path: a file that ``refrain import table`` reads.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    table, frames, count = open_table(path), [], 0
    for chunk in table.chunks():
        frames.append(pl.DataFrame({name: pl.Series(name, values) for name, values in chunk.columns.items()}))
        count += chunk.rows
        if count >= MOST_ROWS:
            break
    rows = pl.concat(frames, how="diagonal_relaxed")
    return rows.select(typed(column, table.decimal) for column in rows.get_columns()) if table.is_text else rows


def time_format(column: pl.Series) -> str:
    """Returns the format in which a column has its times; empty if they are recognized without.

    >>> time_format(pl.Series(["31.12.2025 23:59"])), time_format(pl.Series(["2025-12-31T23:59"]))
    ('%d.%m.%Y %H:%M', '')
    """
    cells = column.head(1_000).to_arrow()
    return "" if recognize(cells) is not None else suggestion(cells)


def typed(column: pl.Series, decimal: str = ".") -> pl.Series:
    """Converts texts to booleans, integers, floats or days if every one of them is one; empty texts are missing.

    Args:
        column: texts.
        decimal: the character between a number and its fraction.

    >>> typed(pl.Series(["1", "", "3"])).to_list(), typed(pl.Series(["1", "x"])).dtype
    ([1, None, 3], String)
    >>> typed(pl.Series(["2026-03-01", "2026-02-28"])).dtype, typed(pl.Series(["2026-03-01", "2026-02-30"])).dtype
    (Date, String)
    """
    texts = column.str.strip_chars().replace("", None)
    numeric = texts if decimal == "." else texts.str.replace(",", ".", literal=True)
    if texts.null_count() == len(texts):
        return texts
    if booleans.are_certain(texts):
        flags = texts.str.to_lowercase().is_in(booleans.TRUE)
        return flags.fill_null(False) if booleans.are_marks(texts) else flags
    for dtype in (pl.Int64, pl.Float64):
        numbers = numeric.cast(dtype, strict=False)
        if numbers.null_count() == texts.null_count():
            return numbers
    return texts.str.to_date(FORMAT) if are_dates(texts).all() else texts
