"""``sadf -d`` and ``sadf -dh`` of sysstat: cells between ``;``, a header with ``#``, again after each restart.

The entity is the host. The metric is the name of the column; that of one processor, interface or device has it in its
name: ``%user CPU 0``, ``rxkB/s IFACE eth0``. With ``-h`` the columns of a group repeat in the row.
"""

from collections.abc import Iterator

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.members import Member
from transforms.raw.files.rows import Malformed
from transforms.raw.files.text import recognize, storable
from transforms.raw.metrics.format import Choice, MetricFormat, Readings, measure, moments

START = "# hostname;interval;timestamp"
_KEYS = 3
_REPEATED = "[...]"
_ALL = ("CPU -1", "CPU all")


def _read(member: Member, choice: Choice) -> Readings:
    readings = Readings()
    cells: list[tuple[str, str, str, str]] = []
    restarts = 0
    header: list[str] = []
    for line in recognize(member).lines():
        row = line.removeprefix("\ufeff").split(";")
        if line.removeprefix("\ufeff").startswith("#"):
            header = row[_KEYS:]
            _check(header, member)
        elif len(row) == _KEYS + 1 and row[_KEYS].startswith(("LINUX-RESTART", "COM ")):
            restarts += row[_KEYS].startswith("LINUX-RESTART")
        elif line.strip():
            readings.records += 1
            columns, end = _repeated(header, len(row) - _KEYS)
            if len(columns) != len(row) - _KEYS:
                reason = f"{len(row)} cells instead of {len(header) + _KEYS}"
                readings.malformed.append(Malformed(reason, storable(line)))
                continue
            cells += [(row[0], name, row[2], text) for name, text in _named(columns, row[_KEYS:], end)]
    if restarts:
        readings.notes.append(f"{restarts} restart{'s' if restarts > 1 else ''} of the host")
    table = pl.DataFrame(
        [tuple(text.encode(errors="replace").decode() for text in cell) for cell in cells],
        schema=dict.fromkeys(("entity", "metric", "time", "text"), pl.String),
        orient="row",
    )
    return measure(table.with_columns(moments(table["time"], readings, "value").alias("time")), readings)


def _check(header: list[str], member: Member) -> None:
    if sum(name.endswith(_REPEATED) for name in header) > 1:
        raise InputError(
            expected=f"one group of columns that repeats in {member.place}",
            found=f"several with {_REPEATED}, so that nothing says where each ends",
            next_command="sadf -d  (without -h), then repeat the command",
        )


def _repeated(header: list[str], cells: int) -> tuple[list[str], int]:
    """The columns of a row, and how many of them are of items.

    The group that ends with ``[...]``, from its item on, is there as often as the row has room for.
    """
    end = next((number for number, name in enumerate(header, 1) if name.endswith(_REPEATED)), 0)
    if not end:
        return header, len(header)
    plain = [name.removesuffix(_REPEATED) for name in header]
    start = max((number for number in range(end) if plain[number].isupper()), default=0)
    times, rest = divmod(cells - len(plain), end - start)
    if rest or times < 0:
        return [], 0
    items = plain[:end] + plain[start:end] * times
    return items + plain[end:], len(items)


def _named(columns: list[str], row: list[str], end: int) -> Iterator[tuple[str, str]]:
    """Names and texts of a row's values; a name in capitals is that of an item, such as ``CPU`` or ``IFACE``."""
    item = ""
    for number, (name, text) in enumerate(zip(columns, row, strict=True)):
        item = item if number < end else ""
        if name.isupper():
            item = "" if f"{name} {text}" in _ALL else f" {name} {text}"
        else:
            yield f"{name}{item}", text


SYSSTAT = MetricFormat("sysstat's sadf -d", lambda head: head.first_line.startswith(START), _read)
"""One activity, or several after each other."""
