"""The export of one person that ``refrain person export`` writes: the rows of the raw tables in it.

Features and records in it are not read: features are computed anew, and records are of another service.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from feature_repo.home import Home
from transforms.raw.declared import raw_tables
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.files.records import first_object, records
from transforms.raw.files.rows import Malformed
from transforms.raw.importers.format import Format
from transforms.raw.ingest import Batch
from transforms.raw.typed import typed
from transforms.raw.validate import QUARANTINE

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
    listed = list(members(PERSON.check(path)))
    _check_form(path, listed)

    def why_not(member: Member) -> str:
        folder, _, file = member.name.rpartition("/")
        if member.name == MANIFEST:
            return "what the export says of itself"
        if folder != TABLES:
            return "features or records, which are not imported"
        return "" if file.removesuffix(".jsonl") in tables else "a table that this project does not have"

    def read_member(member: Member) -> Iterator[Batch]:
        table = tables[member.file_name.removesuffix(".jsonl")]
        for batch in records(member):
            values = [tuple(row.get(name) for name in table.columns) for row in batch.rows]
            types = {name: pl.String() if _is_time(dtype) else dtype for name, dtype in table.columns.items()}
            rows, refusals = typed(values, types)
            times = [name for name, dtype in table.columns.items() if _is_time(dtype)]
            moments = rows.with_columns(
                pl.col(times).str.to_datetime(_MOMENT, time_unit="us", strict=False, time_zone="UTC")
            )
            refused = [*(Malformed(*refusal) for refusal in refusals), *batch.malformed]
            malformed = pl.DataFrame([tuple(row) for row in refused], schema=QUARANTINE, orient="row")
            yield Batch(table.name, moments, malformed, done=batch.done)

    yield from PERSON.each_member(path, read_member, why_not, listed=listed)


def _check_form(path: Path, listed: list[Member]) -> None:
    """Check that the export says that it is one.

    Raises:
        InputError: it does not, or is of another form.
    """
    forms = [first_object(member).get("form") for member in listed if member.name == MANIFEST]
    if forms != [FORM]:
        raise PERSON.mismatch(f"{MANIFEST} with the form {forms[0]!r}" if forms else f"no {MANIFEST} in {path}")


def _is_time(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Datetime)


PERSON = Format("person", "what refrain person export wrote: its zip, or the folder that it was unpacked to", read)
