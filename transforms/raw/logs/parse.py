"""Lines of a file to records: each line is parsed by the format that it has."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import polars as pl

from feature_repo.errors import InputError
from transforms.raw.files.members import Member
from transforms.raw.logs.blocks import LONGEST_LINE, Block, blocks
from transforms.raw.logs.format import COLUMNS, REASON, LogFile, LogFormat
from transforms.raw.logs.formats import formats

CUT = "the last line is cut off"
UNKNOWN = "of no known log format"
_MOST_HELD_BACK = 10_000
_FORMAT, _NUMBER = "format", "number"


@dataclass(frozen=True)
class Records:
    """Records of one table from a block of lines.

    Attributes:
        table: raw table: ``requests`` or ``log_lines``.
        rows: (records,) columns of ``COLUMNS`` for the table, without the reason; times are not null.
        refused: (lines,) lines that are no records: ``reason`` and ``line``.
        done: bytes of the file that are read.
    """

    table: str
    rows: pl.DataFrame
    refused: pl.DataFrame
    done: int


def recognized(lines: pl.Series) -> list[LogFormat]:
    """The formats that lines have, that of most lines first.

    >>> [kind.name for kind in recognized(pl.Series(["Mar  1 10:00:00 web1 sshd[7]: hello"]))]
    ['RFC 3164']
    """
    counts = [(int(lines.str.contains(kind.pattern).sum()), kind) for kind in formats().values()]
    return [kind for count, kind in sorted(counts, key=lambda item: -item[0]) if count]


def records(member: Member, size: int | None = None) -> Iterator[Records]:
    """Yields the records of a log file in the order of its blocks; nothing if no line is of a known format.

    Args:
        member: the file.
        size: bytes of a block.

    Raises:
        InputError: the file is damaged, after the records before that point.
    """
    options = {} if size is None else {"size": size}
    file = LogFile(member.modified)
    order: list[LogFormat] = []
    held_back = pl.Series("line", [], pl.String)
    for number, block in enumerate(blocks(member, **options)):
        lines = pl.concat([held_back, block.lines])
        kinds = [kind for kind in recognized(lines.head(200)) if kind not in order]
        order += kinds
        if number == 0:
            for kind in kinds:
                _survey(member, kind, file, options)
        rows = _with_formats(lines, order)
        held_back = lines.clear()
        if not block.is_last and (start := _last_start(rows, order)) is not None:
            held_back, rows = lines[start:], rows.head(start)
        yield from _parsed(rows, order, file, block)


def _survey(member: Member, kind: LogFormat, file: LogFile, options: dict[str, int]) -> None:
    if kind.survey is not None:
        with suppress(InputError):  # the records before the damage are read
            for block in blocks(member, **options):
                kind.survey(block.lines.filter(block.lines.str.contains(kind.pattern)), file)


def _with_formats(lines: pl.Series, order: list[LogFormat]) -> pl.DataFrame:
    """(lines,) the line, its number, and the name of its format: null where it has none.

    Formats that no line at the beginning had are tried on the lines that are left.
    """
    rows = pl.DataFrame({"line": lines}).with_row_index(_NUMBER)
    rows = rows.with_columns(_format_of(order))
    others = [kind for kind in formats().values() if kind not in order]
    left = rows.filter(pl.col(_FORMAT).is_null())
    if left.height and (more := [kind for kind in recognized(left["line"]) if kind in others]):
        order += more
        return rows.drop(_FORMAT).with_columns(_format_of(order))
    return rows


def _format_of(order: Sequence[LogFormat]) -> pl.Expr:
    matches = [pl.when(pl.col("line").str.contains(kind.pattern)).then(pl.lit(kind.name)) for kind in order]
    return pl.coalesce(*matches, pl.lit(None, pl.String)).alias(_FORMAT)


def _last_start(rows: pl.DataFrame, order: list[LogFormat]) -> int | None:
    """The number of the last line that begins a record which the next block may continue; None if there is none."""
    starts = rows.filter(pl.col(_FORMAT).is_not_null()).tail(1)
    if starts.is_empty() or not formats()[starts[_FORMAT][0]].continues:
        return None
    start = int(starts[_NUMBER][0])
    return start if rows.height - start <= _MOST_HELD_BACK else None


def _parsed(rows: pl.DataFrame, order: list[LogFormat], file: LogFile, block: Block) -> Iterator[Records]:
    last = rows.height - 1 if block.is_last and block.is_cut else -1
    rows = _continued(rows, order, last)
    table = order[0].table if order else "log_lines"
    is_unknown = pl.col(_FORMAT).is_null()
    reason = pl.when(pl.col(_NUMBER) == last).then(pl.lit(CUT)).otherwise(pl.lit(UNKNOWN)).alias(REASON)
    unknown = rows.filter(is_unknown).select(reason, "line")
    for kind in order:
        own = rows.filter(pl.col(_FORMAT) == kind.name)
        if own.is_empty():
            continue
        file.is_cut = bool(own[_NUMBER][-1] == last)
        frame = _complete(kind.parse(own["line"], file), kind).with_columns(own["line"], own[_NUMBER])
        if kind.ignored:
            frame = frame.filter(~pl.col("line").str.contains(kind.ignored))
        is_refused = pl.col("event_timestamp").is_null()
        why = pl.when(pl.col(_NUMBER) == last).then(pl.lit(CUT)).otherwise(REASON)
        refused = frame.filter(is_refused).select(why.fill_null(f"no line of the format {kind.name}"), "line")
        refused = refused.rename({refused.columns[0]: REASON})
        if kind.table == table:
            refused, unknown = pl.concat([refused, unknown]), unknown.clear()
        yield Records(kind.table, frame.filter(~is_refused).drop("line", _NUMBER, REASON), refused, block.done)
    if unknown.height:
        schema = {name: dtype for name, dtype in COLUMNS[table].items() if name != REASON}
        yield Records(table, pl.DataFrame(schema=schema), unknown, block.done)


def _continued(rows: pl.DataFrame, order: list[LogFormat], last: int) -> pl.DataFrame:
    """Joins lines without a format to the record before them, if its format has such records."""
    names = [kind.name for kind in order if kind.continues]
    owner = pl.col(_FORMAT).fill_null(strategy="forward")
    continues = pl.col(_FORMAT).is_null() & owner.is_in(names) & (pl.col(_NUMBER) != last)
    rows = rows.with_columns(_continues=continues.fill_null(False))
    if not rows["_continues"].any():
        return rows.drop("_continues")
    record = (~pl.col("_continues")).cum_sum()
    return rows.group_by(record.alias("_record"), maintain_order=True).agg(
        pl.col("line").str.join("\n").str.slice(0, LONGEST_LINE),
        pl.col(_NUMBER).first(),
        pl.col(_FORMAT).first(),
    )


def _complete(frame: pl.DataFrame, kind: LogFormat) -> pl.DataFrame:
    """The frame with all columns of ``COLUMNS``, in their types."""
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in COLUMNS[kind.table].items()
    )
