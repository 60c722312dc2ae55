"""``.scrobbler.log``: the plays that Rockbox and other portable players keep until they are sent to Last.fm.

Lines of artist, album, title, number, length in seconds, rating (L listened to, S skipped), start and recording id,
between tabs and without quoting; version 1.0 ends before the id. Lines with ``#`` are comments. After ``#TZ/UNKNOWN``
the times are by the clock of the device, whose zone nobody knows, and are taken as UTC.
"""

from collections.abc import Iterator
from itertools import islice

import polars as pl

from transforms.raw.files.members import Member
from transforms.raw.files.rows import BATCH_ROWS, Malformed, frame
from transforms.raw.files.text import recognize, storable
from transforms.raw.importers.scrobbles import milliseconds, scrobble_batches, started
from transforms.raw.ingest import Batch

_FIELDS = ["artist", "album", "title", "number", "length", "rating", "time", "recording"]
_FEWEST = 7
_UNTAGGED = "<Untagged>"


def is_log(head: str) -> bool:
    """Whether a text begins as the log of a player.

    >>> is_log("#AUDIOSCROBBLER/1.1\\n#TZ/UTC\\n")
    True
    """
    return head.lstrip().upper().startswith("#AUDIOSCROBBLER/")


def read_log(member: Member, listener: str) -> Iterator[Batch]:
    """Yields the plays of a log; skipped ones are plays with ``skipped``."""
    lines = (line for line in recognize(member).lines() if line.strip() and not line.startswith("#"))
    while block := list(islice(lines, BATCH_ROWS)):
        rows, malformed = [], []
        for line in block:
            fields = line.split("\t")
            if len(fields) < _FEWEST or not _is_text(line):
                reason = "bytes that are not UTF-8" if len(fields) >= _FEWEST else f"not {_FEWEST} fields between tabs"
                malformed.append(Malformed(reason, storable(line)))
            else:
                rows.append([*fields, ""][: len(_FIELDS)])
        table = frame(_FIELDS, rows).with_columns(pl.all().str.strip_chars())
        scrobbles = table.select(
            "title",
            "time",
            artist=pl.when(pl.col("artist") != _UNTAGGED).then("artist"),
            user_id=pl.lit(listener),
            started=started(table["time"]),
            duration_ms=milliseconds(table["length"], of=1_000),
            skipped=pl.col("rating").replace_strict({"S": True, "L": False}, default=None, return_dtype=pl.Boolean),
        )
        yield from scrobble_batches(scrobbles, "lastfm", "scrobbler log", malformed)


def _is_text(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True
