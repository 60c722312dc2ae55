"""Texts of any origin: tables with a header, or JSON, in any encoding.

A column of texts is required: the one that is named, else the first of ``TEXTS_OF``. Optional are ``text_id``,
``entity`` (track, artist, user, corpus), ``entity_id``, ``kind``, ``language``, an author, a time and
``created_timestamp``. Defaults: the id is a digest of the content (and of a column ``id``), the entity a corpus named
after the file, the kind a sentence, the time that of the file. Columns ``sentiment`` and ``emotion``, or those that are
named for them, are labels.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.files.records import records
from transforms.raw.files.rows import RowBatch
from transforms.raw.files.table import Table
from transforms.raw.files.text import encodable, recognize, storable
from transforms.raw.files.times import read_time, read_times
from transforms.raw.importers.format import Format, Rows
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.tables.text_labels import TASKS

TEXTS_OF = (
    *("text", "lyrics", "content", "comment", "comment_text", "body", "review", "review_text", "message"),
    *("description", "caption", "post", "tweet", "sentence"),
)
AUTHORS = ("author_id", "author", "user_id", "username", "user_name", "user")
TIMES = ("event_timestamp", "created_at", "timestamp", "published_at", "posted_at", "date", "time")
"""Usual names of columns, whatever the case, in the order in which they are tried."""

TEXT_COLUMNS = {
    "text_id": pl.String(),
    "entity": pl.String(),
    "entity_id": pl.String(),
    "kind": pl.String(),
    "text": pl.String(),
    "language": pl.String(),
    "author_id": pl.String(),
    "event_timestamp": MICROSECONDS_UTC,
    "created_timestamp": MICROSECONDS_UTC,
}
LABEL_COLUMNS = {
    "text_id": pl.String(),
    "task": pl.String(),
    "label": pl.String(),
    "event_timestamp": MICROSECONDS_UTC,
}


def text_id(source: str, *parts: str) -> str:
    """The id of a text that has none in its source: the same text of the same source gets the same id."""
    return f"{source}:{hashlib.sha256(chr(31).join(parts).encode(errors='surrogatepass')).hexdigest()[:16]}"


def read(
    path: Path, *, text: str | None = None, sentiment: str | None = None, emotion: str | None = None
) -> Iterator[Batch | PassedOver]:
    """Yield the texts of a file, folder or archive, and their labels.

    Args:
        path: what to read.
        text: name of the column or field of the texts; by default it is found.
        sentiment: name of the column or field of labels of sentiment; by default ``sentiment``, if there is one.
        emotion: the same of emotion.

    Raises:
        InputError: there is nothing at the path, no column or field of texts, or none of a name that is given.
    """
    named = {"sentiment": sentiment, "emotion": emotion}
    return TEXTS.each_member(path, partial(_read_member, column=text, named=named))


def texts_of(path: Path, column: str | None = None) -> list[str]:
    """The texts of a file that are not empty, in its order.

    Raises:
        InputError: see ``read``.
    """
    rows = (
        (row, name)
        for member in members(TEXTS.check(path))
        for batch, name in _batches(member, column)
        for row in batch.rows
    )
    values = (row.get(name) for row, name in rows)
    return [text for text in values if isinstance(text, str) and text.strip()]


def _read_member(member: Member, column: str | None, named: Mapping[str, str | None]) -> Iterator[Batch]:
    for batch, name in _batches(member, column):
        texts, labels = Rows("texts", TEXT_COLUMNS), Rows("text_labels", LABEL_COLUMNS)
        texts.malformed += batch.malformed
        names = list(dict.fromkeys(key for row in batch.rows for key in row))
        author, time = _first(AUTHORS, names), _first(TIMES, names)
        tasks = {task: _label_column(member, task, named[task], names) for task in TASKS}
        written, created = _moments(batch.rows, time), _moments(batch.rows, "created_timestamp")
        for row, at, created_at in zip(batch.rows, written, created, strict=True):
            if not isinstance(row.get(name), str):
                texts.refuse("no text", json.dumps(row, default=str))
            elif not row[name].strip():
                texts.refuse("empty text", json.dumps(row, default=str))
            elif isinstance(at, str) or isinstance(created_at, str):
                texts.refuse("a time that cannot be read", json.dumps(row, default=str))
            else:
                event_time = at or member.modified
                id_ = _append(row, name, author, member.stem, event_time, created_at or event_time, texts)
                given = {task: _field(row, label_column) for task, label_column in tasks.items()}
                created_label = created_at or event_time
                labels.rows += [(id_, task, label, created_label) for task, label in given.items() if label]
        yield texts.flush(batch.done, member.size)
        yield labels.flush(batch.done, member.size)


def _batches(member: Member, column: str | None) -> Iterator[tuple[RowBatch[dict[str, Any]], str]]:
    """Batches of the rows of a member, and the name of the column of their texts."""
    text = recognize(member)
    with text.open() as (handle, _):
        start = handle.read(1 << 12).lstrip("\ufeff \t\r\n")
    batches = records(member) if start.startswith(("{", "[")) else _table_rows(Table(text))
    name = ""
    for batch in batches:
        names = list(dict.fromkeys(key for row in batch.rows for key in row))
        if names and not name:
            name = _first([column] if column else TEXTS_OF, names)
            if not name:
                raise InputError(
                    expected=f"a column or field {column or 'of texts'} in {member.place}",
                    found=f"{', '.join(storable(repr(name[:40])) for name in names[:12])}",
                    next_command=f"refrain import texts {member.path} --text NAME",
                )
        yield batch, name


def _label_column(member: Member, task: str, column: str | None, names: Sequence[str]) -> str:
    """The name of the column of the labels of a task; empty if there is none."""
    name = _first([column or task], names)
    if column and names and not name:
        raise InputError(
            expected=f"a column or field {column} of labels in {member.place}",
            found=f"{', '.join(storable(repr(name[:40])) for name in names[:12])}",
            next_command=f"refrain import texts {member.path} --{task} NAME",
        )
    return name


def _table_rows(table: Table) -> Iterator[RowBatch[dict[str, Any]]]:
    for batch in table.batches():
        rows: list[dict[str, Any]] = [dict(zip(table.columns, row, strict=True)) for row in batch.rows]
        yield RowBatch(rows, batch.malformed, batch.done)


def _first(candidates: Sequence[str], names: Sequence[str]) -> str:
    """The first of the candidates that is there, whatever the case; empty if none is."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name.lower()] for name in candidates if name.lower() in by_lower), "")


