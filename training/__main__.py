"""``refrain model``: train, compare and promote models; deep ones, forecasts, audits and experiments."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from feature_repo.command_line import command_line, progress, say
from feature_repo.home import Home
from training.commands import (
    attack,
    cards,
    fairness,
    federate,
    leaks,
    lifecycle,
    manipulation,
    models,
    ownership,
    private,
    search,
    track_features,
    verify,
)

app = command_line("Feature services to models. Order of work: run, compare, promote; lifecycle does it all.")
models.install(app)
lifecycle.install(app)
search.install(app)
cards.install(app)
fairness.install(app)
federate.install(app)
attack.install(app)
leaks.install(app)
manipulation.install(app)
ownership.install(app)
private.install(app)
track_features.install(app)
verify.install(app)


@app.command("fine-tune")
def fine_tune(
    task: Annotated[str, typer.Argument(help="sentiment or emotion")],
    encoder: Annotated[str, typer.Argument(help="folder of a Hugging Face encoder, or its name on the hub")],
    epochs: Annotated[float, typer.Option(min=0.001, help="passes through the texts")] = 2.0,
    rate: Annotated[float, typer.Option(min=1e-7, max=1.0, help="largest learning rate")] = 5e-5,
    batch: Annotated[int, typer.Option(min=1, help="texts per step")] = 32,
    int8: Annotated[bool, typer.Option("--int8/--float32", help="type of the served weights")] = True,
    language: Annotated[list[str] | None, typer.Option(help="languages that it accepts; en if left out")] = None,
) -> None:
    """Fine-tune an encoder on the labelled texts, and register it as the next sentiment_model or emotion_model.

    Needs the extra deep (torch, transformers); the model is served without them.

    Example: refrain model fine-tune sentiment distilbert-base-uncased
    """
    from training.models.text.encoder import EncoderRecipe
    from training.models.text.fine_tune import fine_tune as run

    recipe = EncoderRecipe(encoder, epochs, batch, rate, int8=int8)
    with progress(f"fine-tune {task}") as report:
        result = run(Home.from_env(), task, recipe, languages=tuple(language or ("en",)), progress=report)
    for line in result.lines():
        say(line)


@app.command("mel-cnn")
def mel_cnn(
    folder: Annotated[Path, typer.Argument(help="folder of sound files named by their track, as they were imported")],
    epochs: Annotated[int, typer.Option(min=1, help="passes through the sounds, at the most")] = 20,
    rate: Annotated[float, typer.Option(min=1e-6, max=1.0, help="largest learning rate")] = 3e-3,
    batch: Annotated[int, typer.Option(min=2, help="sounds per step")] = 16,
    augment: Annotated[bool, typer.Option("--augment", help="also learn from copies through MP3 and noise")] = False,
) -> None:
    """Train a convolutional network on labelled sounds, and register it as the next audio_classifier.

    Needs the extra deep (torch); the model is served without it.

    Example: refrain model mel-cnn sounds
    """
    from training.models.audio.mel_cnn import CnnRecipe
    from training.models.audio.train_cnn import train_cnn

    with progress("mel-cnn") as report:
        result = train_cnn(Home.from_env(), folder, CnnRecipe(epochs, batch, rate, augment=augment), progress=report)
    for line in result.lines():
        say(line)


@app.command("beat-network")
def beat_network(
    out: Annotated[Path, typer.Argument(help="file of the weights to write, .npz")],
    task: Annotated[Literal["beats", "bars"], typer.Option(help="the network that hears beats, or bars")] = "beats",
    soundfont: Annotated[list[Path] | None, typer.Option(help="sf2 or sf3; may be given several times")] = None,
    pop909: Annotated[Path | None, typer.Option(help="folder of POP909, whose first songs are learned from")] = None,
    songs: Annotated[int, typer.Option(min=8, help="number of arrangements")] = 480,
    epochs: Annotated[int | None, typer.Option(min=1, help="passes through the sounds; 36 or 20 if left out")] = None,
    start: Annotated[Path | None, typer.Option(help="weights to go on from, .npz")] = None,
    seed: Annotated[int, typer.Option(help="random seed of arrangements and weights")] = 0,
) -> None:
    """Train the network that hears beats, or bars, on arrangements whose beats are known, and write its weights.

    Needs the extra deep (torch) and the program fluidsynth. The analysis of sounds uses the weights that come along.

    Example: refrain model beat-network weights.npz
    """
    from dataclasses import replace

    from training.models.audio.beat_tracking.train import FONTS, TASKS, train_beat_network
    from transforms.pure.audio.temporal_network import load

    with progress("beat-network") as report:
        chosen = TASKS[task]
        result = train_beat_network(
            out,
            chosen,
            replace(chosen.recipe, epochs=epochs or chosen.recipe.epochs, seed=seed),
            count=songs,
            fonts=soundfont or FONTS,
            pop909=pop909,
            start=load(start) if start else None,
            progress=report,
        )
    say(f"{result.weights:,} weights of {result.sounds:,} sounds in {result.file}")


@app.command("recorder-shifts")
def recorder_shifts(
    out: Annotated[Path, typer.Argument(help="file of the directions to write, .npz")],
    sounds: Annotated[int, typer.Option(min=2, help="number of sounds")] = 400,
    seed: Annotated[int, typer.Option(help="random seed of sounds and recorders")] = 0,
) -> None:
    """Learn how recorders move the features of a sound, from simulated sounds, and write the directions.

    The audio_classifier is trained with the directions that come along.

    Example: refrain model recorder-shifts shifts.npz
    """
    from training.models.audio.recorders import learn_shifts

    with progress("recorder-shifts") as report:
        share = learn_shifts(out, count=sounds, seed=seed, progress=report)
    say(f"{share:.0%} of the squared differences of {sounds:,} sounds in {out}")


@app.command()
def forecast() -> None:
    """Write the forecasts of the promoted forecasters from the end of the data on, as features.

    Example: refrain model forecast
    """
    from training.train import forecast as write_forecasts

    with progress("forecast") as report:
        written = write_forecasts(Home.from_env(), progress=report)
    for view, rows in written.items():
        say(f"{view:26}{rows:>10,} rows")
    say("Next: refrain materialize, then: refrain forecast --help")


@app.command("off-policy")
def off_policy() -> None:
    """Estimate the reward of the logged recommendations, and of policies with no exploration or only exploration.

    Answers are logged if REFRAIN_LOG_IMPRESSIONS is set; a play within an hour that is not skipped is a reward.

    Example: refrain model off-policy
    """
    from training.evaluate.off_policy import by_exploration
    from transforms.logged.impressions import impressions

    slots = impressions(Home.from_env())
    say(f"{slots.height:,} slots, {slots['explored'].sum():,} explored, {slots['reward'].sum():,.0f} played")
    for name, estimate in by_exploration(slots).items():
        figure = f"{estimate.value:9.4f} ± {estimate.interval:.4f}  (as good as {estimate.effective:,.0f} slots)"
        say(f"{name:24}{estimate.refusal or figure}")


@app.command()
def audit(
    service: Annotated[str, typer.Argument(help="feature service, such as recommendation_v1")],
    days: Annotated[float, typer.Option(min=0, help="only lookups of the last N days; 0 for all")] = 0,
    rows: Annotated[int, typer.Option(min=1, help="largest number of rows, the newest ones")] = 100_000,
    mismatches: Annotated[float, typer.Option(min=0, max=1, help="share of values that may differ")] = 0.001,
    psi: Annotated[float | None, typer.Option(min=0, help="PSI above which the audit fails, such as 0.25")] = None,
    html: Annotated[Path | None, typer.Option(help="where to write the report; in the data folder if left out")] = None,
) -> None:
    """Replay logged online lookups as a training set and compare them value by value; fails above a threshold.

    Lookups are logged if REFRAIN_LOG_LOOKUPS is set, such as REFRAIN_LOG_LOOKUPS=0.01 refrain serve.

    Example: refrain model audit orders_v1 --days 7
    """
    from training.audit import report
    from training.audit.replay import audit as run
    from transforms.logged.lookups import days_ago

    home = Home.from_env()
    result = run(service, home=home, since=days_ago(days) if days else None, most=rows)
    for line in report.lines(result):
        say(line)
    failures = result.failures(mismatches, psi)
    say(f"report: {report.write(result, home, failures, html)}")
    for failure in failures:
        say(f"FAILED  {failure}")
    raise typer.Exit(1 if failures else 0)


@app.command()
def experiment(
    name: Annotated[str, typer.Argument(help="as 'refrain experiments list' shows it")],
    always: Annotated[bool, typer.Option("--always", help="decide by intervals that are valid at any time")] = False,
    html: Annotated[Path | None, typer.Option(help="where to write the page; in the data folder if left out")] = None,
) -> None:
    """Analyse an experiment: sizes of the arms, changes of every metric with intervals, guardrails, a verdict.

    Example: refrain model experiment more_new
    """
    from feature_repo import experiments
    from training.experiments import report
    from training.experiments.analysis import analyse

    home = Home.from_env()
    analysis = analyse(home, experiments.one(experiments.read(home), name), always=always)
    for line in report.lines(analysis):
        say(line)
    say(f"page: {report.write(analysis, home, html)}")


if __name__ == "__main__":
    app()
