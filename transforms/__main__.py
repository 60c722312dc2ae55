"""The commands of data: import, simulate or stream raw events, build feature tables."""

from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from feature_repo import clock
from feature_repo.command_line import Progress, command_line, progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.import_command import ImportCommand, format_options

app = command_line(
    "Raw events to feature tables. Order of work: import or simulate, then build, then feast materialize."
)


@app.command("import", cls=ImportCommand)
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
    _say_report(report)


PASSED_OVER_LINES = 20
"""How many of the files that an importer did not read are named."""

TABLE = "table"
"""The format of a person's own tables, which has options."""


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
        _say_report(report)


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="the same seed and sizes give the same bytes")] = 7,
    users: Annotated[int, typer.Option(min=1, help="number of listeners")] = 2_000,
    tracks: Annotated[int, typer.Option(min=100, help="number of tracks of the catalogue")] = 5_000,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="number of days")] = 60,
    plays: Annotated[int, typer.Option(min=1, help="expected number of plays")] = 1_000_000,
    start: Annotated[str, typer.Option(help="first day, UTC")] = "2026-01-01",
) -> None:
    """Fill the raw tables with a seeded, simulated world of listening whose true parameters are known.

    Example: refrain simulate --users 200 --plays 20000
    """
    from transforms.raw.simulate.run import simulate as run
    from transforms.raw.simulate.world import Size

    _check_music()
    first = _first_day(start, days)
    with progress("simulate") as report_progress:
        report = run(Home.from_env(), Size(users, tracks, days, plays, first), seed, progress=report_progress)
    _say_report(report)


def _check_music() -> None:
    """Raises an InputError if the project lacks the tables of music, which a simulated world fills."""
    from feature_repo.contract import contract_of

    contract = contract_of(Home.from_env())
    if not contract.project.has_music:
        raise InputError(
            expected="a project with the definitions of music",
            found=f"the project {contract.project.name}, which is without",
            next_command=f'{contract.import_command()}  (or: extends = ["music"] in {contract.project.file})',
        )


def _first_day(text: str, days: int) -> datetime:
    """Parse the first day of a simulated world; returns its midnight. The catalogue begins earlier.

    Raises:
        InputError: the text is not a day, or the day is in the future or too early for valid timestamps.
    """
    from transforms.raw.simulate.world import OLDEST

    earliest = clock.BEGINNING + OLDEST
    try:
        first = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        first = None
    if first is None or not earliest <= first <= datetime.now(UTC):
        raise InputError(
            expected=f"a day such as 2026-01-01, from {earliest:%Y-%m-%d} to today",
            found=repr(text),
            next_command=f"refrain simulate --days {days}",
        )
    return first


@app.command("simulate-telemetry")
def simulate_telemetry(
    seed: Annotated[int, typer.Option(help="the same seed and sizes give the same bytes")] = 7,
    hosts: Annotated[int, typer.Option(min=1, help="number of hosts")] = 8,
    endpoints: Annotated[int, typer.Option(min=1, help="endpoints of the service")] = 5,
    rate: Annotated[float, typer.Option(min=0.1, help="requests a minute and endpoint")] = 12.0,
    accounts: Annotated[int, typer.Option(min=10, help="accounts that log in")] = 200,
    masters: Annotated[int, typer.Option(min=0, help="masters measured a day")] = 60,
    days: Annotated[int, typer.Option(min=2, max=365, help="number of days")] = 21,
    quiet_days: Annotated[int, typer.Option(min=0, help="days without incidents at the beginning")] = 14,
    incidents: Annotated[int, typer.Option(min=0, help="incidents of each kind in the later days")] = 6,
) -> None:
    """Fill the raw tables with a seeded service whose incidents are known: hosts, requests, logins, plays, masters.

    Example: refrain simulate-telemetry --hosts 4 --days 28
    """
    from transforms.raw.simulate.telemetry.run import simulate_telemetry as run
    from transforms.raw.simulate.telemetry.schedule import TelemetrySize

    _check_music()
    if quiet_days >= days:
        raise InputError(
            expected=f"fewer quiet days than days ({days})",
            found=str(quiet_days),
            next_command="refrain simulate-telemetry --help",
        )
    size = TelemetrySize(hosts, endpoints, rate, accounts, masters, days, quiet_days, incidents)
    with progress("simulate telemetry") as report_progress:
        report = run(Home.from_env(), size, seed, progress=report_progress)
    _say_report(report)


