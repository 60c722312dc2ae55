"""``python -m transforms``: import, simulate or stream raw events, build feature tables."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from feature_repo import clock
from feature_repo.command_line import command_line, progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home

app = command_line(
    "Raw events to feature tables. Order of work: import or simulate, then build, then feast materialize."
)


@app.command("import")
def import_(
    format_name: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT", help="movielens, lastfm, spotify, listenbrainz, billboard, logs, audio, texts or sst2"
        ),
    ],
    path: Annotated[Path, typer.Argument(help="the file or folder, as the format's owner publishes it")],
) -> None:
    """Store events of a known format in the raw tables. Importing again adds nothing.

    Listening (movielens, lastfm, spotify, listenbrainz), charts (billboard), logs of hosts (logs), masters that are
    measured (audio), texts with or without labels (texts, sst2).
    """
    from transforms.raw.importers import FORMATS
    from transforms.raw.ingest import ingest

    if format_name not in FORMATS:
        raise InputError(
            expected=f"a format, one of {sorted(FORMATS)}",
            found=repr(format_name),
            next_command="python -m transforms import --help",
        )
    chosen = FORMATS[format_name]
    with progress(f"import {format_name}") as tell:
        home = Home.from_env()
        report = ingest(
            home, f"{format_name}:{path.name}", chosen.batches(path, home), progress=tell, slow=chosen.resumes
        )
    _show(report)


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="the same seed and sizes give the same bytes")] = 7,
    users: Annotated[int, typer.Option(min=1)] = 2_000,
    tracks: Annotated[int, typer.Option(min=100)] = 5_000,
    days: Annotated[int, typer.Option(min=1, max=3_650)] = 60,
    plays: Annotated[int, typer.Option(min=1, help="expected number")] = 1_000_000,
    start: Annotated[str, typer.Option(help="first day, UTC")] = "2026-01-01",
) -> None:
    """Fill the raw tables with a seeded world of listening whose truth is known."""
    from transforms.raw.simulate.run import simulate as run
    from transforms.raw.simulate.world import Size

    first = _first_day(start, days)
    with progress("simulate") as tell:
        report = run(Home.from_env(), Size(users, tracks, days, plays, first), seed, progress=tell)
    _show(report)


def _first_day(text: str, days: int) -> datetime:
    """Midnight of the first day of a simulated world, whose catalogue is older.

    Raises:
        InputError: it is no day, or one of which nothing may be told: before there were times, or in the future.
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
            next_command=f"python -m transforms simulate --days {days}",
        )
    return first


@app.command("simulate-telemetry")
def simulate_telemetry(
    seed: Annotated[int, typer.Option(help="the same seed and sizes give the same bytes")] = 7,
    hosts: Annotated[int, typer.Option(min=1)] = 8,
    endpoints: Annotated[int, typer.Option(min=1)] = 5,
    rate: Annotated[float, typer.Option(min=0.1, help="requests a minute and endpoint")] = 12.0,
    accounts: Annotated[int, typer.Option(min=10)] = 200,
    masters: Annotated[int, typer.Option(min=0, help="measured a day")] = 60,
    days: Annotated[int, typer.Option(min=2, max=365)] = 21,
    quiet_days: Annotated[int, typer.Option(min=0, help="without incidents, at the beginning")] = 14,
    incidents: Annotated[int, typer.Option(min=0, help="of each kind, in the days after")] = 6,
) -> None:
    """Fill the raw tables with a seeded service whose incidents are known: hosts, requests, logins, plays, masters."""
    from transforms.raw.simulate.telemetry.run import simulate_telemetry as run
    from transforms.raw.simulate.telemetry.schedule import TelemetrySize

    if quiet_days >= days:
        raise InputError(
            expected=f"fewer quiet days than days ({days})",
            found=str(quiet_days),
            next_command="python -m transforms simulate-telemetry --help",
        )
    size = TelemetrySize(hosts, endpoints, rate, accounts, masters, days, quiet_days, incidents)
    with progress("simulate telemetry") as tell:
        report = run(Home.from_env(), size, seed, progress=tell)
    _show(report)


@app.command("simulate-sound")
def simulate_sound(
    seed: Annotated[int, typer.Option(help="the same seed, songs and seconds give the same sound")] = 7,
    songs: Annotated[int, typer.Option(min=1)] = 480,
    seconds: Annotated[float, typer.Option(min=2, max=600, help="of each song")] = 12.0,
) -> None:
    """Compose and play songs whose tempo, key, genre, mood and instruments are known, and import them.

    They are those of tracks of the simulated world, if there is one, as ogg, mp3 and flac files in the data folder.
    May be stopped and run again: songs that are written and analysed stay.
    """
    from transforms.raw.simulate.sound.run import simulate_sound as run

    with progress("simulate sound") as tell:
        folder, report = run(Home.from_env(), songs=songs, seconds=seconds, seed=seed, progress=tell)
    _show(report)
    say(f"sound and truth: {folder}")


