"""``refrain recommend-from``: recommendations from a person's own file."""

from pathlib import Path
from typing import Annotated

import typer

from refrain.commands.command import Command
from refrain.own_file.options import ANSWERS, PAGE, SEED, TIME, TIME_FORMAT


def recommend_from(
    file: Annotated[Path, typer.Argument(help="table of who played, bought or rated what (CSV, Parquet, Excel …)")],
    user: Annotated[str, typer.Option(help="column of the people; found if left out")] = "",
    item: Annotated[str, typer.Option(help="column of the items; found if left out")] = "",
    time: TIME = "",
    time_format: TIME_FORMAT = "",
    count: Annotated[int, typer.Option(min=1, max=1_000, help="number of items for each person")] = 10,
    only: Annotated[
        list[str] | None, typer.Option(help="person who gets recommendations; may be repeated; all if left out")
    ] = None,
    seed: SEED = 0,
    out: ANSWERS = None,
    page: PAGE = None,
) -> None:
    """Recommend new items to the people of a file, from what all of them have.

    Each row is one play, purchase or rating; its value does not count. The best of several algorithms, or a blend of
    them, is chosen on validation and measured once on the newest rows beside what was popular lately. Nothing is
    stored but the page and the answers; no data folder is needed.

    Example: refrain recommend-from plays.csv --user listener --item track --out lists.parquet
    """
    from refrain.own_file.recommendation import Request, recommend_from_file
    from refrain.own_file.work import work

    request = Request(user, item, time, time_format, count, tuple(only or ()))
    work(
        "recommend",
        file,
        lambda own, report: recommend_from_file(own, request, seed=seed, progress=report),
        out=out,
        page=page,
    )


COMMAND = Command(recommend_from, "Answers")
