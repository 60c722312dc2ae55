"""Host logs in the original formats: syslog with sshd's lines, and Apache's error log."""

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
    """Yield the lines of one file, or of every file ``*.log`` of a folder, as ``log_lines``; logins also as ``logins``.

    Where lines have no year, the newest line is of the year in which the file was last changed.

    Raises:
        InputError: the path does not exist, or no line is of a known format.
    """
    LOGS.check(path)
    files = sorted(path.rglob("*.log")) if path.is_dir() else [path]
    if not files:
        raise LOGS.mismatch(f"no file *.log in {path}")
    templates = Templates()
    for number, file in enumerate(files):
        yield from _read_file(file, templates, number, len(files))


def _read_file(file: Path, templates: Templates, file_index: int, file_count: int) -> Iterator[Batch]:
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
    if not parsed and file_index + 1 == file_count:
        raise LOGS.mismatch(f"no line of a known format in {file.name}")
    parsed = _with_years(parsed, newest)
    for line in parsed:
        templates.learn(line.message)
    counts: dict[tuple[str, str, datetime], int] = {}
    for line in parsed:
        host = line.host or file.stem
        number = counts[host, line.program, line.at] = counts.get((host, line.program, line.at), -1) + 1
        template = templates.match(line.message)[:_TEMPLATE_LENGTH]
        rows.rows.append((host, line.program, number, line.level, template, line.message, line.at))
        login = attempt(line)
        for repetition in range(login.times if login else 0):
            session = f"{host}/{line.pid or ''}/{login.port}/{number}/{repetition}"  # type: ignore[union-attr]
            logins.rows.append((login.user, login.client_ip, session, login.success, line.at))  # type: ignore[union-attr]
        if len(rows.rows) >= BATCH_ROWS:
            yield rows.flush(file_index, file_count)
    yield rows.flush(file_index + 1, file_count)
    yield logins.flush(file_index + 1, file_count)


def _newest_year(file: Path) -> int:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).year


def _with_years(parsed: list[Line], newest: int) -> list[Line]:
    """Set the year of lines whose format has none; a date in the future is of the year before."""
    needs_year = [line.program != "apache" for line in parsed]
    if not any(needs_year):
        return parsed
    line_years = years([line.at.month for line in parsed], newest)
    last = parsed[-1].at.replace(year=line_years[-1])
    shift_years = 1 if last > datetime.now(UTC) else 0
    return [
        _with_year(line, year - shift_years) if missing else line
        for line, year, missing in zip(parsed, line_years, needs_year, strict=True)
    ]


def _with_year(line: Line, year: int) -> Line:
    try:
        return replace(line, at=line.at.replace(year=year))
    except ValueError:  # 29 February of a year that has none
        return replace(line, at=line.at.replace(year=year, day=28))


LOGS = Format("logs", "a file or folder of logs in the format of syslog or of Apache's error log", read, repeats=False)