@app.command("simulate-sound")
def simulate_sound(
    seed: Annotated[int, typer.Option(help="the same seed, songs and seconds give the same sound")] = 7,
    songs: Annotated[int, typer.Option(min=1, help="number of songs")] = 480,
    seconds: Annotated[float, typer.Option(min=2, max=600, help="length of each song")] = 12.0,
) -> None:
    """Compose and play songs whose tempo, key, genre, mood and instruments are known, and import them.

    The songs belong to tracks of the simulated world, if there is one. They are ogg, mp3 and flac files in the data
    folder. The command may be stopped and run again: songs that are written and analysed stay.

    Example: refrain simulate-sound --songs 40
    """
    from transforms.raw.simulate.sound.run import simulate_sound as run

    _check_music()
    with progress("simulate sound") as report_progress:
        folder, report = run(Home.from_env(), songs=songs, seconds=seconds, seed=seed, progress=report_progress)
    _say_report(report)
    say(f"sound and truth: {folder}")


@app.command()
def build() -> None:
    """Bring all feature tables up to date with the raw tables and the stream; recomputes only the days that changed.

    Example: refrain build
    """
    from transforms.batch.build import build as run

    _archive()
    with progress("build") as report_progress:
        reports = run(Home.from_env(), progress=report_progress)
    for name, report in reports.items():
        span = f"{min(report.rebuilt)} … {max(report.rebuilt)}" if len(report.rebuilt) > 1 else ""
        say(
            f"{name:22}{report.rows:>10,} rows  {len(report.rebuilt):>4} of {report.days} files rebuilt  "
            f"{report.seconds:6.1f} s  {span}".rstrip()
        )


@app.command()
def stream(
    source: Annotated[
        str, typer.Argument(help="redis, '-' for standard input, or a file with one JSON object a line")
    ] = "redis",
    lateness: Annotated[str, typer.Option(help="events that are later than this are left for build")] = "6h",
    clock: Annotated[
        str, typer.Option(help="wall, or events: time is that of the events (to replay the past); redis: wall")
    ] = "",
    batch: Annotated[int, typer.Option(min=1, max=100_000, help="most events that are counted together")] = 5_000,
    flood: Annotated[int, typer.Option(min=1, help="most events of one listener that count within a minute")] = 1_000,
    kind: Annotated[
        str, typer.Option(help="kind of the events in a file or on standard input [default: the only one, or plays]")
    ] = "",
    until_idle: Annotated[bool, typer.Option("--until-idle", help="end when no event waits")] = False,
) -> None:
    """Keep windowed features online up to the last event: read events, count each once, push the rows they change.

    The reader may be stopped or killed at any moment and started again: nothing is lost or counted twice. Only one
    reader runs at a time. Events arrive by `refrain send`, POST /v1/events of the serving side, or XADD.
    Malformed events, impossible values and floods are refused; see `refrain stream-status`.

    Example: refrain stream orders.jsonl --kind orders --until-idle
    """
    from feature_repo.packed.address import Address
    from feature_repo.windows.table import duration
    from transforms.stream.log import Log
    from transforms.stream.reader import Reader, Settings
    from transforms.stream.sources import Lines, Source, Stream

    if clock not in ("", "wall", "events"):
        raise InputError(
            expected="--clock wall or --clock events",
            found=repr(clock),
            next_command="refrain stream --help",
        )
    kind = _settled_kind(kind) if source != "redis" else kind

    line_sources: list[Lines] = []

    def open_source(log: Log) -> Source:
        if source == "redis":
            return Stream(log)
        line_sources.append(Lines(log, None if source == "-" else Path(source), kind))
        return line_sources[0]

    clock_kind = clock or ("wall" if source == "redis" else "events")
    allowed_lateness = duration(lateness, next_command="refrain stream --lateness 6h")
    settings = Settings(allowed_lateness, clock_kind, batch, flood, until_idle)
    report = Reader(Home.from_env(), Address.from_env(), open_source, settings).run()
    summary = ", ".join(f"{count:,} {name}" for name, count in sorted(report.counts.items()) if count) or "nothing"
    say(f"{summary}; {report.rows:,} rows pushed in {report.batches:,} batches")
    for remark in (remark for lines in line_sources for remark in lines.remarks):
        say(f"  {remark}")


