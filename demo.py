"""Runs the main job from end to end with the commands a user would type, and shows the results.

Each stage is a command of its own. The demo runs them in order, then shows rows, seconds and memory of each stage, the
quality of the recommender on the last days, one listener's history beside their recommendations, and that the features
the ranker saw online equal those the training SDK pulls for the same moment. A version that fails a gate, as with too
few plays to measure anything, is shown without being promoted. ``make demo`` calls it.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from feature_repo import clock
from feature_repo.errors import RefrainError
from feature_repo.home import DEFAULT_ROOT, Home

MODEL = "recommendation"
PROOF_USERS, PROOF_TRACKS = 50, 40
console = Console(width=max(100, Console().width))


@dataclass(frozen=True)
class Stage:
    """One command, its wall time and its peak memory."""

    name: str
    command: list[str]
    seconds: float = 0.0
    megabytes: float = 0.0


def run(name: str, *arguments: str) -> Stage:
    """Run a command of ``refrain`` with its output shown live; exits with the command's status if it fails."""
    command = [sys.executable, "-W", "ignore", "-m", "refrain", *arguments]
    console.rule(f"[bold]{name}[/]  refrain {shlex.join(arguments)}", align="left")
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return Stage(name, list(arguments), time.perf_counter() - started, usage.ru_maxrss / 1024)


def stages(source: str, data: str | None, user: str | None) -> list[Stage]:
    """Run all stages, from events to online features; the export of one listener is imported as that of ``user``."""
    imported = ("import", "import", source, str(data), *listener_option(source, user))
    first = ("simulate", "simulate") if source == "simulate" else imported
    done = [run(*first)]
    home = Home.from_env()
    if clock.hint(home):  # past data: use the end of the data as the current time
        os.environ[clock.NOW] = clock.end_of_data(home).isoformat()
        console.print(f"From here on it is {os.environ[clock.NOW]}, the end of these data ({clock.NOW}).")
    done += [
        run("build", "build"),
        run("apply", "apply"),
        run("train", "model", "run", MODEL),
    ]
    refusal = refused(home)
    if refusal:
        console.print(f"[bold]Not promoted[/], and only shown here: {escape(refusal)}")
    else:
        done.append(run("promote", "model", "promote", MODEL))
    return [*done, run("materialize", "materialize")]


def refused(home: Home) -> str | None:
    """Return why the newest version may not serve; None if it may."""
    from training.registry import challenger_of, decide_again

    version = challenger_of(home, MODEL)
    decision = None if version is None else decide_again(home, MODEL, version)
    return None if decision is None or decision.may_serve else "; ".join(decision.reasons)


def listener_option(source: str, user: str | None) -> list[str]:
    """The option that says whose export it is, for formats of one listener."""
    from feature_repo.contract import contract_of
    from transforms.raw.importers.format import Format

    kind = contract_of(Home.from_env()).find(Format, "importers").get(source)
    return ["--user", user] if user and kind and "user" in kind.options else []


def results(home: Home) -> dict[str, tuple[str, Path]]:
    """Return the result of each stage: amount and location."""
    import pyarrow.parquet as pq

    def rows(folder: Path) -> int:
        return sum(pq.read_metadata(file).num_rows for file in folder.rglob("*.parquet"))

    bundle = newest(home)
    place = home.bundles(bundle["name"]) / str(bundle["version"])
    trained = ("the plays of each listener alone", place)
    if bundle["training_set"]:
        training_set = sorted(home.training_sets.iterdir(), key=lambda folder: folder.stat().st_mtime)[-1]
        trained = (f"{json.loads((training_set / 'manifest.json').read_text())['rows']:,} training rows", training_set)
    plays = rows(home.raw("plays"))
    raw = f"{plays:,} play{'s' * (plays != 1)}"
    events = (raw, home.raw("plays").parent.parent)
    return {
        "simulate": events,
        "import": events,
        "build": (f"{rows(home.root / 'features'):,} feature rows", home.root / "features"),
        "apply": (
            f"{len(json.loads(home.manifest.read_text())['services'])} feature services",
            home.registry,
        ),
        "train": trained,
        "promote": (f"{bundle['name']}:{bundle['version']}", place),
        "materialize": (f"{online_keys(home):,} rows online", home.redis),
    }