@app.command()
def build() -> None:
    """Bring all feature tables up to date with the raw tables and the stream; recomputes only the days that changed."""
    from transforms.batch.build import build as run

    _archive()
    with progress("build") as tell:
        reports = run(Home.from_env(), progress=tell)
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
    lateness: Annotated[str, typer.Option(help="what comes later than this after newer events waits for build")] = "6h",
    clock: Annotated[
        str, typer.Option(help="wall, or events: time passes as the events say (to replay the past); wall for redis")
    ] = "",
    batch: Annotated[
        int, typer.Option(min=1, max=100_000, help="events that are counted together at the most")
    ] = 5_000,
    flood: Annotated[int, typer.Option(min=1, help="events of one listener that count within a minute")] = 1_000,
    kind: Annotated[str, typer.Option(help="of the events of a file or of standard input")] = "plays",
    until_idle: Annotated[bool, typer.Option("--until-idle", help="end when nothing waits")] = False,
) -> None:
    """Keep windowed features online up to the last event: read events, count each once, push the rows they change.

    May be stopped, or killed, at any moment and started again: nothing is lost or counted twice. One reader at a time.
    Events come by `python -m transforms send`, by POST /v1/events of the serving side, or by XADD. What is malformed,
    absurd or a flood is put aside, see `python -m transforms stream-status`.
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
            next_command="python -m transforms stream --help",
        )
    _known_kind(kind)

    files: list[Lines] = []

    def opened(log: Log) -> Source:
        if source == "redis":
            return Stream(log)
        files.append(Lines(log, None if source == "-" else Path(source), kind))
        return files[0]

    follows = clock or ("wall" if source == "redis" else "events")
    late = duration(lateness, next_command="python -m transforms stream --lateness 6h")
    settings = Settings(late, follows, batch, flood, until_idle)
    report = Reader(Home.from_env(), Address.from_env(), opened, settings).run()
    told = ", ".join(f"{count:,} {name}" for name, count in sorted(report.counts.items()) if count) or "nothing"
    say(f"{told}; {report.rows:,} rows pushed in {report.batches:,} batches")
    for remark in (remark for file in files for remark in file.remarks):
        say(f"  {remark}")


@app.command()
def send(
    path: Annotated[Path, typer.Argument(help="a file with one JSON object a line, or '-' for standard input")],
    kind: Annotated[str, typer.Option(help="of the events")] = "plays",
) -> None:
    """Append events to the stream, to be read by `python -m transforms stream`.

    Lines that are no events are left out and named; it is an error (exit code 1) if no line is an event.
    """
    from transforms.stream.send import send as run

    _known_kind(kind)
    with progress("send") as tell:
        sent, refused = run(Home.from_env(), path, kind, progress=tell)
    say(f"{sent:,} events sent")
    for line, why in refused[:10]:
        say(f"  line {line:,} not sent: {why}")
    if len(refused) > 10:
        say(f"  and {len(refused) - 10:,} more")
    if refused and not sent:
        raise InputError(
            expected=f"events of the kind {kind}, one JSON object a line",
            found=f"none in {len(refused):,} lines; the first: {refused[0][1]}",
            next_command="correct them, or name their kind: python -m transforms send --help",
        )


@app.command()
def archive() -> None:
    """Store what the stream has accepted in the raw tables; build does so by itself."""
    _archive()


@app.command("stream-status")
def stream_status(
    dead: Annotated[int, typer.Option(min=0, help="how many of the newest refused events to show")] = 10,
) -> None:
    """What became of the events of the stream, and the newest of those that were refused, with reasons."""
    from transforms.stream.status import lines

    for line in lines(Home.from_env(), dead):
        say(line)


def _known_kind(kind: str) -> None:
    from feature_repo.windows import EVENTS

    if kind not in EVENTS:
        raise InputError(
            expected=f"a kind of events, one of {sorted(EVENTS)}",
            found=repr(kind),
            next_command="python -m transforms send --help",
        )


def _archive() -> None:
    from transforms.stream.batch_boundary import archive_if_there

    stored = archive_if_there(Home.from_env())
    if stored is None:
        say("stream: Redis does not answer; what it holds is left for the next build")
    elif stored:
        say(f"stream: {stored:,} events → {Home.from_env().raw('plays').parent.parent}")


def _show(report: object) -> None:
    from transforms.raw.ingest import Report

    assert isinstance(report, Report)
    for name, counts in report.tables.items():
        say(
            f"{name:12}{counts.read:>10,} read  {counts.added:>10,} added  {counts.duplicates:>8,} duplicates  "
            f"{counts.known:>10,} stored before  {counts.quarantined:>6,} quarantined"
        )
        for why, count in sorted(counts.reasons.items()):
            say(f"{'':12}{count:>10,} quarantined: {why}")
    rows = sum(counts.read for counts in report.tables.values())
    say(f"{rows:,} rows in {report.seconds:.1f} s → {Home.from_env().root / 'raw'}")
    if hint := clock.hint(Home.from_env()):
        say(hint)


if __name__ == "__main__":
    app()
