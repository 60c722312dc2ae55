"""Commands of the whole lifecycle, and of retraining."""

from typing import Annotated

import typer

from feature_repo.command_line import progress, say
from feature_repo.home import Home


def install(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(lifecycle)
    app.command()(retrain)


def lifecycle(
    what: Annotated[list[str] | None, typer.Argument(help="models or families; all if left out")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="simulate, or FORMAT:PATH such as movielens:/data/ml-100k; existing data if left out"),
    ] = None,
    target: Annotated[str, typer.Option(help="local, local:URL, container:PATH or kubernetes:PATH")] = "local",
    registry: Annotated[
        str, typer.Option(help="registry of the image of the last two, such as registry.example.org/music")
    ] = "",
    experiment: Annotated[str, typer.Option(help="name of the experiment in MLflow")] = "lifecycle",
    deploy: Annotated[bool, typer.Option("--deploy", help="promote versions that pass their gates")] = False,
    monitor: Annotated[bool, typer.Option("--monitor/--no-monitor", help="check the champions afterwards")] = True,
    again: Annotated[bool, typer.Option("--again", help="run every stage, even if nothing has changed")] = False,
) -> None:
    """Ingest, features, apply, train, validate, register, deploy, monitor: every stage that is not up to date.

    The command may be killed at any moment; run it again to resume.

    Example: refrain model lifecycle all --deploy
    """
    from rich.console import Console

    from training.pipeline import MLPipeline
    from training.pipeline.table import table

    pipeline = MLPipeline(
        data_source=source, deployment_target=target, models=tuple(what or ("all",)), image_registry=registry
    )
    with progress("lifecycle") as report:
        result = pipeline.run(
            experiment,
            auto_deploy=deploy,
            monitoring_enabled=monitor,
            again=again,
            progress=report,
            say=lambda stage: say(
                f"{stage.name:40}{'as before' if stage.cached else f'{stage.seconds:7.1f} s':>10}  {stage.summary}"
            ),
        )
    Console(width=max(140, Console().width)).print(table(result.outcomes))
    for status in result.watched:
        say(f"{status.model} {status.version}: {'; '.join(status.reasons) if status.due else 'nothing is due'}")
    say(f"MLflow run {result.mlflow_run} of {result.experiment}")


def retrain(
    what: Annotated[str, typer.Argument(help="a model, a family, or all")] = "all",
    days: Annotated[float, typer.Option(min=0, help="days of events since the champion was trained")] = 7.0,
    growth: Annotated[float, typer.Option(min=0, help="growth of a raw table since then, as a share")] = 0.1,
    drifted: Annotated[float, typer.Option(min=0, help="share of the features that may have drifted")] = 0.2,
    decay: Annotated[float, typer.Option(min=0, help="loss of the figure on newer rows, as a share")] = 0.1,
    look: Annotated[bool, typer.Option("--look", help="show what is due, and train nothing")] = False,
) -> None:
    """Retrain models that are due by age, volume, drift or decay; promote versions that pass their gates. For cron.

    Every decision is stored with its reasons in data/pipeline/, in retraining.jsonl.

    Example: refrain model retrain all --look
    """
    from training.models.find import select
    from training.pipeline import triggers

    home, policy = Home.from_env(), triggers.Policy(days, growth, drifted, decay)
    with progress("retrain"):
        statuses = triggers.retrain(home, select(what, home), policy, act=not look)
    results = {decision["model"]: decision["came"] for decision in triggers.decisions(home)}
    if not statuses:
        say("no champion. Next: refrain model run NAME && refrain model promote NAME")
    for status in statuses:
        say(f"{status.model} {status.version}: {'; '.join(status.reasons or status.found)}")
        say(f"  {results[status.model]}")
