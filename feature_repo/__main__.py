"""The commands of features and the online store: apply the contract, manage and check."""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import command_line, progress_lines, say
from feature_repo.errors import RefrainError, StoreError
from feature_repo.extras import MissingExtra
from feature_repo.home import Home
from feature_repo.store import contract_lock

app = command_line("The contract: Feast definitions, the manifest that serving reads, the embedded Redis.")
redis_app = command_line("The embedded Redis of the data folder.")
app.add_typer(redis_app, name="redis")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def feast(context: typer.Context) -> None:
    """Run a command of Feast on the data folder of the project.

    Example: refrain feast feature-views list
    """
    if "apply" in context.args:
        _apply(*context.args)
        return
    lock = contract_lock(Home.from_env()) if "teardown" in context.args else contextlib.nullcontext()
    with lock:
        code = _feast(*context.args)
    raise typer.Exit(code)


@app.command()
def apply() -> None:
    """Register the definitions of the project, with Feast and for servers.

    All are checked against each other first; a run that fails changes nothing, and of two at once one waits.

    Example: refrain apply
    """
    _apply("apply", then=_compile)


@app.command()
def manifest() -> None:
    """Write the manifest, the file by which servers know services and features. `refrain apply` does so, too.

    Example: refrain manifest
    """
    with contract_lock(Home.from_env()):
        _compile()


def _compile() -> None:
    from feature_repo.compile_manifest import compile_manifest
    from feature_repo.store import open_store

    home = Home.from_env()
    services = compile_manifest(open_store(home), home)
    say(f"{len(services)} feature services → {home.manifest}")


@app.command()
def lint(
    strict: Annotated[bool, typer.Option("--strict", help="fail on warnings, too")] = False,
) -> None:
    """Check definitions: missing ttl or created time, nanoseconds, labels among features, purposes, unused features.

    Example: refrain lint --strict
    """
    from feature_repo.contract import contract_of
    from feature_repo.lint import lint as find_problems
    from feature_repo.lint import purpose_findings
    from feature_repo.store import open_store

    home = Home.from_env()
    contract = contract_of(home)
    findings = [*find_problems(open_store(home), contract.on_demand), *purpose_findings(contract.purpose_declarations)]
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
        bool, typer.Option("--anew", help="erase all online values of each view before it is written, also newer ones")
    ] = False,
) -> None:
    """Write the newest value of every feature to the online store, of any age (`feast materialize` over all time).

    Newer online values are kept. The same command continues an interrupted run. To write only what is new since the
    last run, use `feast materialize-incremental`, which misses rows that arrived late.

    Example: refrain materialize 2026-03-01T00:00:00
    """
    from feature_repo.clock import parse_time
    from feature_repo.materialize import materialize as run

    home, moment = Home.from_env(), parse_time(until) if until else None
    if sys.stderr.isatty():
        run(home, moment, say=say, anew=anew)
        return
    with progress_lines("materialize") as report:

        def say_and_report(text: str) -> None:
            say(text)
            report(0, 0, f"latest: {text.strip()}")

        run(home, moment, say=say_and_report, anew=anew)


