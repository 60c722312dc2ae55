"""Runs Python commands in processes that have imported Feast already: its import takes longer than most commands.

A server process per worker imports Feast once and forks for each command (``multiprocessing``'s forkserver), after
``feature_repo``, which makes that import fast. All else of our own packages is imported by the command itself, with its
own environment, folder and path. Use ``subprocess`` where the
start itself is tested, or where a signal is sent.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["feature_repo", "feast", "feast.cli.cli", "feast.infra.registry.sql"])


def run_python(
    *arguments: str, environment: Mapping[str, str] | None = None, folder: Path = REPOSITORY, check: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m module …`` or ``python -c script …``; warnings are ignored.

    Args:
        arguments: of the interpreter, from ``-m`` or ``-c`` on.
        environment: all environment variables; those of this process if None.
        folder: working folder.
        check: whether an exit code other than 0 is an error.
    """
    with tempfile.TemporaryDirectory() as temporary:
        outputs = [Path(temporary, name) for name in ("stdout", "stderr")]
        variables = dict(os.environ if environment is None else environment)
        process = _FORKS.Process(target=_execute, args=(arguments, variables, str(folder), *map(str, outputs)))
        process.start()
        process.join()
        code = process.exitcode or 0
        stdout, stderr = (path.read_text() if path.exists() else "" for path in outputs)
    if check and code:
        raise subprocess.CalledProcessError(code, list(arguments), stdout, stderr)
    return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)


def _execute(arguments: Sequence[str], variables: Mapping[str, str], folder: str, output: str, errors: str) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for descriptor, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
    multiprocessing.set_start_method(None, force=True)  # that of an interpreter of its own
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    option, what, *rest = arguments
    sys.argv = [what, *rest] if option == "-m" else ["-c", *rest]
    sys.path[:0] = [folder, *filter(None, variables.get("PYTHONPATH", "").split(os.pathsep))]
    try:
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    finally:
        atexit._run_exitfuncs()
