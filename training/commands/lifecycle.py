"""The whole lifecycle, and training again when it is due."""

from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home


def install(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(lifecycle)
    app.command()(retrain)


def lifecycle(
    what: Annotated[list[str] | None, typer.Argument(help="models or families; all if left out")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="simulate, or FORMAT:PATH such as movielens:/data/ml-100k; what is there if left out"),
    ] = None,
    target: Annotated[str, typer.Option(help="local, local:URL, container:PATH or kubernetes:PATH")] = "local",
    experiment: Annotated[str, typer.Option(help="name of the record in MLflow")] = "lifecycle",
    deploy: Annotated[bool, typer.Option("--deploy", help="promote what passes its gates")] = False,
    monitor: Annotated[bool, typer.Option("--monitor/--no-monitor", help="look at the champions afterwards")] = True,
    again: Annotated[bool, typer.Option("--again", help="do every stage, even where nothing has changed")] = False,
) -> None:
    """Ingest, features, apply, train, validate, register, deploy, monitor: what is left to do of it.

    May be killed at any moment; the same again goes on.
    """
    from rich.console import Console

    from training.pipeline import MLPipeline
    from training.pipeline.table import table

    pipeline = MLPipeline(data_source=source, deployment_target=target, models=tuple(what or ("all",)))
    with progress("lifecycle") as tell:
        found = pipeline.run(
            experiment,
            auto_deploy=deploy,
            monitoring_enabled=monitor,
            again=again,
            progress=tell,
            say=lambda stage: say(
                f"{stage.name:40}{'as before' if stage.cached else f'{stage.seconds:7.1f} s':>10}  {stage.told}"
            ),
        )
    Console(width=max(140, Console().width)).print(table(found.outcomes))
    for one in found.watched:
        say(f"{one.model} {one.version}: {'; '.join(one.reasons) if one.due else 'nothing is due'}")
    say(f"MLflow run {found.mlflow_run} of {found.experiment}")


def retrain(
    what: Annotated[str, typer.Argument(help="a model, a family, or all")] = "all",
    days: Annotated[float, typer.Option(min=0, help="of events since the champion was trained")] = 7.0,
    growth: Annotated[float, typer.Option(min=0, help="of a raw table since it was trained, as a share")] = 0.1,
    drifted: Annotated[float, typer.Option(min=0, help="share of the features that may have drifted")] = 0.2,
    decay: Annotated[float, typer.Option(min=0, help="of the figure on what came since, as a share")] = 0.1,
    look: Annotated[bool, typer.Option("--look", help="say what is due, and train nothing")] = False,
) -> None:
    """Train again what is due by age, volume, drift or decay; promote what passes its gates. For cron.

    Every decision is kept with its reasons in data/pipeline/, in retraining.jsonl.
    """
    from training.models.find import named
    from training.pipeline import triggers

    home, policy = Home.from_env(), triggers.Policy(days, growth, drifted, decay)
    with progress("retrain"):
        watched = triggers.retrain(home, named(what), policy, act=not look)
    came = {told["model"]: told["came"] for told in triggers.decisions(home)}
    if not watched:
        say("no champion. Next: python -m training run NAME && python -m training promote NAME")
    for one in watched:
        say(f"{one.model} {one.version}: {'; '.join(one.reasons or one.found)}")
        say(f"  {came[one.model]}")
