"""Commands of the event stream: read it, send to it, store it, look at it."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(stream)
    app.command()(send)
    app.command()(archive)
    app.command("stream-status")(stream_status)


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


def archive() -> None:
    """Store the accepted events of the stream in the raw tables; build does so by itself.

    Example: refrain archive
    """
    store_accepted()


def stream_status(
    dead: Annotated[int, typer.Option(min=0, help="how many of the newest refused events to show")] = 10,
) -> None:
    """Count the events of the stream by outcome, and list the newest refused ones with reasons.

    Example: refrain stream-status --dead 20
    """
    from transforms.stream.status import lines

    for line in lines(Home.from_env(), dead):
        say(line)


def store_accepted() -> None:
    """Stores the accepted events of the stream in the raw tables, and says how many; Redis may be away."""
    from transforms.stream.batch_boundary import archive_if_there

    stored = archive_if_there(Home.from_env())
    if stored is None:
        say("stream: Redis does not answer; its events are left for the next build")
    elif stored:
        say(f"stream: {stored:,} events → {Home.from_env().raw('plays').parent.parent}")


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
