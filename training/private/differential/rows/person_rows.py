"""A few rows of each person, by the hash of the row: who else is in the data has no part in the choice."""

import polars as pl

MOST_ROWS = 16
"""Rows of a person. All of them are learned from as one mean, so more would make the mean a little steadier."""


def choose_rows(rows: pl.DataFrame, person: str, most: int = MOST_ROWS) -> pl.DataFrame:
    """Returns at most so many rows of each person; those without a person or a label are left out.

    Args:
        rows: labelled rows, with ``label``.
        person: column of the person.
        most: largest number of rows of a person.

    >>> rows = pl.DataFrame({"user_id": ["a", "a", "b", None], "label": [1, 0, 1, 0], "day": [1, 2, 1, 1]})
    >>> choose_rows(rows, "user_id", 1)["user_id"].sort().to_list()
    ['a', 'b']
    """
    known = rows.filter(
        pl.col(person).is_not_null() & pl.col("label").is_not_null() & pl.col("label").cast(pl.Float64).is_finite()
    )
    order = known.hash_rows(seed=0)
    return known.with_columns(_order=order).filter(pl.col("_order").rank("ordinal").over(person) <= most).drop("_order")
