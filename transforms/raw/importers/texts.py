"""Texts of any origin: CSV with a header, or one JSON object per line.

``text`` is required. Optional are ``text_id``, ``entity`` (track, artist, user, corpus), ``entity_id``, ``kind``,
``language``, ``author_id``, ``event_timestamp`` (ISO 8601, or seconds since 1970) and ``created_timestamp``. Defaults:
the id is a digest of the content, the entity a corpus named after the file, the kind a sentence, the time that of the
file. Columns ``sentiment`` and ``emotion`` are labels.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from transforms.raw.importers.format import BATCH_ROWS, Format, Rows
from transforms.raw.ingest import Batch
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.tables.text_labels import TASKS

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


def read(path: Path) -> Iterator[Batch]:
    """Yield the texts of a file and their labels.

    Raises:
        InputError: the file does not exist, or has no column or field ``text``.
    """
    TEXTS.check(path)
    if path.is_dir():
        raise TEXTS.mismatch(f"{path} is a folder")
    size = path.stat().st_size
    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    texts, labels = Rows("texts", TEXT_COLUMNS), Rows("text_labels", LABEL_COLUMNS)
    for number, (row, position) in enumerate(_rows(path)):
        if isinstance(row, str):
            texts.refuse("not a JSON object" if row.startswith("{") or number else "cannot be read", row[:500])
        elif not isinstance(row.get("text"), str):
            if number == 0 and "text" not in row:
                raise TEXTS.mismatch(f"no text among {list(row)[:12]} in {path}")
            texts.refuse("no text", json.dumps(row, default=str)[:500])
        else:
            _append(row, path.stem, modified, texts, labels)
        if len(texts.rows) >= BATCH_ROWS:
            yield texts.flush(position, size)
            yield labels.flush(position, size)
    yield texts.flush(size, size)
    yield labels.flush(size, size)


def _append(row: dict[str, Any], source: str, modified: datetime, texts: Rows, labels: Rows) -> None:
    text = row["text"]
    try:
        event_time = _moment(row.get("event_timestamp")) or modified
        created = _moment(row.get("created_timestamp")) or event_time
    except (ValueError, OverflowError, OSError, TypeError):
        texts.refuse("a time that cannot be read", json.dumps(row, default=str)[:500])
        return
    entity, entity_id, kind = (_field(row, column) for column in ("entity", "entity_id", "kind"))
    entity, entity_id, kind = entity or "corpus", entity_id or source, kind or "sentence"
    row_id = _field(row, "text_id") or text_id(source, entity, entity_id, kind, text)
    text = text.encode(errors="replace").decode()  # lone surrogates cannot be stored
    texts.rows.append(
        (row_id, entity, entity_id, kind, text, _field(row, "language"), _field(row, "author_id"), event_time, created)
    )
    for task in TASKS:
        label = _field(row, task)
        if label:
            labels.rows.append((row_id, task, label, created))


def _field(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    return None if value is None or str(value).strip() == "" else str(value).strip()


def _moment(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise TypeError(value)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return datetime.fromtimestamp(float(str(value)), UTC)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _rows(path: Path) -> Iterator[tuple[dict[str, Any] | str, int]]:
    """Yield rows, or malformed lines as text, and the characters read so far."""
    position = 0
    with path.open(encoding="utf-8", errors="replace", newline="") as handle:
        first = handle.read(1)
        handle.seek(0)
        if first == "{":
            for line in handle:
                position += len(line)
                if line.strip():
                    try:
                        row = json.loads(line)
                    except (ValueError, RecursionError):
                        row = None
                    yield row if isinstance(row, dict) else line, position
            return
        csv.field_size_limit(2_000_000)
        reader = csv.DictReader(handle)
        try:
            for row in reader:
                position += sum(len(value) for value in row.values() if isinstance(value, str))
                yield {str(name).strip(): value for name, value in row.items() if name is not None}, position
        except csv.Error as error:
            yield str(error), position


TEXTS = Format(
    "texts", "a file with a column or field `text`: CSV with a header, or one JSON object a line", read, repeats=False
)
"""Reader of texts."""
