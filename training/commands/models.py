"""Commands to train, list, compare, promote and roll back models."""

from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home

Name = Annotated[str, typer.Argument(help="as 'refrain model list --all' shows it")]


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(run)
    app.command("list")(list_)
    app.command()(compare)
    app.command()(promote)
    app.command()(rollback)
    app.command()(demote)


def run(
    what: Annotated[str, typer.Argument(help="a model, a family of models, or all; 'list --all' shows them")],
    again: Annotated[bool, typer.Option("--again", help="train even if nothing has changed")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="models at a time")] = 2,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="parameter of one model, such as learner=xgboost or trees=300")
    ] = None,
) -> None:
    """Train on the data folder's features, test on the newest rows, check the gates, register as challenger.

    A model with the same code, data and parameters as a registered version is not trained again.

    Example: refrain model run orders_returned --set trees=300
    """
    from feature_repo.errors import InputError
    from training.models.find import select
    from training.pipeline.models import run_model

    home, chosen = Home.from_env(), select(what)
    if len(chosen) > 1:
        if setting:
            raise InputError(
                expected="--set for one model", found=f"{len(chosen)} models", next_command="name one of them"
            )
        _show_all(home, chosen, again, jobs)
        return
    with progress(f"train {what}") as report:
        outcome = run_model(home, chosen[0], parameters=_settings(setting or []), again=again, progress=report)
    for line in outcome.lines:
        say(line)
    if outcome.cached:
        say(f"{what} {outcome.version} has the same code and data. To train in any case: --again")
    for check in outcome.decision.checks if outcome.decision else ():
        say(f"{check.verdict:10}{check.name}: {check.summary}")


def list_(
    every: Annotated[bool, typer.Option("--all", help="list models that can be trained, too")] = False,
) -> None:
    """List registered bundles, newest first.

    Example: refrain model list --all
    """
    from training.models.find import models
    from training.registry import versions

    home = Home.from_env()
    registered = versions(home)
    if every:
        for model in models().values():
            say(f"{model.family:16}{model.name:34}{model.about}")
    if not registered:
        names = list(models())
        first = "recommendation" if "recommendation" in names else next(iter(names), "")
        say("nothing is registered" + (f". Next: refrain model run {first}" if first else ", and no model is declared"))
    for version in registered:
        headline_metrics = {
            "test_ndcg_at_10_hybrid": "test NDCG@10",
            "test_mase_track/reconciled": "test MASE of tracks",
        }
        figures = ", ".join(
            f"{text} {version.metrics[key]:.4f}" for key, text in headline_metrics.items() if key in version.metrics
        )
        serve = {"pass": "may serve", "fail": "failed a gate", "undecided": "undecided", "": ""}[version.answer]
        if serve and version.answer != "pass" and "champion" in version.aliases:
            serve += ", promoted anyway"
        say(
            f"{version.name} {version.version:<4} {', '.join(version.aliases):22} {version.created:%Y-%m-%d %H:%M}  "
            f"{serve:32}{figures}{'' if version.present else '  (bundle folder gone; promote fetches it)'}"
        )


def compare(
    name: Name,
    first: Annotated[int | None, typer.Argument(help="version; the challenger if left out")] = None,
    second: Annotated[int | None, typer.Argument(help="version; the champion if left out")] = None,
) -> None:
    """Compare two versions on the test units that both share, with intervals, segments and gates.

    Example: refrain model compare orders_returned 1 2
    """
    from training.compare import compare as run_it

    for line in run_it(Home.from_env(), name, first, second):
        say(line)


def promote(
    name: Name,
    version: Annotated[int | None, typer.Argument(help="the challenger if left out")] = None,
    alias: Annotated[str, typer.Option("--as", help="champion, challenger or shadow")] = "champion",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="even if it did not pass its gates; its card and the record say so")
    ] = False,
    because: Annotated[str, typer.Option(help="reason, for the card and the record")] = "by hand",
) -> None:
    """Make a version the champion. Running servers load it within a second. Without a pass of all gates: --anyway.

    Example: refrain model promote orders_returned
    """
    from feature_repo.errors import BundleError
    from training import promotions, registry
    from training.models.base import FamilyModel
    from training.models.find import models

    home = Home.from_env()
    chosen = version or registry.challenger_of(home, name)
    decision = None if chosen is None else registry.decision_now(home, name, chosen)
    if alias == "champion" and decision is not None and not decision.may_serve and not anyway:
        verb = "failed" if decision.answer == "fail" else "is undecided:"
        raise BundleError(
            expected=f"a version of {name} that passed its gates",
            found=f"{chosen} {verb} {'; '.join(decision.reasons)}",
            next_command=f"refrain model compare {name} {chosen}, or: refrain model promote {name} {chosen} --anyway",
        )
    promoted = promotions.promote(home, name, version, alias=alias, reason=because)
    model, next_step = models().get(name), "materialize"
    if isinstance(model, FamilyModel) and model.forecast:
        next_step = "model forecast"
    elif model is not None and model.feeds:
        next_step = "build"
    say(f"{name} {promoted} is {alias}." + (f" Next: refrain {next_step}" if alias == "champion" else ""))


def rollback(name: Name) -> None:
    """Make the previous champion the champion again.

    Example: refrain model rollback orders_returned
    """
    from training import promotions, version_files

    home = Home.from_env()
    before = version_files.champion_of(home, name)
    say(f"{name} {promotions.rollback(home, name)} is champion again, in place of {before}")


def demote(
    name: Name,
    because: Annotated[str, typer.Option(help="reason, for the record of promotions")] = "by hand",
) -> None:
    """Take the champion down, so that no version serves. Running servers stop answering by it within a second.

    Example: refrain model demote orders_returned --because "it learned from a leak"
    """
    from training import promotions

    demoted = promotions.demote(Home.from_env(), name, reason=because)
    say(f"{name} {demoted} is champion no more, and no version serves. Next: refrain model promote {name} VERSION")


def _show_all(home: Home, chosen: list, again: bool, jobs: int) -> None:  # type: ignore[type-arg]
    from rich.console import Console

    from training.pipeline.models import run_models
    from training.pipeline.table import table

    with progress("train") as report:
        outcomes = run_models(home, chosen, again=again, jobs=jobs, progress=report)
    console = Console(width=max(140, Console().width))
    console.print(table(outcomes))
    trained = [outcome for outcome in outcomes if outcome.version is not None]
    say(f"{len(trained)} of {len(outcomes)} models are registered; refrain model compare NAME shows the gates")


def _settings(pairs: list[str]) -> dict[str, object]:
    import json

    from feature_repo.errors import InputError

    settings: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(expected="--set NAME=VALUE", found=repr(pair), next_command="refrain model run --help")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings
