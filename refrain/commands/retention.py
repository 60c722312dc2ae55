"""``refrain retention``: how long rows are kept, and the removal of older ones."""

from typing import Annotated

import typer

from feature_repo import clock
from feature_repo.command_line import progress, say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup


def show(as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False) -> None:
    """Show how long rows of each raw table, and records of each kind, are kept, and how many are older.

    Example: refrain retention show
    """
    from refrain.retention.journal import last, unfinished
    from refrain.retention.plan import aged

    home = Home.from_env()
    items, done, begun = aged(home, clock.now()), last(home), unfinished(home)
    if as_json:
        kept = {
            item.period.name: {
                "period": item.period.text,
                "origin": item.period.origin,
                "older": item.count,
                "older_in_quarantine": item.quarantined,
                "begins": item.begins.isoformat() if item.begins else None,
            }
            for item in items
        }
        state = {"last_run": done.done_at if done else None, "unfinished": begun is not None}
        say(to_json({"kept": kept, **state}))
        return
    for item in items:
        begins = f"  begins {item.begins:%Y-%m-%d %H:%M} UTC" if item.begins else ""
        older = f"  {item.count + item.quarantined:,} older" if item.count + item.quarantined else ""
        say(f"{item.period.name:20}{item.period.text:>9}  {item.period.origin}{begins}{older}")
    if begun:
        say(f"a run of {begun.started_at} was begun and not finished; next: refrain retention run")
    say(f"last run: {done.done_at if done else 'none'}")


def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would go, and change nothing")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Remove rows and records that are older than their period, and what was derived from them.

    Later imports of such rows are left out. May be killed and repeated, and run by a timer.

    Example: refrain retention run --dry-run
    """
    from refrain.retention.journal import unfinished
    from refrain.retention.plan import aged
    from refrain.retention.run import run as remove

    home, now = Home.from_env(), clock.now()
    if dry_run or not yes:
        items = [item for item in aged(home, now) if item.count or item.quarantined]
        for item in items:
            quarantined = f", {item.quarantined:,} in quarantine" if item.quarantined else ""
            say(f"{item.period.name:20}{item.count:>10,} before {item.horizon:%Y-%m-%d %H:%M} UTC{quarantined}")
        if not items and not unfinished(home):
            say("nothing is older than its period")
            return
        if dry_run:
            say("nothing was changed")
            return
        if not typer.confirm(f"Remove these from {home.root}? This cannot be undone"):
            raise typer.Exit(1)
    with progress("retention") as report:
        journal = remove(home, now, progress=report)
    for name, count in journal.counts.items():
        say(f"{name:32}{count:>10,} removed")
    if not journal.counts:
        say("nothing was older than its period")


COMMANDS = CommandGroup("retention", "How long rows are kept, and the removal of older ones.", (show, run), "Data")
