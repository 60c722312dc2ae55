"""Chooses events, windowed features, a service and a model from the columns of a table."""

import difflib
import keyword
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl
from anyascii import anyascii

from feature_repo.errors import InputError
from refrain.scaffold.sample import time_format
from transforms.raw.own_tables.request import TIME
from transforms.raw.own_tables.times import convert_times, recognize, suggestion

WINDOWS, LEAST_EVENTS = ("1d", "7d", "28d"), 0.25
"""Windows that are proposed, and events of a key that one must have on average."""

FEW = 50
"""Most values of a text column whose frequent values are a feature."""

MOST_DECIMALS, WHOLE_DECIMALS = 6, 2
"""Most digits after the point of a resolution, and those for floats that are all whole."""


@dataclass(frozen=True)
class Column:
    """A column of the events.

    Attributes:
        name: name in the project.
        source: name in the table.
        dtype: type in the ``EventSource``.
        resolution: smallest step of a Float64 column; None if there is none, or for another type.
        values: number of different values in the sample.
    """

    name: str
    source: str
    dtype: str
    resolution: float | None = None
    values: int = 0


@dataclass(frozen=True)
class Proposal:
    """The definitions of a project, as they will be written.

    Attributes:
        project: name of the project.
        events: name of the kind of events.
        file: the table, for the commands that are shown.
        columns: columns of the events, keys first.
        keys: columns that get a windowed table each, and the names of its windows.
        identity: columns that identify an event together with its time.
        time: column of the time in the table.
        time_format: format of these times; empty if they are recognized without.
        label: column that a model predicts; empty if there is none.
        left_out: column of the table → why it is no column of the events.
    """

    project: str
    events: str
    file: str
    columns: tuple[Column, ...]
    keys: Mapping[str, tuple[str, ...]]
    identity: tuple[str, ...]
    time: str
    time_format: str
    label: str
    left_out: Mapping[str, str]

    @property
    def service(self) -> str:
        """Name of the feature service."""
        return f"{self.events}_v1"

    @property
    def model(self) -> str:
        """Name of the model; empty without a label."""
        return f"{self.events}_{self.label}" if self.label else ""

    def table(self, key: str) -> str:
        """Name of the windowed table of a key."""
        return f"{key.removesuffix('_id')}_{self.events}"

    def column(self, name: str) -> Column:
        """Returns a column by its name in the project."""
        return next(column for column in self.columns if column.name == name)

    def features(self) -> dict[str, str]:
        """Returns the name of each windowed feature and the aggregate that computes it, as source text."""
        chosen = {self.events: "Count()"}
        for column in self.columns:
            name = column.name
            if name in self.keys or (name in self.identity and column.dtype == "String" and column.values > FEW):
                continue
            if column.dtype == "Bool":
                chosen[f"{name}_rate"] = f'Rate("{name}")'
            elif column.dtype == "Int64" or column.resolution is not None:
                chosen[name] = f'Sum("{name}")'
                chosen[f"{name}_mean"] = f'Mean("{name}")'
            elif column.dtype == "Float64":
                chosen[f"{name}_most"] = f'Max("{name}")'
            else:
                chosen[f"distinct_{name}"] = f'Distinct("{name}")'
        chosen["idle_seconds"] = "TimeSinceLast()"
        return chosen


def propose(
    project: str, file: str, sample: pl.DataFrame, *, events: str, keys: Sequence[str], time: str, label: str
) -> Proposal:
    """Chooses the definitions for a table.

    Args:
        project: name of the project.
        file: path of the table, for messages.
        sample: rows of the table, the more the better.
        events: name of the kind of events.
        keys: columns that features describe, such as the customer.
        time: column of the time.
        label: column to predict; empty if there is none.

    Raises:
        InputError: a named column does not exist, or has a type that does not fit.
    """
    for option, name in (*(("--key", key) for key in keys), ("--time", time), *([("--label", label)] if label else [])):
        if name not in sample.columns:
            other = _likely_column(sample, name, keys, is_time=option == "--time")
            words = [other if word == name else word for word in (*keys, time, label)]
            raise InputError(
                expected=f"a column of {file} for {option}, one of {sample.columns}",
                found=repr(name),
                next_command=init_command(project, file, words[: len(keys)], words[-2], words[-1], events),
            )
    columns, left_out = [], {}
    for source in (*keys, *(name for name in sample.columns if name not in (*keys, time))):
        column = _column(sample[source], is_key=source in keys)
        if isinstance(column, str):
            left_out[source] = column
        else:
            columns.append(column)
    names = {column.source: column.name for column in columns}
    if label and label not in names:
        raise InputError(
            expected=f"a column of numbers or booleans for --label in {file}",
            found=f"{label}: {left_out[label]}",
            next_command=init_command(project, file, keys, time, "COLUMN", events),
        )
    label_column = next((column for column in columns if column.source == label), None)
    if label_column is not None and label_column.dtype == "String":
        raise InputError(
            expected=f"a column of numbers or booleans for --label in {file}",
            found=f"{label}, which holds texts",
            next_command=init_command(project, file, keys, time, "COLUMN", events),
        )
    return Proposal(
        project=project,
        events=identifier(events),
        file=file,
        columns=tuple(columns),
        keys={names[key]: windows_for(sample, key, time) for key in keys},
        identity=tuple(names[name] for name in _identity(sample, keys, time, names)),
        time=time,
        time_format=time_format(sample[time]),
        label="" if label_column is None else label_column.name,
        left_out=left_out,
    )


