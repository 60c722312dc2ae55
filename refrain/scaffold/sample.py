"""Reads rows of a table, to look at its columns."""

from pathlib import Path

import polars as pl

from transforms.raw.own_tables.files import open_table

MOST_ROWS = 100_000
_FLAGS = {"true", "false", "yes", "no", "t", "f"}


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
    return rows.select(map(typed, rows.get_columns())) if table.is_text else rows


def typed(column: pl.Series) -> pl.Series:
    """Converts texts to booleans, integers or floats if every one of them is one; empty texts are missing.

    >>> typed(pl.Series(["1", "", "3"])).to_list(), typed(pl.Series(["1", "x"])).dtype
    ([1, None, 3], String)
    """
    texts = column.str.strip_chars().replace("", None)
    if texts.null_count() == len(texts):
        return texts
    if set(texts.drop_nulls().str.to_lowercase().unique()) <= _FLAGS:
        return texts.str.to_lowercase().is_in(["true", "yes", "t"])
    for dtype in (pl.Int64, pl.Float64):
        numbers = texts.cast(dtype, strict=False)
        if numbers.null_count() == texts.null_count():
            return numbers
    return texts
