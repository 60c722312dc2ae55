"""A folder of sounds, measured (``pure.audio.quality``), described (``pure.audio.track``) and labelled by its
``labels.csv``.

The track is the file's name without its ending. A file whose content was analysed before, under whatever name, is not
analysed again, so that an import that was stopped goes on where it was.
"""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.processes import Died, Processes
from transforms.raw import TABLES
from transforms.raw.importers.format import Format, Rows
from transforms.raw.ingest import Batch
from transforms.raw.read import scan

FILES = 40
"""Files of one batch: what is lost, at the most, if an import is stopped."""
MEASUREMENTS, ANALYSES, LABELS = "audio_measurements", "audio_analyses", "audio_labels"
LABELLED = "labels.csv"
BETWEEN = ";"
"""Between instruments in a field of ``labels.csv``."""


@dataclass(frozen=True)
class _File:
    """One that is to be read, and the digest of what it holds."""

    path: Path
    content: str


def read(path: Path, home: Home | None = None) -> Iterator[Batch]:
    """One file, or all sound files of a folder; what cannot be decoded is refused, with the reason.

    Args:
        path: a file or a folder.
        home: the data folder that knows what was analysed before; all is analysed if left out.

    Raises:
        InputError: there is nothing at the path, or no sound file in it.
    """
    from transforms.pure.audio.decode import SUFFIXES

    AUDIO.check(path)
    files = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise AUDIO.mismatch(f"no file {', '.join(SUFFIXES)} in {path}")
    if path.is_dir() and (path / LABELLED).is_file():
        yield _labels(path / LABELLED)
    known = _Known(home)
    measured, analysed = (Rows(name, dict(TABLES[name].columns)) for name in (MEASUREMENTS, ANALYSES))
    with Processes() as processes:
        for start in range(0, len(files), FILES):
            part = files[start : start + FILES]
            fresh = [
                _File(file, content)
                for file, content in _accepted(part, path, measured)
                if not known.takes(file.stem, content, _time(file), measured, analysed)
            ]
            for one, found in zip(fresh, processes.each(_row, fresh), strict=True):
                if isinstance(found, str | Died):
                    reason = "the decoder dies of it" if isinstance(found, Died) else found
                    measured.refuse(f"no sound: {reason}"[:200], _told(one.path, path))
                    continue
                measured.rows.append(tuple(found[name] for name in measured.columns))
                analysed.rows.append(tuple(_of_analysis(found, name) for name in analysed.columns))
            yield measured.flush(start + len(part), len(files))
            yield analysed.flush(start + len(part), len(files))


def _accepted(files: list[Path], folder: Path, rows: Rows) -> Iterator[tuple[Path, str]]:
    """Files with their content's digest; a link that leads out of the folder is refused, and what cannot be read."""
    for file in files:
        if folder.is_dir() and not file.resolve().is_relative_to(folder.resolve()):
            rows.refuse("a link to a file outside the folder", _told(file, folder))
            continue
        try:
            yield file, _digest(file)
        except OSError as error:
            rows.refuse(f"no sound: {error.strerror}", _told(file, folder))


def _told(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if folder.is_dir() else file.name


def _row(file: _File) -> dict[str, Any] | str:
    """Everything of one file, or why not; runs in a process of its own."""
    from transforms.pure.audio.described import described
    from transforms.pure.audio.listen import listen

    try:
        heard = listen(file.path)
    except InputError as error:
        return str(error.found)
    at = _time(file.path)
    return {
        "track_id": file.path.stem,
        "content": file.content,
        "sample_rate": heard.rate,
        "channels": heard.channels,
        "event_timestamp": at,
        "created_timestamp": at,
        **heard.measures,
        "analysis": described(heard.analysis),
    }


def _of_analysis(found: dict[str, Any], name: str) -> Any:
    return found["analysis"].get(name, found.get(name))


class _Known:
    """What was analysed before: which content, under which name."""

    def __init__(self, home: Home | None) -> None:
        self._home = home
        self._names: set[tuple[str, str]] = set()
        if home is not None:
            told = (scan(home, name).select("track_id", "content").drop_nulls() for name in (MEASUREMENTS, ANALYSES))
            self._names = set.intersection(*(set(rows.collect().iter_rows()) for rows in told))
        self._first = {content: track for track, content in self._names}

    def takes(self, track: str, content: str, at: datetime, *tables: Rows) -> bool:
        """Whether nothing is left to be analysed; what another track has the same of is told of this one, too."""
        if (track, content) in self._names:
            return True
        if self._home is None or content not in self._first:
            return False
        new = {"track_id": track, "event_timestamp": at, "created_timestamp": at}
        same = (pl.col("content") == content) & (pl.col("track_id") == self._first[content])
        for rows in tables:
            before = scan(self._home, rows.table).filter(same).head(1).collect().row(0, named=True)
            rows.rows.append(tuple((before | new)[name] for name in rows.columns))
        return True


def _labels(path: Path) -> Batch:
    """``labels.csv``: track_id, and any of genre, mood, valence, arousal, instruments, event_timestamp."""
    rows, at = Rows(LABELS, dict(TABLES[LABELS].columns)), _time(path)
    with path.open(newline="", encoding="utf-8", errors="replace") as handle:
        for line in csv.DictReader(handle):
            try:
                rows.rows.append(_label(line, at))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                rows.refuse(f"no label: {error}"[:200], str(line))
    return rows.flush(0, 0)


def _label(line: dict[str, str], at: datetime) -> tuple[Any, ...]:
    given = {name: value.strip() for name, value in line.items() if value and value.strip()}
    when = datetime.fromisoformat(given["event_timestamp"]) if "event_timestamp" in given else at
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    told: dict[str, Any] = {
        "track_id": given["track_id"],
        "genre": given.get("genre"),
        "mood": given.get("mood"),
        **{name: float(given[name]) if name in given else None for name in ("valence", "arousal")},
        "instruments": [one.strip() for one in given["instruments"].split(BETWEEN)] if "instruments" in given else None,
        "event_timestamp": when,
        "created_timestamp": when,
    }
    return tuple(told[name] for name in TABLES[LABELS].columns)


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _time(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


AUDIO = Format("audio", "a sound file (wav, flac, ogg, mp3, aiff) or a folder of them", read, resumes=True)
