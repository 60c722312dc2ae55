"""Imports a table: recognizes it, shows the plan, stores the rows."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain

from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.declared import raw_tables
from transforms.raw.ingest import Batch, ingest
from transforms.raw.own_tables.batches import to_batch
from transforms.raw.own_tables.cursor import Cursor
from transforms.raw.own_tables.database import open_query
from transforms.raw.own_tables.files import open_table
from transforms.raw.own_tables.plan import Plan, make_plan
from transforms.raw.own_tables.request import TIME, TableRequest
from transforms.raw.own_tables.source import Chunk, OwnTable
from transforms.raw.report import Report, TableReport
from transforms.raw.table import CLOCK_TOLERANCE

Show = Callable[[str], None]
"""Prints one line of the plan."""


def import_file(
    home: Home, request: TableRequest, *, show: Show, progress: Progress = silent, look: bool = False
) -> Report | None:
    """Imports a file of a person's own into the raw table of a kind of events.

    Args:
        home: the data folder.
        request: the file, and where its columns go.
        show: prints the plan, before anything is stored.
        progress: callback after each batch.
        look: whether to show the plan only.

    Returns:
        Counts of the rows; None if the plan was only shown.

    Raises:
        InputError: the file or the request is not valid, and nothing was stored; or no row was, and all are in
            quarantine.
    """
    assert request.path is not None
    check_kind(home, request)
    table = open_table(request.path)
    plan, _ = planned(home, table, table.chunks(), request)
    for line in plan.lines:
        show(line)
    if look:
        return None
    batches = (to_batch(chunk, plan)[0] for chunk in table.chunks(plan.names))
    report = ingest(home, f"table:{request.path.name}", batches, progress=progress, corrects=True)
    check_stored(home, report, request)
    return report


def import_query(
    home: Home, request: TableRequest, *, show: Show, progress: Progress = silent, look: bool = False
) -> Report | None:
    """Imports a query of a database into the raw table of a kind of events.

    With a cursor column, rows come in its order, and only those from the largest stored value on. A database that goes
    away leaves what was read stored; the next import continues there.

    Args:
        home: the data folder.
        request: the database, the query, and where its columns go.
        show: prints the plan, before anything is stored.
        progress: callback after each batch.
        look: whether to show the plan only.

    Returns:
        Counts of the rows; None if the plan was only shown.

    Raises:
        InputError: the database does not answer or went away, the query or the request is not valid, or no row fits.
    """
    check_kind(home, request)
    cursor = Cursor(home, request)
    with open_query(request, cursor.value) as table:
        cursor.check(table.columns, request)
        chunks = table.chunks()
        first = next((chunk for chunk in chunks if chunk.rows), None)
        if first is None and cursor.value is not None:
            show(f"{table.place}: no rows, {table.description}")
            return None if look else Report(request.kind, tables={request.kind: TableReport()})
        plan, chunks = planned(home, table, chunks if first is None else chain([first], chunks), request)
        for line in plan.lines:
            show(line)
        if look:
            return None

        try:
            advancing = _advancing(chunks, plan, cursor)
            report = ingest(home, f"sql:{request.place}", advancing, progress=progress, corrects=True)
        except InputError:  # what was read until then is stored
            cursor.save()
            raise
        cursor.save()
    check_stored(home, report, request)
    return report


def _advancing(chunks: Iterator[Chunk], plan: Plan, cursor: Cursor) -> Iterator[Batch]:
    """Yields batches; moves the cursor past each once it is taken, but not past events of the future."""
    for chunk in chunks:
        batch, fits = to_batch(chunk, plan)
        yield batch
        latest = datetime.now(UTC) + CLOCK_TOLERANCE
        fits[fits] = (batch.rows[TIME] <= latest).fill_null(False).to_numpy()
        cursor.advance(chunk, fits)


def check_kind(home: Home, request: TableRequest) -> None:
    """Checks the kind of events of a request, and the kinds that the project's file names.

    Raises:
        InputError: the project has no such kind.
    """
    contract = contract_of(home)
    kinds = list(contract.events)
    unknown = [kind for kind in contract.project.imports if kind not in kinds]
    if unknown:
        raise InputError(
            expected=f"sections [imports.KIND] of kinds of events in refrain.toml, among {kinds}",
            found=f"[imports.{unknown[0]}]",
            next_command=f"correct {contract.project.folder}/refrain.toml",
        )
    if request.kind not in kinds:
        raise InputError(
            expected=f"--as with a kind of events, one of {kinds}",
            found=repr(request.kind),
            next_command=request.command(kind=kinds[0] if len(kinds) == 1 else "KIND"),
        )


def planned(
    home: Home, table: OwnTable, chunks: Iterator[Chunk], request: TableRequest
) -> tuple[Plan, Iterator[Chunk]]:
    """Makes the plan by the first chunk that has rows.

    Returns:
        The plan, and all chunks, the first one included.

    Raises:
        InputError: there is no row, or the plan cannot be made.
    """
    seen: list[Chunk] = []
    for chunk in chunks:
        seen.append(chunk)
        if chunk.rows:
            plan = make_plan(
                table, contract_of(home).events[request.kind], raw_tables(home)[request.kind], request, chunk
            )
            return plan, chain(seen, chunks)
    malformed = [line for chunk in seen for line in chunk.malformed]
    raise InputError(
        expected=f"rows in {table.place}",
        found=f"none that can be read; the first line: {malformed[0][0]}" if malformed else "none",
        next_command=f"{'correct the query' if request.sql else 'write the table again'}, then: {request.command()}",
    )


def check_stored(home: Home, report: Report, request: TableRequest) -> None:
    """Checks that at least one row of an import fits.

    Raises:
        InputError: all rows are in quarantine.
    """
    counts = report.tables[request.kind]
    if counts.read and counts.quarantined == counts.read:
        reason = max(counts.reasons, key=lambda name: counts.reasons[name])
        raise InputError(
            expected=f"rows that fit the events {request.kind}",
            found=f"none of {counts.read:,} in {request.place}; {counts.reasons[reason]:,} of them: {reason}; "
            f"all are in {home.quarantine(request.kind)}",
            next_command=f"{request.command()} --look",
        )
