"""``python -m transforms``: import or simulate raw events, build feature tables."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import command_line, progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home

app = command_line(
    "Raw events to feature tables. Order of work: import or simulate, then build, then feast materialize."
)


@app.command("import")
def import_(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="movielens, lastfm, spotify or listenbrainz")],
    path: Annotated[Path, typer.Argument(help="the file or folder, as the format's owner publishes it")],
) -> None:
    """Store listening events of a known format in the raw tables. Importing again adds nothing."""
    from transforms.importers import FORMATS
    from transforms.raw.ingest import ingest

    if format_name not in FORMATS:
        raise InputError(
            expected=f"a format, one of {sorted(FORMATS)}",
            found=repr(format_name),
            next_command="python -m transforms import --help",
        )
    chosen = FORMATS[format_name]
    with progress(f"import {format_name}") as tell:
        report = ingest(Home.from_env(), f"{format_name}:{path.name}", chosen.read(path), progress=tell)
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
    from transforms.simulate.run import simulate as run
    from transforms.simulate.world import Size

    try:
        first = datetime.strptime(start, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(
            expected="a day such as 2026-01-01",
            found=repr(start),
            next_command="python -m transforms simulate",
        ) from error
    with progress("simulate") as tell:
        report = run(Home.from_env(), Size(users, tracks, days, plays, first), seed, progress=tell)
    _show(report)


@app.command()
def build() -> None:
    """Bring all feature tables up to date with the raw tables; recomputes only the days that changed."""
    from transforms.build import build as run

    with progress("build") as tell:
        reports = run(Home.from_env(), progress=tell)
    for name, report in reports.items():
        span = f"{min(report.rebuilt)} … {max(report.rebuilt)}" if len(report.rebuilt) > 1 else ""
        say(
            f"{name:22}{report.rows:>10,} rows  {len(report.rebuilt):>4} of {report.days} files rebuilt  "
            f"{report.seconds:6.1f} s  {span}".rstrip()
        )


def _show(report: object) -> None:
    from transforms.raw.ingest import Report

    assert isinstance(report, Report)
    for name, counts in report.tables.items():
        say(
            f"{name:12}{counts.read:>10,} read  {counts.added:>10,} added  {counts.known:>10,} known before  "
            f"{counts.quarantined:>6,} quarantined"
        )
        for why, count in sorted(counts.reasons.items()):
            say(f"{'':12}{count:>10,} quarantined: {why}")
    rows = sum(counts.read for counts in report.tables.values())
    say(f"{rows:,} rows in {report.seconds:.1f} s → {Home.from_env().root / 'raw'}")


if __name__ == "__main__":
    app()
