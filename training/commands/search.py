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
    name: Annotated[str, typer.Argument(help="a model with parameters to search; the error for another lists them")],
    minutes: Annotated[float, typer.Option(min=0.05, help="minutes of search")] = 5.0,
    jobs: Annotated[int, typer.Option(min=1, help="number of processes")] = 2,
    learner: Annotated[
        list[str] | None,
        typer.Option(help="learners to search for a model of rows: lightgbm, xgboost, forest, linear; default all"),
    ] = None,
    without: Annotated[str, typer.Option(help="features or views that a model of rows leaves out, with commas")] = "",
) -> None:
    """Search parameters on past periods; train the best; show whether it beats the default on the test.

    The search is stored: the same command resumes it.

    Example: refrain model tune orders_returned --minutes 10
    """
    from training.tuning.search import search

    with progress(f"tune {name}") as report:
        result = search(
            Home.from_env(),
            name,
            minutes=minutes,
            jobs=jobs,
            learners=tuple(learner or ()),
            without=tuple(filter(None, without.split(","))),
            progress=report,
        )
    for line in result.lines():
        say(line)


def explain(
    name: Annotated[str, typer.Argument(help="a model; NAME:VERSION for one that is no champion")],
    rows: Annotated[int, typer.Option(min=0, help="rows of the test to explain one by one")] = 3,
    listener: Annotated[
        str | None,
        typer.Option(help="of recommendation: user_id, to say without which plays its first track would not be"),
    ] = None,
) -> None:
    """Explain the answers: contributions, partial dependence, worth and lookup cost of each feature view.

    With --listener: the fewest tracks and artists whose plays, taken away, put another track first.

    Example: refrain model explain orders_returned --rows 20
    """
    if listener is not None:
        from training.explain.counterfactual import explain_listener

        for line in explain_listener(Home.from_env(), name, listener).lines():
            say(line)
        return
    from training.explain.explanation import explain as run_it

    with progress(f"explain {name}") as report:
        explanation = run_it(Home.from_env(), name, rows=rows, progress=report)
    for line in explanation.lines():
        say(line)


def report(
    name: Annotated[str, typer.Argument(help="a model; NAME:VERSION for one that is no champion")],
) -> None:
    """Show the path of the model's card: data, figures, segments, calibration, importance, gates, lineage.

    Example: refrain model report orders_returned
    """
    from feature_repo.bundle import open_bundle
    from feature_repo.errors import BundleError
    from training.card import CARD

    bundle = open_bundle(name, Home.from_env())
    card = bundle.folder / CARD
    if not card.is_file():
        raise BundleError(
            expected=f"a card of {bundle.name_version}",
            found="none: it was registered before cards existed",
            next_command=f"refrain model run {bundle.manifest['name']} --again",
        )
    say(str(card))
