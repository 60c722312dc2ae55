"""Analyses the files of a folder on several cores, each once."""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError, RefrainError
from feature_repo.extras import MissingExtra, explained
from feature_repo.home import Home
from refrain.folder_analysis.journal import Journal
from refrain.folder_analysis.rows import SCHEMA, row
from transforms.processes import Died, Processes
from transforms.raw.files.streams import readable_name
from transforms.raw.importers.audio_files import track_ids

_PART = 200
"""Files that are given to the processes at once."""


@dataclass(frozen=True)
class _Job:
    """One file, and what analyses it."""

    path: Path
    name: str
    model: str
    home: Path


@dataclass(frozen=True)
class FolderReport:
    """What a run did.

    Attributes:
        analysed: files that were analysed in this run.
        known: files whose row was there.
        errors: path of each file without an analysis → reason.
    """

    analysed: int
    known: int
    errors: dict[str, str]


def analyze_folder(
    folder: Path, out: Path, home: Home, *, model: str = "", workers: int | None = None, progress: Progress = silent
) -> FolderReport:
    """Write a table with a row for each sound file of a folder.

    A file whose row is there, with the same size and time of change and by the same model, is not analysed again; one
    that could not be read is tried again.

    Args:
        folder: the folder, searched with all folders in it.
        out: table to write: .parquet, .jsonl, or .csv without lists.
        home: data folder with the promoted model, if there is one.
        model: name of the model; the champion, if there is one, if empty.
        workers: number of processes; one per core if None.
        progress: receives the number of files.

    Raises:
        InputError: no sound file is there, or ``out`` is no table of ours.
        BundleError: the model is missing or does not fit.
    """
    files = {readable_name(path.relative_to(folder).as_posix()): path for path in track_ids(folder)}
    if not files:
        raise InputError(expected="sound files", found=f"none in {folder}", next_command="refrain analyze --help")
    journal, version = Journal(out), _model_version(model, home.root)
    waiting = [name for name, path in sorted(files.items()) if not _is_known(journal.rows.get(name), path, version)]
    errors = 0
    with Processes(workers) as processes:
        for start in range(0, len(waiting), _PART):
            jobs = [_Job(files[name], name, model, home.root) for name in waiting[start : start + _PART]]
            for number, (job, result) in enumerate(zip(jobs, processes.each(_analysed, jobs), strict=True), start + 1):
                values = {"error": "the decoder dies of it"} if isinstance(result, Died) else result
                journal.add({**dict.fromkeys(SCHEMA), **_identity(job.path), **values, "path": job.name})
                errors += values.get("error") is not None
                progress(number, len(waiting), f"{number:,} of {len(waiting):,} files, {errors:,} errors")
    journal.finish(set(files))
    reasons = {name: journal.rows[name]["error"] for name in files if journal.rows[name]["error"]}
    return FolderReport(len(waiting), len(files) - len(waiting), reasons)


def _is_known(values: dict[str, Any] | None, path: Path, version: str | None) -> bool:
    if values is None or values["error"] is not None or values["model"] not in (version, None):
        return False
    if values.get("track_features__duration_ms") is None:  # a table from before they were there
        return False
    is_silent = values["model"] is None and version is not None and "silent" not in (values["marks"] or "")
    return not is_silent and _identity(path) == {name: values[name] for name in ("size", "modified_ns")}


def _identity(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
    except OSError:
        return {"size": None, "modified_ns": None}
    return {"size": status.st_size, "modified_ns": status.st_mtime_ns}


def _analysed(job: _Job) -> dict[str, Any]:
    """The columns of one file, or its error. Runs in a worker process."""
    from transforms.pure.audio.decode import LONGEST, quiet

    analyzer = _model(job.model, job.home)
    try:
        with quiet(), explained():
            analysis = analyzer.analyze(
                job.path, longest=LONGEST, largest=_ANY_SIZE, metered=math.inf, fingerprint=True
            )
    except MissingExtra as error:
        return {"error": f"needs {error.name}: {error.next_command}"}
    except (RefrainError, OSError) as error:
        return {"error": str(getattr(error, "found", None) or error)}
    return row(analysis)


_ANY_SIZE = 1 << 60


@cache
def _model(name: str, home: Path) -> Any:
    from inference.audio.analyzer import AudioAnalysisModel

    return AudioAnalysisModel.load(name or None, Home(home))


def _model_version(name: str, home: Path) -> str | None:
    return next(iter(_model(name, home).versions.values()), None)
