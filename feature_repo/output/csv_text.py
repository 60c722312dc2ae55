"""CSV whose cells no spreadsheet runs: a text that begins like a formula gets an apostrophe before it.

Spreadsheets take cells that begin with ``= + - @``, a tab or a line break for formulas, also after blanks (OWASP, CSV
Injection). Only texts are changed: a column of numbers keeps its minus signs. ``read_back`` undoes it exactly, also for
texts that began with an apostrophe themselves.
"""

import csv
import re
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

from feature_repo.output.plain import ACTING, inert

if TYPE_CHECKING:
    import polars as pl

_SIGNS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""Signs at the beginning of a formula, of ASCII and of full width, for a class of characters."""

_FORMULA = re.compile(f"'*[ \u00a0]*[{_SIGNS}]")
_SECURED = re.compile(f"'+[ \u00a0]*[{_SIGNS}]")

LONGEST = 32_767
"""Characters of a cell; spreadsheets hold no more."""


def cell(value: object) -> object:
    """Returns a value as it goes into a cell; only texts are changed, and cut at ``LONGEST``.

    >>> cell("=1+1"), cell("'=1"), cell("a=1"), cell(-1)
    ("'=1+1", "''=1", 'a=1', -1)
    """
    if not isinstance(value, str):
        return value
    text = inert(value.replace("\r\n", "\n"))
    return (f"'{text}" if _FORMULA.match(text) else text)[:LONGEST]


def read_back(text: str) -> str:
    """Returns the text that a cell was made of.

    >>> read_back("'=1+1"), read_back("''=1"), read_back("'quoted'")
    ('=1+1', "'=1", "'quoted'")
    """
    return text[1:] if _SECURED.match(text) else text


def write_rows(file: IO[str], rows: Iterable[Iterable[object]]) -> None:
    """Writes rows as CSV; their texts are made cells."""
    csv.writer(file).writerows([cell(value) for value in row] for row in rows)


def text_of(frame: "pl.DataFrame", **options: Any) -> str:
    """Returns a table as CSV, with names and texts as cells, and no value for numbers that are not finite.

    Args:
        frame: a table without nested columns.
        options: options of ``polars.DataFrame.write_csv``.
    """
    import polars as pl

    texts = [name for name, kind in frame.schema.items() if kind in (pl.String, pl.Categorical) or kind == pl.Enum]
    numbers = [name for name, kind in frame.schema.items() if kind.is_float()]
    cells = frame.with_columns(
        *(_cells(pl.col(name).cast(pl.String)).alias(name) for name in texts),
        *(pl.when(pl.col(name).is_finite()).then(name) for name in numbers),
    )
    return cells.rename({name: str(cell(name)) for name in frame.columns}).write_csv(**options)


def frame_read_back(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Returns a table that was read from such CSV with the texts that its cells were made of."""
    import polars as pl

    texts = pl.col(pl.String)
    is_secured = texts.str.contains(f"^{_SECURED.pattern}")
    return frame.with_columns(pl.when(is_secured).then(texts.str.slice(1)).otherwise(texts)).rename(
        {name: read_back(name) for name in frame.columns}
    )


def _cells(texts: "pl.Expr") -> "pl.Expr":
    """What ``cell`` makes of each text of a column."""
    import polars as pl

    shown = texts.str.replace_all("\r\n", "\n", literal=True).str.replace_all(
        f"[{ACTING}]", "\N{REPLACEMENT CHARACTER}"
    )
    is_formula = shown.str.contains(f"^{_FORMULA.pattern}")
    return pl.when(is_formula).then("'" + shown).otherwise(shown).str.slice(0, LONGEST)