def init_command(
    folder: Path | str, file: Path | str | None, keys: Sequence[str], time: str, label: str = "", name: str = ""
) -> str:
    """Returns the command that makes a project, ready to paste.

    >>> init_command("shop", "my orders.csv", ["customer"], "at", "returned", "my orders")
    "refrain init shop --events 'my orders.csv' --key customer --time at --label returned"
    """
    if file is None:
        return shlex.join(["refrain", "init", str(folder)])
    options = [*(("--key", key) for key in keys), ("--time", "" if time == TIME else time), ("--label", label)]
    options.append(("--as", "" if name == Path(file).stem else name))
    words = [word for option, value in options if value for word in (option, value)]
    return shlex.join(["refrain", "init", str(folder), "--events", str(file), *words])


def _likely_column(sample: pl.DataFrame, name: str, keys: Sequence[str], *, is_time: bool) -> str:
    """Returns the column that may be meant: one of a similar name, or else the first with times."""
    close = difflib.get_close_matches(name, sample.columns, n=1)
    cells = {column: sample[column].head(1_000).to_arrow() for column in sample.columns if column not in keys}
    times = [column for column, values in cells.items() if is_time and (recognize(values) or suggestion(values))]
    return next(iter([*close, *times]), "COLUMN")


def identifier(name: str) -> str:
    """Makes a name of lower-case letters, digits and ``_`` from any text.

    >>> identifier("Customer ID"), identifier("2nd-price"), identifier("verspätet")
    ('customer_id', 'c_2nd_price', 'verspatet')
    """
    text = re.sub(r"[^a-z0-9]+", "_", anyascii(name).lower()).strip("_") or "column"
    return f"c_{text}" if text[0].isdigit() or keyword.iskeyword(text) else text


def windows_for(sample: pl.DataFrame, key: str, time: str) -> tuple[str, ...]:
    """Chooses windows in which a key has an event at least every fourth time, or the widest one.

    >>> from datetime import datetime, timedelta
    >>> days = [datetime(2026, 1, 1) + timedelta(days=number) for number in range(100)]
    >>> windows_for(pl.DataFrame({"user": ["u", "v"] * 50, "at": days}), "user", "at")
    ('1d', '7d', '28d')
    >>> windows_for(pl.DataFrame({"user": range(100), "at": days}), "user", "at")
    ('28d',)
    """
    times = instants(sample[time])
    span = (times.max() - times.min()) if times.dtype.is_temporal() and len(times) else None  # type: ignore[operator]
    if not isinstance(span, timedelta) or not span:
        return WINDOWS
    events_a_day = len(sample) / max(sample[key].n_unique(), 1) / max(span / timedelta(days=1), 1.0)
    dense = tuple(name for name in WINDOWS if events_a_day * int(name.removesuffix("d")) >= LEAST_EVENTS)
    return dense or WINDOWS[-1:]


def instants(times: pl.Series) -> pl.Series:
    """Reads a column of times as the import does; other types stay as they are."""
    cells = times.to_arrow()
    form = recognize(cells.slice(0, 1_000), time_format(times))
    return times if form is None else pl.Series(convert_times(cells, form).values)


def _column(values: pl.Series, *, is_key: bool) -> Column | str:
    """Describes a column; a text says why it cannot be one."""
    name, dtype, count = identifier(values.name), values.dtype, values.n_unique()
    simple = _simple_type(values, is_key=is_key)
    if simple:
        return Column(name, values.name, simple, values=count)
    if not is_key and (dtype.is_float() or dtype.is_decimal()):
        return _number(name, values.cast(pl.Float64, strict=False), count)
    return f"keys and texts cannot be {dtype}" if is_key else f"{dtype} is no type of an event's column"


def _simple_type(values: pl.Series, *, is_key: bool) -> str:
    """Type of a column that is no number with a fraction; empty for others."""
    dtype = values.dtype
    if _are_days(values):
        return "Date"
    if dtype in (pl.String, pl.Categorical, pl.Enum) or (is_key and not (dtype.is_float() or dtype.is_nested())):
        return "String"
    return "Bool" if dtype == pl.Boolean else "Int64" if dtype.is_integer() else ""


def _are_days(values: pl.Series) -> bool:
    """Whether a column has dates, or times that are midnights all."""
    if not isinstance(values.dtype, pl.Datetime):
        return values.dtype == pl.Date
    return bool(values.count()) and bool((values.dt.truncate("1d") == values).all())


def _number(name: str, values: pl.Series, count: int) -> Column:
    known = values.drop_nulls().drop_nans()
    for decimals in range(MOST_DECIMALS + 1):
        scaled = known * 10**decimals
        if ((scaled - scaled.round()).abs() <= 1e-9 * scaled.abs().clip(1.0)).all():
            digits = decimals or WHOLE_DECIMALS  # floats that happen to be whole: later ones may not be
            return Column(name, values.name, "Float64", resolution=10**-digits, values=count)
    return Column(name, values.name, "Float64", values=count)


def _identity(sample: pl.DataFrame, keys: Sequence[str], time: str, names: Mapping[str, str]) -> list[str]:
    """Chooses columns that, with the time, are different for every row of the sample: the keys, then other texts."""
    chosen = list(keys)
    texts = [
        name for name in names if name not in keys and sample[name].dtype == pl.String and not sample[name].null_count()
    ]
    for name in (None, *texts):
        chosen += [name] if name else []
        if not sample.select(*chosen, time).is_duplicated().any():
            return chosen
    return chosen
