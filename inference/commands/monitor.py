"""``python -m inference monitor``: what serving wrote down, packed and looked at."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import command_line, say
from feature_repo.home import Home

app = command_line("Answers, features and their drift, live quality, latency, freshness.")


@app.command()
def report(
    days: Annotated[float, typer.Option(min=0.01, help="the newest so many days are looked at")] = 1.0,
    reference: Annotated[float, typer.Option(min=0.01, help="and compared with so many before them")] = 7.0,
    p99: Annotated[float, typer.Option(min=1, help="milliseconds that 99 % of the answers should keep under")] = 100.0,
    html: Annotated[Path | None, typer.Option(help="where to write the page; in the data folder if left out")] = None,
    fail: Annotated[bool, typer.Option("--fail", help="exit with 1 if something drifted or was late")] = False,
) -> None:
    """One page: drift of every answer and feature, live quality, time to answer, freshness.

    Needs logs: REFRAIN_LOG_PREDICTIONS, REFRAIN_LOG_LOOKUPS and REFRAIN_LOG_IMPRESSIONS (shares from 0 to 1), set
    where it is served.
    """
    from inference.monitoring import report as pages
    from inference.monitoring.watch import watch

    home = Home.from_env()
    found = watch(home, days=days, reference=reference, goal=p99)
    for line in pages.lines(found):
        say(line)
    say(f"page: {pages.write(found, home, html)}")
    if fail and found.alarms:
        raise typer.Exit(1)


@app.command()
def pack() -> None:
    """Make Parquet of the JSON lines that serving wrote: answers, lookups, exposures. Servers may go on."""
    from transforms.logged import flat, lookups

    home = Home.from_env()
    say(f"packed {flat.pack(home):,} answers and exposures, {lookups.pack(home):,} lookups")
