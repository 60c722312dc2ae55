"""``refrain classify``: classes of the rows of a person's own file."""

from pathlib import Path
from typing import Annotated

import typer

from refrain.commands.command import Command
from refrain.own_file.options import ANSWERS, PAGE, SEED, TIME, TIME_FORMAT


def classify(
    file: Annotated[Path, typer.Argument(help="table with labels: CSV, Parquet, JSON lines, Arrow or Excel")],
    label: Annotated[str, typer.Option(help="column with the classes; rows without one are answered")] = "",
    text: Annotated[str, typer.Option(help="column with texts; found if left out")] = "",
    time: TIME = "",
    time_format: TIME_FORMAT = "",
    user: Annotated[
        str, typer.Option(help="column of people (or other keys) whose rows stay together in training or in the test")
    ] = "",
    without: Annotated[list[str] | None, typer.Option(help="column that is left out; may be repeated")] = None,
    seed: SEED = 0,
    out: ANSWERS = None,
    page: PAGE = None,
) -> None:
    """Classify the rows of a file: learn from those with a label, answer those without.

    Learned from are numbers, columns of few categories, and texts. The best of several models is chosen on validation,
    measured once on the test beside the shares of the classes, and answers. Rows are split by time if they have one.
    Nothing is stored but the page and the answers; no data folder is needed.

    Example: refrain classify tweets.csv --label emotion --text tweet --out answers.csv
    """
    from refrain.own_file.classification import Request, classify_file
    from refrain.own_file.work import work

    request = Request(label, text, time, time_format, user, tuple(without or ()))
    work(
        "classify",
        file,
        lambda own, report: classify_file(own, request, seed=seed, progress=report),
        out=out,
        page=page,
    )


COMMAND = Command(classify, "Answers")
