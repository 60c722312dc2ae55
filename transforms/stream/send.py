"""Sends events from a file or standard input to the stream."""

import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.events import Names, Refused, append, parse
from feature_repo.forgotten import FORGOTTEN, Forgotten
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import WRITE_TIMEOUT, Server, open_server
from feature_repo.windows import EventSource
from transforms.stream.json_lines import check_lines

AT_ONCE = 1_000


def send(home: Home, path: Path, kind: str, *, progress: Progress = silent) -> tuple[int, list[tuple[int, str]]]:
    """Appends events to the stream.

    Args:
        home: the data folder that has the stream.
        path: file with one JSON object a line; "-" is standard input.
        kind: kind of the events.
        progress: called after each thousand events.

    Returns:
        Number of sent events, and line number and reason for each refused line.

    Raises:
        InputError: the file does not exist, or is not a file of lines.
        OnlineUnavailable: Redis does not accept the events; sending again is safe.
    """
    server, names = open_server(home, Address.from_env(), WRITE_TIMEOUT), Names(home.project)
    source, forgotten = contract_of(home).events[kind], Forgotten.of(home)
    if str(path) == "-":
        return _send(server, names, source, forgotten, sys.stdin.buffer, progress, 0)
    if not path.is_file():
        raise InputError(
            expected="a file with one JSON object a line",
            found=f"no file {path}",
            next_command="refrain send --help",
        )
    check_lines(path, "send")
    with path.open("rb") as lines:
        return _send(server, names, source, forgotten, lines, progress, path.stat().st_size)


def _send(
    server: Server,
    names: Names,
    source: EventSource,
    forgotten: Forgotten,
    lines: Iterable[bytes],
    progress: Progress,
    size: int,
) -> tuple[int, list[tuple[int, str]]]:
    sent, bytes_read, refused = 0, 0, []
    numbered = enumerate(lines, start=1)
    while batch := list(islice(numbered, AT_ONCE)):
        valid, now = [], time.time_ns() // 1000
        for number, line in batch:
            bytes_read += len(line)
            if not line.strip():
                continue
            try:
                event, *_ = parse(source, line, now)
                if forgotten.have_caused(event):
                    raise Refused(FORGOTTEN)
            except Refused as error:
                refused.append((number, str(error)))
            else:
                valid.append((source.name, line.strip()))
        append(server, names, valid)
        sent += len(valid)
        progress(bytes_read, size, f"{sent:,} events")
    return sent, refused
