"""Which column of a table becomes which column of the events, and in which form; shown before anything is stored."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa

from feature_repo.errors import InputError
from feature_repo.windows import EventSource
from transforms.raw.own_tables import booleans
from transforms.raw.own_tables.cells import FRACTIONAL, Form, convert, plain, words_of
from transforms.raw.own_tables.request import CREATED, TIME, TableRequest
from transforms.raw.own_tables.source import Cells, Chunk, OwnTable
from transforms.raw.own_tables.times import TimeForm, convert_times, likely_unit, recognize, suggestion
from transforms.raw.table import CLOCK_TOLERANCE, RawTable


@dataclass(frozen=True)
class ColumnPlan:
    """Where the cells of a column go.

    Attributes:
        column: column of the table.
        target: column of the events.
        dtype: declared type of ``target``; empty for a time.
        form: how the cells are written.
        time_form: how a time is written; None for other columns.
    """

    column: str
    target: str
    dtype: str
    form: Form
    time_form: TimeForm | None = None


@dataclass(frozen=True)
class Plan:
    """How a table becomes events.

    Attributes:
        raw_table: name of the raw table.
        columns: one entry per column of the events that the table has.
        lines: the plan in words, for a terminal.
    """

    raw_table: str
    columns: tuple[ColumnPlan, ...]
    lines: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Columns of the table that are read."""
        return list(dict.fromkeys(column.column for column in self.columns))


def make_plan(table: OwnTable, source: EventSource, raw_table: RawTable, request: TableRequest, sample: Chunk) -> Plan:
    """Decides where each column goes, by the request and by the first rows.

    Args:
        table: the table.
        source: the kind of events.
        raw_table: its raw table.
        request: what a person wants.
        sample: the first rows, with all columns.

    Raises:
        InputError: a column that is needed or named is not there, or cannot be converted.
    """
    return _Planner(table, source, raw_table, request, sample).plan()


