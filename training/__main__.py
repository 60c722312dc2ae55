"""``python -m training``: train a family, list what is registered, promote what shall serve."""

from typing import Annotated

import typer

from feature_repo.command_line import command_line, progress, say
from feature_repo.home import Home

app = command_line("Feature services to models. Order of work: run, list, promote.")


@app.command()
def run(family: Annotated[str, typer.Argument(help="recommendation")]) -> None:
    """Train a family on the data folder's features, measure it on the last days, register it as challenger."""
    from training.train import train

    with progress(f"train {family}") as tell:
        result = train(Home.from_env(), family, progress=tell)
    say(f"{result.training_rows:,} training rows → {result.training_set}")
    for stage, seconds in result.seconds.items():
        say(f"{stage:14}{seconds:7.1f} s")
    say(f"{'test':16}{'NDCG@10':>9}{'± 95 %':>9}{'Recall@20':>11}{'coverage':>10}{'listeners':>11}")
    for model, numbers in result.metrics.items():
        say(
            f"{model:16}{numbers.ndcg_at_10:9.4f}{numbers.ndcg_interval:9.4f}{numbers.recall_at_20:11.4f}"
            f"{numbers.coverage_at_10:10.3f}{numbers.users:11}"
        )
    say(f"registered: {family} {result.version} (challenger). Next: python -m training promote {family}")


@app.command("list")
def list_() -> None:
    """Registered bundles, newest first."""
    from training.registry import versions

    found = versions(Home.from_env())
    if not found:
        say("nothing is registered. Next: python -m training run recommendation")
    for item in found:
        score = item.metrics.get("test_ndcg_at_10_hybrid")
        told = f"test NDCG@10 {score:.4f}" if score is not None else ""
        say(
            f"{item.name} {item.version:<4} {', '.join(item.aliases):22} {item.created:%Y-%m-%d %H:%M}  {told}"
            f"{'' if item.present else '  (bundle folder gone; promote fetches it)'}"
        )


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="recommendation")],
    version: Annotated[int | None, typer.Argument(help="the challenger if left out")] = None,
) -> None:
    """Make a version the champion. A running server takes it at its next start."""
    from training import registry

    chosen = registry.promote(Home.from_env(), name, version)
    say(f"{name} {chosen} is champion. Next: python -m feature_repo materialize")


if __name__ == "__main__":
    app()
