"""Server logs and access logs, in the formats of ``transforms/raw/logs/formats``, by the lines of each file.

Reads files, folders and zip archives, packed and rotated files too: equal lines of two files are one line.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver
from transforms.raw.files.text import storable
from transforms.raw.importers.format import Format
from transforms.raw.ingest import Batch
from transforms.raw.logs import lines, requests
from transforms.raw.logs.blocks import blocks
from transforms.raw.logs.formats import formats
from transforms.raw.logs.logins import logins
from transforms.raw.logs.occurrences import Occurrences
from transforms.raw.logs.parse import Records, recognized, records
from transforms.raw.logs.templates import Templates
from transforms.raw.validate import QUARANTINE

UNNAMED_HOST = "localhost"
_HEAD_BYTES = 1 << 20


def read(path: Path, *, host: str | None = None) -> Iterator[Batch | PassedOver]:
    """Yield lines of access logs as ``requests``, others as ``log_lines``, and attempts to log in also as ``logins``.

    Args:
        path: file, folder or zip archive.
        host: host of the lines that name none.

    Raises:
        InputError: the path does not exist, or its only file is damaged.
    """
    return LOGS.each_member(path, partial(_read_member, host=host, templates=Templates()), _why_not)


def _why_not(member: Member) -> str:
    try:
        head = next(blocks(member, _HEAD_BYTES)).lines
    except InputError as error:
        return error.found
    if recognized(head):
        return ""
    content = describe(member)
    return "no line of a known log format" if content == "text" else content


def _read_member(member: Member, *, host: str | None, templates: Templates) -> Iterator[Batch]:
    equal_requests, equal_lines = Occurrences(requests.IDENTITY), Occurrences(lines.IDENTITY)
    for part in records(member):
        refused = _refused(part)
        if part.table == "requests":
            yield Batch("requests", requests.requests(part.rows, host, equal_requests), refused, part.done)
        else:
            rows = lines.log_lines(part.rows, host or UNNAMED_HOST, equal_lines, templates)
            yield Batch("log_lines", rows.drop("pid"), refused, part.done)
            yield Batch("logins", logins(rows), done=part.done)


def _refused(part: Records) -> pl.DataFrame:
    """Refused lines for the quarantine; of access logs without what is private: queries, referrers and agents."""
    texts = part.refused["line"]
    if part.table == "requests":
        texts = texts.str.extract(r"^([^?\"{]*(?:\"[^?\"{]*)?)").fill_null("")
    rows = [storable(text) for text in texts]
    return pl.DataFrame({"reason": part.refused["reason"], "row": pl.Series(rows, dtype=pl.String)}, schema=QUARANTINE)


LOGS = Format(
    "logs",
    "a file, folder or zip archive of logs: " + ", ".join(formats()),
    read,
    repeats=False,
    options={"host": f"host of lines that name none ({UNNAMED_HOST}, and none in access logs)"},
)
