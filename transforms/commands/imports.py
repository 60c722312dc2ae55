"""The command that imports events, of a known format or of a table of one's own."""

from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from feature_repo.command_line import Progress, progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.commands.import_command import ImportCommand, format_options
from transforms.commands.say_report import say_report

TABLE = "table"
"""The format of a person's own tables, which has options."""


def install(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("import", cls=ImportCommand)(import_)


def import_(
    ctx: typer.Context,
    format_name: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="table, spotify, lastfm, movielens, logs, metrics, audio, texts …; all are listed below",
        ),
    ],
    path: Annotated[
        Path | None, typer.Argument(help="the file or folder, as the format's owner publishes it; none with --sql")
    ] = None,
    kind: Annotated[str, typer.Option("--as", help="table: kind of events that its rows are")] = "",
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="EVENT=TABLE",
            help="table: column of the events = column of the table, where the names differ; nothing after = leaves "
            "the column out; may be repeated",
        ),
    ] = None,
    time: Annotated[str, typer.Option(help="table: column with the times; by default event_timestamp")] = "",
    time_format: Annotated[
        str, typer.Option(help="table: s, ms, us or ns since 1970, or a format as of strptime; by default recognized")
    ] = "",
    sql: Annotated[
        str, typer.Option(metavar="URL", help="table: read a query of the database postgresql://user@host/database")
    ] = "",
    query: Annotated[str, typer.Option(help="table: the query of --sql, a SELECT")] = "",
    cursor: Annotated[
        str, typer.Option(help="table: column of the query that grows; next time, only rows from its last value on")
    ] = "",
    look: Annotated[bool, typer.Option("--look", help="table: show what is recognized, and store nothing")] = False,
) -> None:
    """Store events of a known format, or of a table of your own, in the raw tables. Importing again adds nothing.

    Formats: listening (spotify, lastfm, listenbrainz, maloja, apple-music, youtube-music, deezer, tidal), data sets
    (movielens, million-playlist, yambda), charts (billboard), logs of servers (logs) and their metrics (metrics), sound
    files (audio), texts with or without labels (texts, sst2), the export of one person (person).

    Tables of your own (table): Parquet, CSV, JSON lines, Arrow IPC, or a query of PostgreSQL. Each row is an event of
    the kind --as. What is recognized is shown first; --look shows it only. The options --map, --time and --time-format
    may stand in refrain.toml instead, in a section [imports.KIND].

    Example: refrain import table orders.csv --as orders --time ordered_at --look
    """
    from feature_repo.contract import contract_of
    from transforms.raw.importers.format import Format
    from transforms.raw.importers.person import PERSON
    from transforms.raw.ingest import ingest

    home = Home.from_env()
    options = format_options(ctx)
    if format_name == TABLE and options:
        raise InputError(
            expected="options of the format table",
            found=f"--{min(options)}",
            next_command="refrain import --help",
        )
    if format_name == TABLE:
        _import_table(
            home,
            look,
            kind=kind,
            path=path,
            sql=sql,
            query=query,
            cursor=cursor,
            time=time,
            time_format=time_format,
            map=mapping or [],
        )
        return
    formats = {PERSON.name: PERSON, **contract_of(home).find(Format, "importers")}
    if format_name not in formats:
        raise InputError(
            expected=f"a format, one of {sorted([*formats, TABLE])}",
            found=repr(format_name),
            next_command="refrain import --help",
        )
    if path is None or any((kind, mapping, time, time_format, sql, query, cursor, look)):
        raise InputError(
            expected="a path, and options such as --as with the format table only",
            found=f"the format {format_name} {'without a path' if path is None else 'with such an option'}",
            next_command=f"refrain import {format_name} {path or 'PATH'}",
        )
    importer = formats[format_name]
    with progress(f"import {format_name}") as report_progress:
        report = ingest(
            home,
            f"{format_name}:{path.name}",
            importer.batches(path, home, **options),
            progress=report_progress,
            slow=importer.resumes,
            content=importer.content(path, *(f"{name}={value}" for name, value in sorted(options.items()))),
        )
    say_report(report)


def _import_table(home: Home, look: bool, *, map: list[str], **options: Any) -> None:
    """Imports a file or a query; the options are the fields of a ``TableRequest``."""
    from feature_repo.project import Project, TableImport
    from transforms.raw.own_tables.request import TableRequest, parse_map
    from transforms.raw.own_tables.run import import_file, import_query

    section = Project.load(home.project_folder).imports.get(options["kind"], TableImport())
    request = TableRequest(**options, map=parse_map(map), section=section)
    request.check()
    run = import_query if request.path is None else import_file
    with ExitStack() as bar:

        @cache
        def opened() -> Progress:  # only after the plan is printed, which a bar would take to standard error
            return bar.enter_context(progress(f"import {request.kind}"))

        def report_progress(done: float, total: float, note: str = "") -> None:
            opened()(done, total, note)

        report = run(home, request, show=say, progress=report_progress, look=look)
    if report is None:
        say("nothing is stored, as --look says")
    else:
        say_report(report)
