"""Commands to search parameters and to explain models."""

from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(tune)
    app.command()(explain)
    app.command()(report)


def tune(
    name: Annotated[
        str, typer.Argument(help="a model of rows, or one whose family says what to search; an error names them")
    ],
    minutes: Annotated[float, typer.Option(min=0.05, help="to search")] = 5.0,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = 2,
    learner: Annotated[
        list[str] | None,
        typer.Option(help="of a model of rows, among which to search: lightgbm, xgboost, forest, linear; all"),
    ] = None,
    without: Annotated[str, typer.Option(help="of a model of rows, features or views to leave out, with commas")] = "",
) -> None:
    """Search parameters on past periods; train the best; say whether it beats the default on test.

    The search is kept: the same command goes on with it.
    """
    from training.tuning.search import search

    with progress(f"tune {name}") as tell:
        result = search(
            Home.from_env(),
            name,
            minutes=minutes,
            jobs=jobs,
            learners=tuple(learner or ()),
            without=tuple(filter(None, without.split(","))),
            progress=tell,
        )
    for line in result.lines():
        say(line)


def explain(
    name: Annotated[str, typer.Argument(help="a model; NAME:VERSION for one that is no champion")],
    rows: Annotated[int, typer.Option(min=0, help="of the test to explain one by one")] = 3,
) -> None:
    """What moves the answers: contributions, partial dependence, the worth of each feature view and what it costs."""
    from training.explain.explained import explain as run_it

    with progress(f"explain {name}") as tell:
        explanation = run_it(Home.from_env(), name, rows=rows, progress=tell)
    for line in explanation.lines():
        say(line)


def report(
    name: Annotated[str, typer.Argument(help="a model; NAME:VERSION for one that is no champion")],
) -> None:
    """Where the model's card lies: data, figures with intervals, segments, calibration, importance, gates, lineage."""
    from feature_repo.bundle import open_bundle
    from feature_repo.errors import BundleError
    from training.card import CARD

    bundle = open_bundle(name, Home.from_env())
    card = bundle.folder / CARD
    if not card.is_file():
        raise BundleError(
            expected=f"a card of {bundle.name_version}",
            found="none: it was registered before there were any",
            next_command=f"python -m training run {bundle.manifest['name']} --again",
        )
    say(str(card))
