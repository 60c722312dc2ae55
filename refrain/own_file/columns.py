"""Finds the columns of a task: those that a person names, else those of usual names, else the only one that fits."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from feature_repo.errors import InputError
from refrain.own_file.table import OwnFile
from transforms.raw.files.text import storable
from transforms.raw.own_tables.source import Cells
from transforms.raw.own_tables.times import SUGGESTIONS, TimeForm, convert_times, recognize

USUAL: dict[str, tuple[str, ...]] = {
    "time": (
        *("event_timestamp", "timestamp", "datetime", "date_time", "time", "ts", "ds", "date", "day", "month", "year"),
        *("at", "created_at", "ordered_at", "played_at", "listened_at", "datum", "zeit", "fecha", "endtime"),
    ),
    "value": ("value", "y", "target", "sales", "count", "plays", "amount", "quantity", "demand", "total", "wert"),
    "series": ("series", "unique_id", "series_id", "id", "item_id", "store", "product", "sku", "key", "name"),
    "user": (
        *("user_id", "user", "userid", "listener", "customer_id", "customer", "client_id", "member_id", "username"),
        *("account_id", "visitor_id", "session_id"),
    ),
    "item": (
        *("item_id", "item", "itemid", "track_id", "track", "movie_id", "movieid", "product_id", "product", "song"),
        *("book_id", "isbn", "article_id", "sku", "title", "trackname", "artist_id", "artist"),
    ),
    "label": ("label", "class", "target", "category", "sentiment", "emotion", "churned", "returned", "y", "outcome"),
    "text": ("text", "tweet", "review", "comment", "message", "sentence", "body", "content", "description"),
}
"""Role → names that are tried in this order, whatever their case and the signs between words."""

COARSE = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%Y")
"""Formats of months and years."""

_SAMPLE = 5_000


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        column: its name.
        values: (rows,) datetimes in microseconds, UTC; null for a missing time or one that cannot be read.
        words: how they are written.
        refused: number of cells that are no time.
    """

    column: str
    values: pl.Series
    words: str
    refused: int


def named(file: OwnFile, column: str, option: str) -> str:
    """Checks that the file has a column that an option names.

    Raises:
        InputError: it has none of this name.
    """
    if column in file.columns:
        return column
    close = difflib.get_close_matches(column, file.columns, n=1, cutoff=0.5)
    raise InputError(
        expected=f"the column {column!r} in {file.path}",
        found=f"the columns {listed(file.columns)}",
        next_command=f"repeat the command with --{option} {close[0] if close else 'COLUMN'}",
    )


def find(file: OwnFile, role: str, *, given: str = "", without: Sequence[str] = ()) -> str | None:
    """Finds the column of a role.

    Args:
        file: the file.
        role: key of ``USUAL``.
        given: name of the column as the option has it; empty to search.
        without: columns of other roles.

    Returns:
        The name; None if there is no usual one.

    Raises:
        InputError: there is no column of the given name.
    """
    if given:
        return named(file, given, role)
    plain_names = {_plain(name): name for name in reversed(file.columns) if name not in without}
    return next((plain_names[_plain(usual)] for usual in USUAL[role] if _plain(usual) in plain_names), None)


def require(file: OwnFile, role: str, meaning: str, *, given: str = "", without: Sequence[str] = ()) -> str:
    """Finds the column of a role; see ``find``.

    Args:
        file: the file.
        role: key of ``USUAL``.
        meaning: what its cells are, for the message.
        given: name of the column as the option has it.
        without: columns of other roles.

    Raises:
        InputError: there is none.
    """
    column = find(file, role, given=given, without=without)
    if column is not None:
        return column
    raise missing(file, role, meaning)


def missing(file: OwnFile, role: str, meaning: str) -> InputError:
    """The error that a column is not found among the usual names."""
    return InputError(
        expected=f"a column with {meaning}, named {', '.join(USUAL[role][:4])} … or by --{role}",
        found=f"{'the one column' if len(file.columns) == 1 else 'the columns'} {listed(file.columns)} in {file.path}",
        next_command=f"repeat the command with --{role} COLUMN",
    )


