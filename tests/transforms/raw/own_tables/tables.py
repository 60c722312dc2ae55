"""One table in many formats, and how tests import it."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.own_tables.request import TableRequest
from transforms.raw.own_tables.run import import_file
from transforms.raw.report import Report

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {"customer": "17", "item": "Café\nnoir; \"petit\", 'x'", "cents": 1250, "gift": True, "ordered_at": NOON},
    {"customer": "18", "item": None, "cents": None, "gift": None, "ordered_at": NOON + timedelta(hours=1)},
    {"customer": "17", "item": "Thé", "cents": -3, "gift": False, "ordered_at": NOON + timedelta(days=2)},
]
MAP = {"customer_id": "customer"}


def run(home: Home, path: Path, kind: str = "orders", **options: Any) -> tuple[Report | None, list[str]]:
    lines: list[str] = []
    look = options.pop("look", False)
    request = TableRequest(kind, path, **{"map": MAP, "time": "ordered_at", **options})
    return import_file(home, request, show=lines.append, look=look), lines


def failure(home: Home, path: Path, kind: str = "orders", **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        run(home, path, kind, **options)
    return caught.value


def as_csv(rows: list[dict[str, Any]], encoding: str = "utf-8", delimiter: str = ",", end: str = "\r\n") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return out.getvalue().encode(encoding)


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def as_json(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps({name: _cell(value) for name, value in row.items()}) + "\n" for row in rows).encode()


def as_arrow(rows: list[dict[str, Any]], kind: str) -> bytes:
    out, table = io.BytesIO(), pa.Table.from_pylist(rows)
    if kind == "parquet":
        pq.write_table(table, out)
    elif kind == "feather":
        pyarrow.feather.write_feather(table, out)
    else:
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()


FILES = {
    "plain.csv": as_csv(ROWS),
    "unix.csv": as_csv(ROWS, end="\n"),
    "semicolon.csv": as_csv(ROWS, delimiter=";"),
    "tab.tsv": as_csv(ROWS, delimiter="\t"),
    "bar.txt": as_csv(ROWS, delimiter="|"),
    "bom.csv": as_csv(ROWS, "utf-8-sig", ";"),
    "utf16.csv": as_csv(ROWS, "utf-16", "\t"),
    "utf16be.csv": as_csv(ROWS, "utf-16-be"),
    "cp1252.csv": as_csv(ROWS, "cp1252", ";"),
    "hint.csv": b"sep=;\r\n" + as_csv(ROWS, delimiter=";"),
    "packed.csv.gz": gzip.compress(as_csv(ROWS, "cp1252")),
    "trailing.csv": as_csv(ROWS, delimiter=";") + b";;;;\r\n\r\n",
    "lines.jsonl": as_json(ROWS),
    "lines.jsonl.gz": gzip.compress(as_json(ROWS)),
    "bom.jsonl": b"\xef\xbb\xbf" + as_json(ROWS),
    "rows.parquet": as_arrow(ROWS, "parquet"),
    "rows.feather": as_arrow(ROWS, "feather"),
    "rows.arrows": as_arrow(ROWS, "stream"),
}
GOOD = "customer,cents,ordered_at\n1,2,2026-01-05\n"