def online_keys(home: Home) -> int:
    """Count the rows in the online store: one for each view and entity."""
    from feature_repo.manifest import load_address
    from feature_repo.packed.server import WRITE_TIMEOUT, open_server

    server = open_server(home, load_address(home), WRITE_TIMEOUT)
    return sum(map(len, server.scan(f"{home.project}:*{{*".encode())))


def newest(home: Home) -> dict[str, Any]:
    """Load the manifest of the bundle that was trained last, which is the promoted one unless it was refused."""
    from inference.models import load_bundle
    from training.registry import challenger_of

    return dict(load_bundle(f"{MODEL}:{challenger_of(home, MODEL)}", home).manifest)


def show_stages(done: list[Stage], home: Home) -> None:
    """Show rows, seconds, memory and location of each stage."""
    table = Table(title="What happened", title_justify="left")
    for heading in ("stage", "result", "seconds", "peak MB", "where it lies"):
        table.add_column(heading, justify="right" if heading in ("seconds", "peak MB") else "left", overflow="fold")
    amounts = results(home)
    for stage in done:
        amount, path = amounts[stage.name]
        shown_path = path.relative_to(home.root.parent) if path.is_relative_to(home.root.parent) else path
        table.add_row(stage.name, amount, f"{stage.seconds:.1f}", f"{stage.megabytes:,.0f}", str(shown_path))
    table.add_row(
        "total",
        "",
        f"{sum(stage.seconds for stage in done):.1f}",
        f"{max(stage.megabytes for stage in done):,.0f}",
        "",
    )
    console.print(table)


