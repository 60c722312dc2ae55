"""``refrain test``: checks of a project's own definitions."""

import time
from collections import Counter
from typing import Annotated

import typer

from feature_repo.command_line import say
from feature_repo.home import Home
from refrain.commands.command import Command


def test(
    name: Annotated[
        str | None,
        typer.Argument(help="a windowed table with its examples, a service, an on-demand function or an example"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the generated events")] = 0,
    events: Annotated[int, typer.Option(min=2, max=2_000, help="generated events of each source")] = 60,
    bundled: Annotated[bool, typer.Option("--all", help="check the bundled definitions of music, too")] = False,
) -> None:
    """Check the features of this project: your examples, and batch = stream = definition on generated events.

    Events are generated from the columns, key and ranges of each EventSource, with ties, duplicates, corrections and
    late arrivals. On them, the rows of each windowed table from the batch run and from the stream equal a plain loop
    over the events, at every moment; rows do not change when later events are added; each service has the same values
    in a training set as online; each on-demand function has the same result for a row alone as in a batch.

    Examples are yours: example(table, events=[…], at="2026-01-02T00:00:00Z", expect={"orders_7d": 2}) in a definition
    module, or in a module `examples` of the project (from refrain import example).

    Everything happens in a temporary data folder. A failure shows the fewest events that still fail and the command
    that repeats it; the exit code is then 1. More events find more: refrain test --seed 7 --events 300

    Example: refrain test customer_orders --seed 7
    """
    from feature_repo.contract import Contract
    from refrain.checking.report import Result, plural
    from refrain.checking.run import run
    from refrain.checking.selection import Selection

    started, widths = time.monotonic(), [20]

    def begin(contract: Contract, selection: Selection) -> None:
        project = contract.project
        say(
            f"{project.name}: {plural(len(selection.tables), 'windowed table')}, "
            f"{plural(len(selection.functions), 'on-demand function')}, "
            f"{plural(len(selection.services), 'service')}, {plural(len(selection.examples), 'example')}; "
            f"seed {seed}, {events} events a source"
        )
        subjects = (*selection.tables, *selection.functions, *selection.services, *selection.examples)
        widths[0] = min(max(map(len, subjects), default=20), 44)

    def show(result: Result) -> None:
        subject = f"{result.subject:{widths[0]}}"
        say(f"{result.status:4}  {subject}  {result.check:18}  {result.seconds:5.1f} s  {result.note}".rstrip())
        for line in result.failure:
            say(f"      {line}")

    home = Home.from_env()
    results = run(home.project_folder, name, bundled=bundled, seed=seed, size=events, begin=begin, show=show)
    counts = Counter(result.status for result in results)
    text = f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped"
    say(f"{plural(len(results), 'check')} in {time.monotonic() - started:.1f} s: {text}")
    if counts["FAIL"]:
        raise typer.Exit(1)


COMMAND = Command(test, "Project")
