"""Command that trains under differential privacy."""

from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home


def install(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(no_args_is_help=True)(private)


def private(
    name: Annotated[str, typer.Argument(metavar="NAME", help="recommendation, or a model of rows of people")],
    epsilon: Annotated[float, typer.Option(help="ε of a person: smaller protects more")],
    delta: Annotated[float, typer.Option(help="δ, far below one by the number of people")] = 1e-6,
    learner: Annotated[
        str, typer.Option(help="of a model of rows: linear (default), or network (extra deep)", show_default=False)
    ] = "",
    attack: Annotated[bool, typer.Option("--attack/--no-attack", help="attack it, for its card")] = True,
) -> None:
    """Train a model that hardly depends on any one person, from one noisy release, and register it.

    Spends from the privacy budget of the purpose before noise is drawn. The same data, ε, δ and learner again return
    the same release, at no cost. Then the mechanism is attacked on simulated people, as `refrain model leaks` does; the
    card shows how far that came.

    Example: refrain model private churn_model --epsilon 4
    """
    from training.private.differential.run import run_private_model
    from training.private.leaks.report import lines
    from training.private.leaks.run import measure_model

    home = Home.from_env()
    with progress(f"private {name}") as report:
        result = run_private_model(home, name, epsilon, delta, learner, progress=report)
    for line in result.lines():
        say(line)
    if attack:
        with progress("leaks of the mechanism") as report:
            measured = measure_model(home, f"{name}:{result.version}", progress=report)
        for line in lines(measured.leaks, measured.left_out):
            say(line)
