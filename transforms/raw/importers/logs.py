"""Server logs and access logs, in the formats of ``transforms/raw/logs/formats``, by the lines of each file.

Reads files, folders and zip archives, packed and rotated files too: equal lines of two files are one line.
"""

from collections.abc import Iterator
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
from transforms.raw.logs.rotation import age, log_of
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
    return LOGS.each_member(path, _Reading(host).read_member, _why_not, age)


class _Reading:
    """What the files of one import share: the host, templates, and the counts of the file before in a rotation."""

    def __init__(self, host: str | None) -> None:
        self._host = host
        self._templates = Templates()
        self._log = ""
        self._requests, self._lines = Occurrences(requests.IDENTITY), Occurrences(lines.IDENTITY)

    def read_member(self, member: Member) -> Iterator[Batch]:
        log, before = self._log, (self._requests, self._lines)
        self._log = log_of(member)
        earlier_requests, earlier_lines = before if self._log == log else (None, None)
        self._requests = Occurrences(requests.IDENTITY, earlier_requests)
        self._lines = Occurrences(lines.IDENTITY, earlier_lines)
        for part in records(member):
            refused = _refused(part)
            if part.table == "requests":
                yield Batch("requests", requests.requests(part.rows, self._host, self._requests), refused, part.done)
            else:
                rows = lines.log_lines(part.rows, self._host or UNNAMED_HOST, self._lines, self._templates)
                yield Batch("log_lines", rows.drop("pid"), refused, part.done)
                yield Batch("logins", logins(rows), done=part.done)


def _why_not(member: Member) -> str:
    try:
        head = next(blocks(member, _HEAD_BYTES)).lines
    except InputError as error:
        return error.found
    if recognized(head):
        return ""
    content = describe(member)
    return "no line of a known log format" if content == "text" else content


def _refused(part: Records) -> pl.DataFrame:
    """Refused lines for the quarantine; of access logs without what is private: queries, referrers and agents."""
    texts = part.refused["line"]
    if part.table == "requests":
        texts = texts.str.extract(r"^([^?\"{\t]*(?:\"[^?\"{\t]*)?)").fill_null("")
    rows = [storable(text) for text in texts]
    return pl.DataFrame({"reason": part.refused["reason"], "row": pl.Series(rows, dtype=pl.String)}, schema=QUARANTINE)


LOGS = Format(
    "logs",
    "a file, folder or zip archive of logs: " + ", ".join(formats()),
    read,
    repeats=False,
    options={"host": f"host of lines that name none ({UNNAMED_HOST}, and none in access logs)"},
)