@app.command()
def doctor(
    views: Annotated[list[str] | None, typer.Argument(help="views whose values are compared [default: all]")] = None,
    sample: Annotated[int, typer.Option(min=1, help="number of keys of each view to compare")] = 500,
) -> None:
    """Say what is wrong in the data folder and what mends it, and which step is next.

    Compared are online values and tables, files, registry and manifest. The exit code is 1 if there are faults.
    Nothing is changed.

    Example: refrain doctor customer_orders --sample 1000
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
    join_key: Annotated[str, typer.Argument(help="key column, such as customer_id")],
    value: Annotated[str, typer.Argument(help="its value, such as 17")],
) -> None:
    """Erase all rows of one entity from the online store, in all views. The feature tables are unchanged.

    Example: refrain forget customer_id 17
    """
    from feature_repo.materialize import forget as run

    say(f"{run(Home.from_env(), join_key, value):,} rows erased")


@app.command()
def clean() -> None:
    """Remove the files that Refrain wrote to the data folder, of all tenants. Other files are kept.

    Example: refrain clean
    """
    from feature_repo.clean import clean as run

    home = Home.from_env(check_layout=False)
    removed, kept = run(home)
    for path in removed:
        say(f"removed {path}")
    for path in kept:
        say(f"kept    {path}: not written by Refrain")
    if not removed and not kept:
        say(f"nothing to remove at {home.root}")


@redis_app.command()
def start() -> None:
    """Start the server, if it does not run.

    Example: refrain redis start
    """
    from feature_repo.stores import redis_server

    home = Home.from_env()
    redis_server.ensure(home)
    say(f"Redis listens on {redis_server.socket_path(home)}")


@redis_app.command()
def stop(
    orphans: Annotated[bool, typer.Option("--orphans", help="stop all servers whose data folder was deleted")] = False,
) -> None:
    """Stop the server. Its data stay in the data folder. A server of a deleted folder is found, too.

    Example: refrain redis stop
    """
    from feature_repo.stores import redis_server

    was_running = redis_server.end_orphans() if orphans else redis_server.stop(Home.from_env(check_layout=False))
    say("Redis stopped" if was_running else "Redis did not run")


@redis_app.command()
def release(
    project: Annotated[str, typer.Argument(help="name of the Feast project, such as refrain_default")],
) -> None:
    """Release a project's keys in this server, so that another repository can own them.

    Example: refrain redis release shop_default
    """
    from feature_repo.stores.ownership import release as run

    had_owner = run(Home.from_env(), project)
    say(
        f"the keys of {project} belong to the next repository that opens them"
        if had_owner
        else f"nobody owns {project}"
    )


@redis_app.command()
def status() -> None:
    """Show whether the server runs, and list servers whose data folder was deleted.

    Example: refrain redis status
    """
    from feature_repo.stores import redis_server

    home = Home.from_env(check_layout=False)
    state = "runs" if redis_server.running(home) else "does not run"
    say(f"Redis {state} ({redis_server.socket_path(home)})")
    for orphan in redis_server.orphans():
        problem = f"process {orphan.pid} runs on, its folder {orphan.folder} is gone"
        say(f"{problem}: refrain redis stop --orphans")


def _apply(*arguments: str, then: Callable[[], None] = lambda: None) -> None:
    """Runs `feast apply`, and what comes after it, whole or not at all.

    Raises:
        InputError: a definition is invalid; the registry and the manifest stay as they were.
        StoreError: Feast refuses the definitions; likewise.
        typer.Exit: the command line is invalid; likewise.
    """
    import click  # of Feast, which no default install has

    from feature_repo.registry_backup import unchanged_on_failure

    shown_by_themselves = (RefrainError, MissingExtra, click.ClickException, click.exceptions.Exit, typer.Exit)
    home = Home.from_env()
    with contract_lock(home), unchanged_on_failure(home):
        try:
            _mend_registry()
            code = _feast(*arguments)
            if code:
                raise typer.Exit(code)
            then()
        except Exception as error:
            is_fault_of_disk = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
            if is_fault_of_disk or isinstance(error, shown_by_themselves):
                raise
            raise StoreError(
                expected="definitions that Feast can apply",
                found=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}",
                next_command="correct the definition, then: refrain apply  (nothing was changed)",
            ) from error


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
    if {"apply", "plan"} & set(arguments):
        # Feast imports repo.py under that bare name, which a module of the project may also have.
        sys.modules.pop("feature_repo.repo", None)
        sys.modules["repo"] = importlib.import_module("feature_repo.repo")
    try:
        with contextlib.chdir(Path.cwd()):  # Feast changes the folder; relative paths refer to this one
            result = cli.main(["--chdir", str(FOLDER), *arguments], prog_name="feast", standalone_mode=False)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grpc"):
            raise
        raise StoreError(
            expected=f"gRPC, which `feast {' '.join(arguments[:1])}` of Feast 0.67 needs",
            found=f"no module {error.name}: it is no part of the default install",
            next_command="python -m pip install grpcio grpcio-health-checking grpcio-reflection, then repeat it",
        ) from error
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    app()