def show_quality(home: Home) -> None:
    """Show the metrics of the recommender and its baselines on the held-out last plays, or that there are none."""
    bundle = newest(home)
    own = bundle["extra"].get("own")
    if own and not bundle["metrics"]:
        console.print("How good it is: not measured, for there are too few plays or sessions.")
        return
    title = "How good it is: the last 10 % of plays, all tracks ranked, heard ones left out"
    if own:
        whose = "the one listener" if own["listeners"] == 1 else f"the {own['listeners']} listeners"
        title = f"How good it is: tracks that {whose} heard again in the last 20 % of plays"
    table = Table(title=title, title_justify="left")
    for heading in ("model", "NDCG@10", "± 95 %", "Recall@20", "coverage@10", "moments" if own else "listeners"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for model, numbers in bundle["metrics"].items():
        table.add_row(
            model,
            f"{numbers['ndcg_at_10']:.4f}",
            f"{numbers['ndcg_interval']:.4f}",
            f"{numbers['recall_at_20']:.4f}",
            f"{numbers['coverage_at_10']:.1%}",
            str(numbers["users"]),
        )
    console.print(table)


def example_listener(home: Home) -> str:
    """Return a listener with a history of median size who played within the last day of data."""
    import polars as pl

    from transforms.feature_tables import scan

    newest = scan(home, "user_history").sort("event_timestamp").group_by("user_id").last().collect()
    lately = newest.filter(pl.col("event_timestamp") == pl.col("event_timestamp").max()).sort(
        "distinct_tracks", "user_id"
    )
    return str(lately["user_id"][lately.height // 2])


def show_listener(home: Home, user: str | None) -> None:
    """Show one listener's history beside their recommendations, with reasons; of few listeners what to hear again."""
    from inference import RecommendationEngine

    bundle = newest(home)
    engine = RecommendationEngine.load(f"{MODEL}:{bundle['version']}", home)
    user = user or example_listener(home)
    history = engine.history(user, 10)
    titles = {None: f"What {user} hears next"}
    if "own" in bundle["extra"]:
        titles = {
            None: f"What {user} has not heard before",
            "again": f"What {user} may hear again",
            "forgotten": f"Forgotten favourites of {user}",
        }
    for strategy, title in titles.items():
        answer = engine.recommend(user, count=10, strategy=strategy)
        note = f", {answer.note}" if answer.note else ""
        console.print(f"[italic]{title}[/]  {escape(f'({answer.model}, {answer.strategy}{note})')}")
        if strategy is not None and not answer.items:
            continue
        table = Table()
        for column in ("", "played last", "recommended", "because"):
            table.add_column(column, overflow="fold")
        for number in range(max(len(history), len(answer.items))):
            played = history[number] if number < len(history) else None
            recommended = answer.items[number] if number < len(answer.items) else None
            table.add_row(
                str(number + 1),
                escape(f"{played.title} · {played.artist_name or '–'}") if played else "",
                escape(f"{recommended.title} · {recommended.artist_name or '–'}") if recommended else "",
                escape(recommended.reason) if recommended else "",
            )
        console.print(table)


def show_proof(home: Home) -> bool:
    """Show that an online lookup equals the offline values of the same moment; returns whether it does."""
    import polars as pl

    from inference.features import OnlineFeatures
    from training.datasets import training_set
    from transforms.feature_tables import scan

    moment = clock.now()
    keys = {
        "user_id": scan(home, "user_listening").select("user_id").unique().sort("user_id").head(PROOF_USERS),
        "track_id": scan(home, "track_catalogue")
        .select("track_id", "artist_id")
        .drop_nulls()
        .unique("track_id")
        .sort("track_id")
        .head(PROOF_TRACKS),
    }
    spine = (
        keys["user_id"]
        .join(keys["track_id"], how="cross")
        .with_columns(platform_id=pl.lit(home.tenant), event_timestamp=pl.lit(moment).dt.cast_time_unit("us"))
        .collect()
    )
    lookup = OnlineFeatures("recommendation_v1", home)
    started = time.perf_counter()
    online = lookup.get(
        {key: spine[key].to_list() for key in lookup.service.join_keys},
        {"request_timestamp": moment.timestamp()},
    )
    seconds = time.perf_counter() - started
    offline = training_set("recommendation_v1", spine, home=home).to_polars()
    different = sum(
        online_value != offline_value
        for name, values in online.values.items()
        if not name.endswith("__vector")
        for online_value, offline_value in zip(values, offline[name].to_list(), strict=True)
    )
    compared = spine.height * len(online.values)
    console.print(
        f"[bold]Online equals offline[/] at {moment:%Y-%m-%d %H:%M} UTC: {compared:,} values of recommendation_v1 "
        f"({spine.height:,} rows, looked up in {seconds * 1e3:.0f} ms) against the training SDK: "
        f"[bold]{different} different[/]"
    )
    return not different


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--source", default="simulate", help="simulate, movielens, lastfm, spotify, listenbrainz or maloja"
    )
    parser.add_argument("--data", help="the source's file or folder")
    parser.add_argument("--user", help="whose recommendations to show; also whose export it is")
    options = parser.parse_args()
    if options.source != "simulate" and not options.data:
        parser.error(f"expected the data of {options.source}; next: make demo SOURCE={options.source} DATA=path")
    if "REFRAIN_HOME" not in os.environ and options.source != "simulate":
        os.environ["REFRAIN_HOME"] = str(DEFAULT_ROOT / f"demo-{options.source}")
    if options.data:
        options.data = str(Path(options.data).absolute())
    home = Home.from_env().ensure()
    try:
        done = stages(options.source, options.data, options.user)
        console.print()
        show_stages(done, home)
        show_quality(home)
        show_listener(home, options.user)
        same = show_proof(home)
    except RefrainError as error:
        raise SystemExit(f"{error}") from error
    prefix = f"REFRAIN_HOME={home.root} " if home.root != DEFAULT_ROOT else ""
    prefix += f"{clock.NOW}={os.environ[clock.NOW]} " if clock.NOW in os.environ else ""
    steps = ["make recommend USER=…", "make serve"]
    if refused(home):
        steps = [f"refrain model promote {MODEL} --anyway"]
    console.print("\nNext: " + "   ".join(f"{prefix}{step}" for step in [*steps, "make stop (the embedded Redis)"]))
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
