"""Command that measures what a model gives away about people."""

from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json


def install(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(leaks)


def leaks(
    name: Annotated[str, typer.Argument(metavar="NAME[:VERSION]", help="a model that learns from people or texts")],
    shadows: Annotated[int, typer.Option(min=10, help="shadow models, where each costs a fit")] = 16,
    people: Annotated[int, typer.Option(min=1, help="most people, or texts, that are drawn")] = 2_000,
    seed: Annotated[int, typer.Option(help="random seed of worlds and samples")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object with all figures")] = False,
) -> None:
    """Attack a model to measure what it gives away about the people it learned from; the version's card shows it.

    Was a person learned from (loss threshold, LiRA)? What do exact sums and vectors tell? Too few people: undecided.

    Example: refrain model leaks recommendation
    """
    from training.private.leaks.leak import to_json as leaks_as_json
    from training.private.leaks.report import lines
    from training.private.leaks.run import measure_model

    with progress(f"leaks of {name}") as report:
        result = measure_model(Home.from_env(), name, shadows=shadows, people=people, seed=seed, progress=report)
    if as_json:
        record = {"model": result.model, "version": result.version, "leaks": leaks_as_json(result.leaks)}
        say(to_json({**record, "left_out": result.left_out}))
        return
    for line in lines(result.leaks, result.left_out):
        say(line)
    say(
        f"recorded in {result.record}"
        if result.record
        else f"no version is registered, so nothing is recorded of {name}"
    )
