"""``refrain experiments``: declares, starts, ramps up and stops experiments."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from feature_repo import experiments as declared
from feature_repo.command_line import command_line, say
from feature_repo.errors import InputError
from feature_repo.experiments import METRICS, SETTINGS, Experiment
from feature_repo.home import Home

app = command_line("Experiments on recommendations; to evaluate one: refrain model experiment NAME.")
EXAMPLE = """\
{"name": "more_new", "metric": "engagement",
 "variants": [{"name": "control"}, {"name": "explore", "settings": {"explore": 0.2}}],
 "guardrails": [{"metric": "skip_rate", "worse": "up", "margin": 0.02}]}"""

Name = Annotated[str, typer.Argument(help="as 'refrain experiments list' shows it")]


@app.command()
def declare(
    file: Annotated[Path | None, typer.Argument(help="JSON of one experiment; '-' for standard input")] = None,
    example: Annotated[bool, typer.Option("--example", help="print one")] = False,
) -> None:
    """Declare an experiment; it has no effect until it is started.

    Experiments of one layer own buckets (0 to 10,000) that must not overlap. --example prints one to start from.

    Example: refrain experiments declare more_new.json
    """
    if example or file is None:
        say(EXAMPLE)
        say(f"settings of a variant: {', '.join(SETTINGS)}")
        say(f"metrics: {', '.join(METRICS)}")
        return
    if str(file) != "-" and not file.is_file():
        raise InputError(
            expected="a file with an experiment",
            found=str(file),
            next_command="refrain experiments declare --example",
        )
    content = typer.get_text_stream("stdin").read().encode() if str(file) == "-" else file.read_bytes()
    try:
        experiment = msgspec.json.decode(content, type=Experiment)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            expected="an experiment as JSON",
            found=str(error),
            next_command="refrain experiments declare --example",
        ) from error
    declared.add(Home.from_env(), msgspec.structs.replace(experiment, state="draft", started=None, stopped=None))
    say(f"{experiment.name} is declared; next: refrain experiments start {experiment.name} --share 0.1")


@app.command()
def start(
    name: Name,
    share: Annotated[
        float | None, typer.Option(min=0, max=1, help="share of its listeners to include; as declared if left out")
    ] = None,
) -> None:
    """Start an experiment, or raise its share; listeners who are in it stay in the same arm.

    Example: refrain experiments start more_new --share 0.1
    """
    experiment = declared.start(Home.from_env(), name, datetime.now(UTC), share)
    say(f"{name} runs for {experiment.share:.0%} of the listeners in its buckets")


@app.command()
def stop(name: Name, reason: Annotated[str, typer.Option(help="for the record")] = "ended") -> None:
    """Stop an experiment for good; within two seconds all listeners get the default settings.

    Example: refrain experiments stop more_new --reason "more skips"
    """
    declared.stop(Home.from_env(), name, datetime.now(UTC), reason)
    say(f"{name} is stopped; next: refrain model experiment {name}")


@app.command()
def holdout(share: Annotated[float, typer.Argument(min=0, max=0.5, help="share, such as 0.05")]) -> None:
    """Set the share of all listeners that is in no experiment.

    Example: refrain experiments holdout 0.05
    """
    declared.hold_out(Home.from_env(), share)
    say(f"{share:.1%} of all listeners are in no experiment")


@app.command("list")
def show() -> None:
    """List all experiments.

    Example: refrain experiments list
    """
    experiments = declared.read(Home.from_env())
    say(f"holdout {experiments.holdout:.1%}")
    say(f"{'name':24}{'state':9}{'layer':16}{'buckets':>14}{'share':>8}  arms")
    for experiment in experiments.experiments.values():
        arms = ", ".join(f"{arm.name} ×{arm.weight:g}" for arm in experiment.variants)
        buckets = f"{experiment.buckets[0]:,}–{experiment.buckets[1]:,}"
        say(
            f"{experiment.name:24}{experiment.state:9}{experiment.layer:16}{buckets:>14}{experiment.share:8.0%}  {arms}"
        )
