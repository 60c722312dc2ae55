"""Commands of the owner's watermark: its secret, and the test whether a model is a copy."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import say
from feature_repo.home import Home
from feature_repo.output.json_text import to_json


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("own-key")(own_key)
    app.command("own-test")(own_test)


def own_key() -> None:
    """Create the secret of the watermarks of this data folder, in a file that only its owner can read.

    Keep a copy elsewhere: without it, nobody can test whether a model is a copy. An existing one is never replaced.

    Example: refrain model own-key
    """
    from feature_repo.watermark_secret import create_secret, read_secret

    home = Home.from_env().ensure()
    is_new = create_secret(home)
    read_secret(home)
    say(f"{home.watermark_secret} {'was created' if is_new else 'is there already'}")
    say("to mark answers, in refrain.toml: [model_theft.models.NAME]  watermark = 0.03")


def own_test(
    name: Annotated[str, typer.Argument(metavar="NAME[:VERSION]", help="our model; the champion without a version")],
    suspect: Annotated[
        str,
        typer.Argument(help=".onnx file, folder with model.onnx, NAME:VERSION, address, or CSV of answers"),
    ] = "",
    rows_out: Annotated[
        Path | None, typer.Option(help="only write the rows, for a suspect that somebody else asks")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Test whether a model learned from our marked answers: a p-value that holds whatever the suspect is.

    A small p-value says that the suspect depends on our secret. A large one says nothing: a thief who keeps labels
    alone loses the mark.

    Example: refrain model own-test churn_model:3 suspect.onnx
    """
    from dataclasses import asdict

    from training.own_test import prepare, run
    from training.suspects import write_rows

    home = Home.from_env()
    if rows_out is not None:
        model = prepare(home, name)
        write_rows(rows_out, model.inputs, list(model.columns))
        say(f"{len(model.inputs):,} rows in {rows_out}; answered: refrain model own-test {name} ANSWERS.csv")
        return
    result = run(home, name, suspect)
    if as_json:
        say(to_json(asdict(result)))
        return
    say(f"p-value {result.p_value:.2g}: the chance of such an agreement with our secret, if the model is independent")
    say(
        f"statistic {result.statistic:.2f} of {result.pieces} signs, {result.rows:,} rows; "
        f"it answers like our model: {result.agreement:.3f}"
    )