@app.command()
def send(
    path: Annotated[Path, typer.Argument(help="a file with one JSON object a line, or '-' for standard input")],
    kind: Annotated[str, typer.Option(help="kind of the events [default: the only one, or plays]")] = "",
) -> None:
    """Append events to the stream, to be read by `refrain stream`.

    Lines that are not events are skipped and listed. If no line is an event, the command fails (exit code 1).

    Example: refrain send orders.jsonl --kind orders
    """
    from transforms.stream.send import send as run

    kind = _settled_kind(kind)
    with progress("send") as report_progress:
        sent, refused = run(Home.from_env(), path, kind, progress=report_progress)
    say(f"{sent:,} events sent")
    for line, why in refused[:10]:
        say(f"  line {line:,} not sent: {why}")
    if len(refused) > 10:
        say(f"  and {len(refused) - 10:,} more")
    if refused and not sent:
        raise InputError(
            expected=f"events of the kind {kind}, one JSON object a line",
            found=f"none in {len(refused):,} lines; the first: {refused[0][1]}",
            next_command="correct the lines, or name their kind: refrain send --help",
        )


@app.command()
def archive() -> None:
    """Store the accepted events of the stream in the raw tables; build does so by itself.

    Example: refrain archive
    """
    _archive()


@app.command("stream-status")
def stream_status(
    dead: Annotated[int, typer.Option(min=0, help="how many of the newest refused events to show")] = 10,
) -> None:
    """Count the events of the stream by outcome, and list the newest refused ones with reasons.

    Example: refrain stream-status --dead 20
    """
    from transforms.stream.status import lines

    for line in lines(Home.from_env(), dead):
        say(line)


def _settled_kind(kind: str) -> str:
    """Returns the kind of events that an option names; without one, the project's only kind, or plays.

    Raises:
        InputError: the project has no such kind, or several to choose from.
    """
    from feature_repo.contract import contract_of

    kinds = sorted(contract_of(Home.from_env()).events)
    chosen = kind or (kinds[0] if len(kinds) == 1 else "plays")
    if chosen not in kinds:
        raise InputError(
            expected=f"a kind of events, one of {kinds}",
            found=repr(kind) if kind else "no --kind",
            next_command=f"repeat the command with --kind {kinds[0] if kinds else 'KIND'}",
        )
    return chosen


def _archive() -> None:
    from transforms.stream.batch_boundary import archive_if_there

    stored = archive_if_there(Home.from_env())
    if stored is None:
        say("stream: Redis does not answer; its events are left for the next build")
    elif stored:
        say(f"stream: {stored:,} events → {Home.from_env().raw('plays').parent.parent}")


def _say_report(report: object) -> None:
    from transforms.raw.report import Report

    assert isinstance(report, Report)
    for name, counts in report.tables.items():
        say(
            f"{name:12}{counts.read:>10,} read  {counts.added:>10,} added  {counts.duplicates:>8,} duplicates  "
            f"{counts.known:>10,} stored before  {counts.quarantined:>6,} quarantined"
            + (f"  {counts.corrected:,} corrected" if counts.corrected else "")
        )
        if counts.conflicts:
            say(
                f"{'':12}{counts.conflicts:>10,} duplicates have other values than the row that they repeat; "
                "does the key of the events lack a column?"
            )
        for why, count in sorted(counts.reasons.items()):
            say(f"{'':12}{count:>10,} quarantined: {why}")
        for kind, count in sorted(counts.left_out.items()):
            say(f"{'':12}{count:>10,} left out: {kind}")
    if report.passed_over:
        say(f"{len(report.passed_over):,} files passed over:")
    for item in report.passed_over[:PASSED_OVER_LINES]:
        say(f"{'':12}{item.name}: {item.why}")
    if len(report.passed_over) > PASSED_OVER_LINES:
        say(f"{'':12}and {len(report.passed_over) - PASSED_OVER_LINES:,} more")
    rows = sum(counts.read for counts in report.tables.values())
    say(f"{rows:,} rows in {report.seconds:.1f} s → {Home.from_env().root / 'raw'}")
    if hint := clock.hint(Home.from_env()):
        say(hint)


if __name__ == "__main__":
    app()