class _Planner:
    def __init__(
        self, table: OwnTable, source: EventSource, raw_table: RawTable, request: TableRequest, sample: Chunk
    ) -> None:
        self._table, self._source, self._raw_table = table, source, raw_table
        self._request, self._sample = request, sample
        self._mapping = request.mapping

    def plan(self) -> Plan:
        self._check_mapping()
        columns = [self._time(TIME, self._request.time_column, self._request.format_of_times)]
        created = self._mapping.get(CREATED, CREATED if CREATED in self._table.columns else "")
        if created:
            columns.append(self._time(CREATED, created, ""))
        columns += [column for name, dtype in self._source.columns.items() if (column := self._column(name, dtype))]
        return Plan(self._source.name, tuple(columns), tuple(self._lines(columns)))

    def _check_mapping(self) -> None:
        targets = [TIME, CREATED, *self._source.columns]
        for target, column in self._mapping.items():
            if target not in targets:
                raise self._no_target(target, targets)
            if column and column not in self._table.columns:
                raise self._absent(f"the column {column!r}, which is mapped to {target}", target, column)

    def _no_target(self, target: str, targets: list[str]) -> InputError:
        close = difflib.get_close_matches(target, targets, n=1) or ["COLUMN_OF_THE_EVENTS"]
        typed = {close[0] if name == target else name: column for name, column in self._request.map.items()}
        return InputError(
            expected=f"a mapping to a column of the events {self._source.name}, one of {targets}",
            found=repr(target),
            next_command=self._request.command(map=typed)
            if target in self._request.map
            else f"correct map in the section [imports.{self._request.kind}] of refrain.toml",
        )

    def _absent(self, expected: str, target: str, column: str) -> InputError:
        close = difflib.get_close_matches(column, self._table.columns, n=1, cutoff=0.5)
        other = close[0] if close else "COLUMN"
        changes = {"time": other} if target == TIME else {"map": {**self._request.map, target: other}}
        return InputError(
            expected=f"{expected}, in {self._table.place}",
            found=f"the columns {self._table.columns}",
            next_command=self._request.command(**changes),
        )

    def _time(self, target: str, column: str, given: str) -> ColumnPlan:
        if column not in self._table.columns:
            raise self._no_time(column)
        cells = self._sample.columns[column]
        form = recognize(cells, given)
        if form is None and target == CREATED:
            form = recognize(cells, self._request.format_of_times)
        if form is not None:
            converted = convert_times(cells, form)
            if converted.values.null_count < self._sample.rows:
                return ColumnPlan(column, target, "", self._form(cells), form)
        first = next((str(cell) for cell in _values(cells) if cell not in (None, "")), None)
        if first is None:
            raise InputError(
                expected=f"times in the column {column!r} of {self._table.place}",
                found=f"no value in the first {self._sample.rows:,} rows",
                next_command=self._request.command(**self._other_time(target, "COLUMN")),
            )
        raise InputError(
            expected=f"times in the column {column!r}: ISO 8601, numbers of one unit since 1970, or another format "
            "that --time-format names (s, ms, us, ns, or as of strptime)",
            found=f"{first[:60]!r}{f', not of the format {given!r}' if given else ''}",
            next_command=self._request.command(
                **self._other_time(target, column),
                time_format=suggestion(cells) or likely_unit(cells) or "%d.%m.%Y %H:%M",
            ),
        )

    def _other_time(self, target: str, column: str) -> dict[str, Any]:
        """Fields of a request with another column of times, or without one of created times."""
        return {"time": column} if target == TIME else {"map": {**self._request.map, CREATED: ""}}

    def _no_time(self, column: str) -> InputError:
        if column != TIME:
            return self._absent(f"the column {column!r} with the times", TIME, column)
        likely = [
            name
            for name in self._table.columns
            if name not in self._mapping.values()
            and ((form := recognize(self._sample.columns[name])) is not None or suggestion(self._sample.columns[name]))
            and (form is None or form.kind != "unit" or not name.endswith("id"))
        ]
        return InputError(
            expected=f"the column with the times of the events: {TIME!r}, or the one that --time names",
            found=f"the columns {self._table.columns} in {self._table.place}",
            next_command=self._request.command(time=likely[0] if likely else "COLUMN"),
        )

    def _column(self, name: str, dtype: str) -> ColumnPlan | None:
        column = self._mapping.get(name, name)
        is_there = column in self._table.columns
        if not is_there and self._table.is_open_ended and column and name not in self._raw_table.required:
            return ColumnPlan(column, name, dtype, Form())  # a field of later rows
        if not is_there:
            if name not in self._raw_table.required:
                return None
            close = difflib.get_close_matches(name, self._table.columns, n=1, cutoff=0.5)
            mapping = {**self._request.map, name: close[0] if close else "COLUMN"}
            raise InputError(
                expected=f"a column for {name!r}, which every event of {self._source.name} has",
                found=f"the columns {self._table.columns} in {self._table.place}",
                next_command=self._request.command(map=mapping),
            )
        cells = self._sample.columns[column]
        is_key = name in self._source.key
        form = self._form(cells, is_key)
        if dtype == "Bool" and (texts := _texts(cells)) is not None:
            form = replace(form, is_blank_false=booleans.are_marks(texts))
        self._check_fits(column, name, dtype, cells, form)
        return ColumnPlan(column, name, dtype, form)

    def _form(self, cells: Cells, is_key: bool = False) -> Form:
        """How cells are written; those of a key are taken as floats if all of them are such.

        A decimal comma needs a number in which it cannot stand between thousands.
        """
        form = Form(self._table.is_text)
        if not self._table.is_text or not isinstance(cells, pa.Array):
            return form
        texts = pl.Series(cells).str.strip_chars()
        texts = texts.filter(texts != "")
        if is_key and texts.len() and texts.str.contains(r"^-?[0-9]+\.[0-9]+$").all():
            return Form(True, are_floats=True)
        if self._table.decimal == "," and texts.str.contains(r"^-?[0-9]+,([0-9]{1,2}|[0-9]{4,})$").any():
            return Form(True, self._table.decimal)
        return form

    def _check_fits(self, column: str, name: str, dtype: str, cells: Cells, form: Form) -> None:
        """Refuses a key of fractional floats, and a column of which no cell fits."""
        converted = convert(cells, dtype, form)
        if not converted.refused:
            return
        fractions = [row for row, reason in converted.refused.items() if reason == FRACTIONAL]
        row = min(fractions or converted.refused)
        value = next(iter(_values(cells[row : row + 1])))
        are_floats = isinstance(value, float | Decimal) or form.are_floats
        if name in self._source.key and are_floats and fractions:
            raise InputError(
                expected=f"texts or whole numbers in {column!r}, the key {name} of {self._source.name}",
                found=f"numbers with fractions, such as {value}, in row {row + 1:,} of {self._table.place}",
                next_command=self._request.command(map={**self._request.map, name: "COLUMN_WITH_THE_KEY"}),
            )
        if len(converted.refused) < self._sample.rows:
            return
        remedy = {} if name in self._raw_table.required else {"map": {**self._request.map, name: ""}}
        raise InputError(
            expected=f"{_EXPECTED[dtype]} in {column!r}, for {name} ({dtype})",
            found=f"{words_of(cells, form)} such as {str(value)[:60]!r}: {converted.refused[row]}",
            next_command=self._request.command(**remedy)
            if remedy
            else self._request.command(map={**self._request.map, name: "COLUMN"}),
        )

    def _lines(self, columns: list[ColumnPlan]) -> Iterator[str]:
        yield f"{self._table.place}: {self._table.description}"
        rows = [("column", "type", "becomes")]
        for name in self._table.columns:
            planned = [column for column in columns if column.column == name]
            rows += [(name, *self._in_words(column)) for column in planned]
            if not planned:
                cells = self._sample.columns[name]
                rows.append((name, words_of(cells, self._form(cells)), "ignored"))
        widths = [max(len(row[number]) for row in rows) for number in (0, 1)]
        for name, words, target in rows:
            yield f"  {name:{widths[0]}}  {words:{widths[1]}}  {target}"
        yield from self._future_lines(columns)
        is_seen = {column.target: column.column in self._table.columns for column in columns}
        for name in self._source.columns:
            if not is_seen.get(name):
                where = "taken from later rows that have it" if name in is_seen else "missing, for it has no column"
                yield f"  {name} of {self._source.name}: {where}"

    def _future_lines(self, columns: list[ColumnPlan]) -> Iterator[str]:
        """Says how many events lie in the future, whose rows will be refused."""
        for column in columns:
            if column.target != TIME or column.time_form is None:
                continue
            moments = pl.Series(convert_times(self._sample.columns[column.column], column.time_form).values)
            later = moments.filter(moments > datetime.now(UTC) + CLOCK_TOLERANCE).sort().to_list()
            if later:
                rows = f"{len(later):,} of the first {self._sample.rows:,} rows"
                latest = f"{later[-1]:%Y-%m-%d %H:%M}"
                yield f"  {column.column}: {rows} lie in the future, up to {latest}; these go to quarantine"

    def _in_words(self, column: ColumnPlan) -> tuple[str, str]:
        """The type of a column, and what becomes of it."""
        name = column.column
        if column.time_form is not None:
            how = "same name" if name == column.target else "time" if column.target == TIME else "mapped"
            return column.time_form.words, f"{column.target} ({how})"
        words = words_of(self._sample.columns[name], column.form)
        if column.form.are_floats:
            words = "whole numbers with a decimal point"
        if column.dtype == "Bool" and (texts := _texts(self._sample.columns[name])) is not None:
            words = booleans.description(texts) or words
        if column.form.decimal == "," and column.dtype in ("Int64", "Float64"):
            words += " with a decimal comma"
        how = "same name" if name == column.target else "mapped"
        return words, f"{column.target}, {column.dtype} ({how})"


def _texts(cells: Cells) -> pl.Series | None:
    """The cells of a column of texts; None for another one."""
    return pl.Series(plain(cells)) if isinstance(cells, pa.Array) and pa.types.is_string(plain(cells).type) else None


def _values(cells: Cells) -> list:
    return plain(cells).to_pylist() if isinstance(cells, pa.Array) else cells


_EXPECTED = {
    "String": "texts or whole numbers",
    "Int64": "whole numbers",
    "Float64": "numbers",
    "Bool": "booleans (true/false, 1/0, x/blank, or words such as yes/no, ja/nein, oui/non, sí/no, да/нет)",
    "Date": "dates, or texts such as 2026-03-01,",
}
"""Declared type → description of its cells, for messages."""
