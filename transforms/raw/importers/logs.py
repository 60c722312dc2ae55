"""Logs of hosts: syslog, sshd's lines in it, and Apache's error log, as those programs write them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from transforms.raw.importers.format import BATCH_ROWS, Format, Rows, decoded, lines
from transforms.raw.ingest import Batch
from transforms.raw.logs.formats import Line, attempt, parse, years
from transforms.raw.logs.templates import Templates
from transforms.raw.table import MICROSECONDS_UTC

LONGEST_LINE = 65_536
_LINES = {
    "host_id": pl.String(),
    "program": pl.String(),
    "number": pl.Int64(),
    "level": pl.String(),
    "template": pl.String(),
    "message": pl.String(),
    "event_timestamp": MICROSECONDS_UTC,
}
_LOGINS = {
    "user_id": pl.String(),
    "client_ip": pl.String(),
    "session": pl.String(),
    "success": pl.Boolean(),
    "event_timestamp": MICROSECONDS_UTC,
}
_TEMPLATE_LENGTH = 256


def read(path: Path) -> Iterator[Batch]:
    """One file, or every file ``*.log`` of a folder; lines become ``log_lines``, those of sshd about access also
    ``logins``. Where a line tells no year, the newest is of the year in which the file was last changed.

    Raises:
        InputError: there is nothing at the path, or no line in it is of a known format.
    """
    LOGS.check(path)
    files = sorted(path.rglob("*.log")) if path.is_dir() else [path]
    if not files:
        raise LOGS.mismatch(f"no file *.log in {path}")
    templates = Templates()
    for number, file in enumerate(files):
        yield from _one(file, templates, number, len(files))


def _one(file: Path, templates: Templates, number: int, total: int) -> Iterator[Batch]:
    rows, logins = Rows("log_lines", _LINES), Rows("logins", _LOGINS)
    newest = _newest_year(file)
    parsed: list[Line] = []
    for raw, _ in lines(file, LOGS):
        text = decoded(raw[:LONGEST_LINE], rows)
        if not text:
            continue
        line = parse(text, newest)
        if line is None:
            rows.refuse("of no known log format", text)
        else:
            parsed.append(line)
    if not parsed and number + 1 == total:
        raise LOGS.mismatch(f"no line of a known format in {file.name}")
    parsed = _dated(parsed, newest)
    for line in parsed:
        templates.learn(line.message)
    counts: dict[tuple[str, str, datetime], int] = {}
    for line in parsed:
        host = line.host or file.stem
        place = counts[host, line.program, line.at] = counts.get((host, line.program, line.at), -1) + 1
        template = templates.match(line.message)[:_TEMPLATE_LENGTH]
        rows.rows.append((host, line.program, place, line.level, template, line.message, line.at))
        tried = attempt(line)
        for again in range(tried.times if tried else 0):
            session = f"{host}/{line.pid or ''}/{tried.port}/{place}/{again}"  # type: ignore[union-attr]
            logins.rows.append((tried.user, tried.client_ip, session, tried.success, line.at))  # type: ignore[union-attr]
        if len(rows.rows) >= BATCH_ROWS:
            yield rows.flush(number, total)
    yield rows.flush(number + 1, total)
    yield logins.flush(number + 1, total)


def _newest_year(file: Path) -> int:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).year


def _dated(parsed: list[Line], newest: int) -> list[Line]:
    """With the year of each line, where the format tells none; a future one is of the year before."""
    undated = [line.program != "apache" for line in parsed]
    if not any(undated):
        return parsed
    found = years([line.at.month for line in parsed], newest)
    last = parsed[-1].at.replace(year=found[-1])
    back = 1 if last > datetime.now(UTC) else 0
    return [
        _moved(line, year - back) if free else line for line, year, free in zip(parsed, found, undated, strict=True)
    ]


def _moved(line: Line, year: int) -> Line:
    try:
        return replace(line, at=line.at.replace(year=year))
    except ValueError:  # 29 February of a year that has none
        return replace(line, at=line.at.replace(year=year, day=28))


LOGS = Format("logs", "a file or folder of logs in the format of syslog or of Apache's error log", read)
