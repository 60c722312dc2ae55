"""``python -m feature_repo``: apply the contract, keep the online store running and honest."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import command_line, progress_lines, say
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.store import contract_lock
from feature_repo.stores import redis_server

app = command_line("The contract: Feast definitions, the manifest that serving reads, the embedded Redis.")
redis_app = command_line("The embedded Redis of the data folder.")
app.add_typer(redis_app, name="redis")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def feast(context: typer.Context) -> None:
    """Plain Feast on the data folder, tenant and profile of the environment: `… feast feature-views list`."""
    lock = contract_lock(Home.from_env()) if {"apply", "teardown"} & set(context.args) else contextlib.nullcontext()
    with lock:
        if "apply" in context.args:
            _mend_registry()
        code = _feast(*context.args)
    raise typer.Exit(code)


@app.command()
def apply() -> None:
    """`feast apply`, then `manifest`. Of several at once, one waits for the other."""
    with contract_lock(Home.from_env()):
        _mend_registry()
        code = _feast("apply")
        if code:
            raise typer.Exit(code)
        _compile()


@app.command()
def manifest() -> None:
    """Compile the registry into the manifest that serving reads."""
    with contract_lock(Home.from_env()):
        _compile()


def _compile() -> None:
    from feature_repo.manifest import compile_manifest
    from feature_repo.store import open_store

    home = Home.from_env()
    services = compile_manifest(open_store(home), home)
    say(f"{len(services)} feature services → {home.manifest}")


@app.command()
def lint(
    strict: Annotated[bool, typer.Option("--strict", help="fail on warnings, too")] = False,
) -> None:
    """Look for what will hurt later: no ttl, no created time, nanoseconds, labels among the features, unused ones."""
    from feature_repo.lint import lint as find_problems
    from feature_repo.store import open_store

    findings = find_problems(open_store(Home.from_env()))
    for finding in findings:
        say(f"{finding.severity:8} {finding.where}: {finding.found}. Next: {finding.next_command}")
    errors = sum(finding.severity == "error" for finding in findings)
    say(f"{errors} errors, {len(findings) - errors} warnings")
    if errors or (strict and findings):
        raise typer.Exit(1)


@app.command()
def materialize(
    until: Annotated[
        str | None,
        typer.Argument(help="Values as of this time, ISO 8601, UTC [default: now]"),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="take out what is online of each view before it is written, newer or not")
    ] = False,
) -> None:
    """Bring the newest value of every feature online, whatever its age (`feast materialize` from the beginning).

    What is online and newer stays. Stopped half-way, the same again goes on where it was. To bring online just what
    is new since the last time, use `feast materialize-incremental`, which leaves out rows that came late.
    """
    from feature_repo.clock import parse_time
    from feature_repo.materialize import materialize as run

    home, moment = Home.from_env(), parse_time(until) if until else None
    if sys.stderr.isatty():
        run(home, moment, say=say, anew=anew)
        return
    with progress_lines("materialize") as tell:

        def say_and_report(text: str) -> None:
            say(text)
            tell(0, 0, f"the last: {text.strip()}")

        run(home, moment, say=say_and_report, anew=anew)


@app.command()
def doctor(
    views: Annotated[list[str] | None, typer.Argument(help="views whose values are compared [default: all]")] = None,
    sample: Annotated[int, typer.Option(min=1, help="keys of each view that are compared")] = 500,
) -> None:
    """Look for what does not agree: values online and in the tables, rows of the future, files, registry, manifest.

    Each finding names the command that mends it; with one that is a fault the exit code is 1. Nothing is changed.
    """
    from feature_repo import clock
    from feature_repo.doctor import examine, lines

    examination = examine(Home.from_env(), clock.now(), sample=sample, views=views)
    for line in lines(examination):
        say(line)
    if examination.faults:
        raise typer.Exit(1)


@app.command()
def forget(
    join_key: Annotated[str, typer.Argument(help="such as user_id")],
    value: Annotated[str, typer.Argument(help="such as u000042")],
) -> None:
    """Take all rows about one entity out of the online store, in all views. The feature tables keep theirs."""
    from feature_repo.materialize import forget as run

    say(f"{run(Home.from_env(), join_key, value):,} rows are gone")


@app.command()
def clean() -> None:
    """Remove the data folder: what Refrain wrote there, for all tenants. What is not Refrain's stays."""
    from feature_repo.clean import clean as run

    home = Home.from_env()
    removed, kept = run(home)
    for path in removed:
        say(f"removed {path}")
    for path in kept:
        say(f"kept    {path}: not written by Refrain")
    if not removed and not kept:
        say(f"nothing to remove at {home.root}")


@redis_app.command()
def start() -> None:
    """Start the server, if it does not run."""
    home = Home.from_env()
    redis_server.ensure(home)
    say(f"Redis listens on {redis_server.socket_path(home)}")


@redis_app.command()
def stop(
    orphans: Annotated[bool, typer.Option("--orphans", help="those whose data folder was deleted, wherever")] = False,
) -> None:
    """Stop the server; its data stay in the data folder. It is found even if the folder was deleted."""
    was_running = redis_server.end_orphans() if orphans else redis_server.stop(Home.from_env())
    say("Redis stopped" if was_running else "Redis did not run")


@redis_app.command()
def release(
    project: Annotated[str, typer.Argument(help="name of the Feast project, such as refrain_default")],
) -> None:
    """Let another repository own the project's keys in this server, when the one that did is not used any more."""
    from feature_repo.stores.ownership import release as run

    had_owner = run(Home.from_env(), project)
    say(
        f"the keys of {project} belong to the next repository that opens them"
        if had_owner
        else f"nobody owns {project}"
    )


@redis_app.command()
def status() -> None:
    """Say whether the server runs, and which ones run on though their data folder was deleted."""
    home = Home.from_env()
    state = "runs" if redis_server.running(home) else "does not run"
    say(f"Redis {state} ({redis_server.socket_path(home)})")
    for orphan in redis_server.orphans():
        problem = f"process {orphan.pid} runs on, its folder {orphan.folder} is gone"
        say(f"{problem}: python -m feature_repo redis stop --orphans")


def _mend_registry() -> None:
    """Deletes view versions that a teardown of Feast 0.67 left in the registry, on which every apply would fail."""
    from feast.repo_config import load_repo_config

    from feature_repo.store import FOLDER, config_file, silence_feast
    from feature_repo.stores.feast_registry import forget_versions

    silence_feast()
    forget_versions(load_repo_config(FOLDER, config_file(Home.from_env())), of_views_that_are_gone=True)


def _feast(*arguments: str) -> int:
    """Runs Feast's command line in this process, in the folder of the repository."""
    from feature_repo.store import FOLDER, config_file, silence_feast

    os.environ["FEAST_FS_YAML_FILE_PATH"] = str(config_file(Home.from_env()))
    from feast.cli.cli import cli

    silence_feast()
    sys.path.append(str(FOLDER))  # Feast imports definitions.py under that bare name
    try:
        with contextlib.chdir(Path.cwd()):  # Feast changes the folder; relative paths refer to this one
            result = cli.main(["--chdir", str(FOLDER), *arguments], prog_name="feast", standalone_mode=False)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grpc"):
            raise
        raise StoreError(
            expected=f"gRPC, which `feast {' '.join(arguments[:1])}` of Feast 0.67 needs",
            found=f"no module {error.name}: it is no part of the default install",
            next_command="python -m pip install grpcio grpcio-health-checking grpcio-reflection, then the same again",
        ) from error
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    app()
