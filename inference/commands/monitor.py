"""``refrain monitor``: packs the logs of serving and reports on them."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import command_line, say
from feature_repo.home import Home
from inference.monitoring.staleness import STALE_AFTER_S

app = command_line("Monitoring: drift of answers and features, live quality, latency, freshness.")


@app.command()
def report(
    days: Annotated[float, typer.Option(min=0.01, help="newest days to report on")] = 1.0,
    reference: Annotated[float, typer.Option(min=0.01, help="days before them to compare with")] = 7.0,
    p99: Annotated[float, typer.Option(min=1, help="goal for 99 % of the answers, in milliseconds")] = 100.0,
    html: Annotated[Path | None, typer.Option(help="where to write the page; in the data folder if left out")] = None,
    stale_after: Annotated[
        float, typer.Option(min=0, help="hours since the newest event from which on windowed features are stale")
    ] = STALE_AFTER_S / 3600,
    fail: Annotated[
        bool,
        typer.Option("--fail", help="exit with 1 if something drifted, was late or is stale, or could not be checked"),
    ] = False,
) -> None:
    """Write a page: drift of every answer and feature, live quality, latency, freshness.

    It needs logs: set REFRAIN_LOG_PREDICTIONS, REFRAIN_LOG_LOOKUPS and REFRAIN_LOG_IMPRESSIONS (shares from 0 to 1)
    for the server. What could not be checked, for nothing was logged or the store is down, is said, and --fail fails.

    Example: refrain monitor report --days 7 --fail
    """
    from inference.monitoring import report as pages
    from inference.monitoring.watch import watch

    home = Home.from_env()
    result = watch(home, days=days, reference=reference, goal=p99, stale_after=stale_after * 3600)
    for line in pages.lines(result):
        say(line)
    say(f"page: {pages.write(result, home, html)}")
    if fail and (result.alarms or result.gaps):
        raise typer.Exit(1)


@app.command()
def pack() -> None:
    """Convert the JSON lines of serving (answers, lookups, exposures) to Parquet, while servers run.

    Example: refrain monitor pack
    """
    from transforms.logged import flat, lookups

    home = Home.from_env()
    say(f"packed {flat.pack(home):,} answers and exposures, {lookups.pack(home):,} lookups")