def times(file: OwnFile, *, given: str = "", form: str = "", without: Sequence[str] = ()) -> Times | None:
    """Finds the column of times by its name, else by its content, and reads it.

    Args:
        file: the file.
        given: name of the column as the option has it.
        form: unit or format of the times, as of ``refrain import table --time-format``.
        without: columns of other roles.

    Returns:
        The times; None if no column has any.

    Raises:
        InputError: the named column is absent or has no times, or they can be read in two ways.
    """
    column = find(file, "time", given=given, without=without)
    if column is None:
        for name in file.columns:
            if name not in without and not file.is_numeric(name) and _form(file.cells[name], "") is not None:
                column = name
                break
    if column is None:
        return None
    cells = file.cells[column]
    time_form = _form(cells, form)
    if isinstance(time_form, list):
        raise InputError(
            expected=f"times in {column!r} that can be read in one way",
            found=f"{_example(file, column)}, which fits {' and '.join(time_form)}",
            next_command=f"repeat the command with --time-format {time_form[0]!r}",
        )
    if time_form is None:
        if not given:
            return None
        raise InputError(
            expected=f"times in the column {column!r}: ISO 8601, numbers since 1970, or a format",
            found=_example(file, column),
            next_command="repeat the command with --time COLUMN or --time-format '%d.%m.%Y %H:%M'",
        )
    converted = convert_times(cells, time_form)
    values = pl.Series(column, converted.values)
    if values.null_count() == len(values):
        raise InputError(
            expected=f"times in the column {column!r}, {time_form.words}",
            found=_example(file, column),
            next_command="repeat the command with --time COLUMN or --time-format FORMAT",
        )
    return Times(column, values, time_form.words, len(converted.refused))


def require_times(file: OwnFile, *, given: str = "", form: str = "", without: Sequence[str] = ()) -> Times:
    """Finds the column of times; see ``times``.

    Raises:
        InputError: there is none.
    """
    result = times(file, given=given, form=form, without=without)
    if result is None:
        raise missing(file, "time", "times")
    return result


def listed(names: Sequence[str], most: int = 12) -> str:
    """The first names of many, quoted.

    >>> listed(["a", "b", "c"], 2)
    "'a', 'b' and 1 more"
    """
    first_names = ", ".join(storable(repr(name[:60])) for name in names[:most])
    return first_names if len(names) <= most else f"{first_names} and {len(names) - most:,} more"


def span(values: pl.Series) -> str:
    """The first and the last of times, in words."""
    present = values.drop_nulls()
    first, last = present.min(), present.max()
    assert isinstance(first, datetime) and isinstance(last, datetime)
    return f"{first.astimezone(UTC):%Y-%m-%d %H:%M} to {last.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _form(cells: Cells, given: str) -> TimeForm | list[str] | None:
    """The form of times; two formats if both fit and mean different times; None if there is none."""
    sample = cells[:_SAMPLE]
    recognized = recognize(sample, given)
    if recognized is not None:
        return recognized
    texts = [str(cell).strip() for cell in (sample.to_pylist() if isinstance(sample, pa.Array) else sample) if cell]
    texts = [text for text in dict.fromkeys(texts) if text]
    if not texts:
        return None
    fitting = [form for form in (*SUGGESTIONS, *COARSE) if all(_is_of(text, form) for text in texts)]
    if not fitting or (fitting == ["%Y"] and not all(1800 <= int(text) <= 2200 for text in texts)):
        return None
    meanings = {form: [datetime.strptime(text, form) for text in texts] for form in fitting}
    other = next((form for form in fitting[1:] if meanings[form] != meanings[fitting[0]]), None)
    if other is not None:
        return [fitting[0], other]
    return TimeForm("format", fitting[0], f"{fitting[0]}, without a zone: taken as UTC")


def _is_of(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except (ValueError, re.error):
        return False
    return True


def _example(file: OwnFile, column: str) -> str:
    texts = file.texts(column).drop_nulls()
    return f"{str(texts[0])[:60]!r}" if len(texts) else "no value in any row"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
