"""Commands that train under differential privacy."""

from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    private = typer.Typer(no_args_is_help=True, help="Train models that hardly depend on any one person.")
    private.command("recommendation")(recommendation)
    app.add_typer(private, name="private")


def recommendation(
    epsilon: Annotated[float, typer.Option(help="ε of a person: smaller protects more")],
    delta: Annotated[float, typer.Option(help="δ, far below one by the number of people")] = 1e-6,
    attack: Annotated[bool, typer.Option("--attack/--no-attack", help="attack it, for its card")] = True,
) -> None:
    """Publish noisy sums of all plays, solve EASE from them, register the bundle; it is served as any other.

    Spends from the privacy budget of personalisation. The same plays, ε and δ again return the same release, at no
    cost. Then its mechanism is attacked on simulated people, as `refrain model leaks` does; the card shows how far
    that came.

    Example: refrain model private recommendation --epsilon 4
    """
    from training.private.differential.recommendation import run_private
    from training.private.leaks.report import lines
    from training.private.leaks.run import measure_model

    home = Home.from_env()
    with progress("private recommendation") as report:
        result = run_private(home, epsilon, delta, progress=report)
    for line in result.lines():
        say(line)
    if attack:
        with progress("leaks of the mechanism") as report:
            measured = measure_model(home, f"recommendation:{result.version}", progress=report)
        for line in lines(measured.leaks, measured.left_out):
            say(line)