def _moments(rows: Sequence[dict[str, Any]], name: str) -> list[datetime | str | None]:
    """The time of each row, None if it has none, or the text that is no time."""
    given = [_field(row, name) for row in rows]
    times = read_times(pl.Series([None if text is None else storable(text) for text in given], dtype=pl.String))
    moments: list[datetime | str | None] = times.values.to_list()
    for row in times.refused:
        moments[row] = read_time(given[row]) or given[row]
    return moments


def _append(
    row: dict[str, Any],
    name: str,
    author: str,
    source: str,
    event_time: datetime,
    created: datetime,
    texts: Rows,
) -> str:
    """Appends a text; returns its id."""
    text = encodable(row[name])
    entity, entity_id, kind = (_field(row, column) for column in ("entity", "entity_id", "kind"))
    entity, entity_id, kind = entity or "corpus", entity_id or source, kind or "sentence"
    own_id = _field(row, "id")
    row_id = _field(row, "text_id") or text_id(source, entity, entity_id, kind, text, *([own_id] if own_id else []))
    texts.rows.append(
        (row_id, entity, entity_id, kind, text, _field(row, "language"), _field(row, author), event_time, created)
    )
    return row_id


def _field(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name) if name else None
    return None if value is None or str(value).strip() == "" else str(value).strip()


TEXTS = Format(
    "texts",
    "a column or field of texts, such as `text`, `lyrics` or `content`, in a table with a header or in JSON",
    read,
    repeats=False,
    options={
        "text": "name of the column or field of the texts; by default one of the usual names",
        "sentiment": "name of the column or field of labels of sentiment: positive or negative",
        "emotion": "name of the column or field of labels of emotion: any list of classes",
    },
)
"""Reader of texts."""
