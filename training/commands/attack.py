"""Command that attacks a model."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json


def install(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(attack)


def attack(
    name: Annotated[str, typer.Argument(metavar="NAME[:VERSION]", help="a model, or the analysis language or masking")],
    only: Annotated[list[str] | None, typer.Option("--attack", help="this attack; may be given several times")] = None,
    strengths: Annotated[str, typer.Option(help="strengths in place of the attack's own, such as 0.1,0.5")] = "",
    rows: Annotated[int, typer.Option(min=1, help="most units that are attacked")] = 300,
    seed: Annotated[int, typer.Option(help="random seed of units and attacks")] = 0,
    sounds: Annotated[Path | None, typer.Option(help="folder of sound files named by their track")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object with all curves")] = False,
) -> None:
    """Measure how a model's answers fall as its inputs are changed on purpose; the version's card shows the curves.

    Example: refrain model attack sentiment_model --attack typos --strengths 0.1,0.5
    """
    from training.robustness.curve import to_json as curves_as_json
    from training.robustness.report import lines
    from training.robustness.run import attack_model, numbers

    with progress(f"attack {name}") as report:
        result = attack_model(
            Home.from_env(),
            name,
            attacks=only or (),
            strengths=numbers(strengths),
            rows=rows,
            seed=seed,
            sounds=sounds,
            progress=report,
        )
    if as_json:
        record = {"model": result.model, "version": result.version, "curves": curves_as_json(result.curves)}
        say(to_json({**record, "left_out": result.left_out}))
        return
    for line in lines(result.curves, result.left_out):
        say(line)
    say(f"page: {result.page}" if result.page else f"no version is registered, so nothing is recorded of {name}")
