"""The export of one person that ``refrain person export`` writes: the rows of the raw tables in it.

Features and records in it are not read: features are computed anew, and records are of another service.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from feature_repo.home import Home
from transforms.raw.declared import raw_tables
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.records import records
from transforms.raw.importers.format import Format
from transforms.raw.ingest import Batch

FORM = "refrain person export 1"
MANIFEST, TABLES = "person.json", "tables"
_MOMENT = "%Y-%m-%dT%H:%M:%S%.6fZ"


def as_lines(rows: pl.DataFrame) -> bytes:
    """Rows as lines of JSON, times as ISO 8601 in UTC.

    >>> as_lines(pl.DataFrame({"track_id": ["t1"], "ms_played": [7]}))
    b'{"track_id":"t1","ms_played":7}\\n'
    """
    times = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.Datetime)]
    return rows.with_columns(pl.col(times).dt.strftime(_MOMENT)).write_ndjson().encode()


def read(path: Path, home: Home | None = None) -> Iterator[Batch | PassedOver]:
    """Yields the rows of the raw tables in an export.

    Args:
        path: the zip, or the folder that it was unpacked to.
        home: the data folder, whose project has the tables.
    """
    tables = raw_tables(home or Home.from_env())

    def why_not(member: Member) -> str:
        folder, _, file = member.name.rpartition("/")
        if file == MANIFEST and not folder:
            return "what the export says of itself"
        if not folder.endswith(TABLES):
            return "features or records, which are not imported"
        return "" if file.removesuffix(".jsonl") in tables else "a table that this project does not have"

    def read_member(member: Member) -> Iterator[Batch]:
        table = tables[member.file_name.removesuffix(".jsonl")]
        types = {
            name: pl.String() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in table.columns.items()
        }
        times = [name for name, dtype in table.columns.items() if isinstance(dtype, pl.Datetime)]
        for batch in records(member):
            rows = pl.DataFrame(batch.rows, schema=types, strict=False)
            moments = [pl.col(name).str.to_datetime(_MOMENT, time_unit="us", time_zone="UTC") for name in times]
            yield Batch(table.name, rows.with_columns(moments), done=batch.done)

    yield from PERSON.each_member(path, read_member, why_not)


PERSON = Format("person", "what refrain person export wrote: its zip, or the folder that it was unpacked to", read)
