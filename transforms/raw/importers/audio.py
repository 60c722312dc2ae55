"""Sound files: measured (``pure.audio.quality``), analysed (``pure.audio.track``) and labelled by ``labels.csv``.

The track id is the file's name without its suffix. A file whose content was analysed before, under any name, is not
analysed again, so that a stopped import continues where it was.
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
from transforms.raw.importers.format import Format, Rows
from transforms.raw.ingest import Batch
from transforms.raw.read import scan
from transforms.raw.tables.audio_analyses import AUDIO_ANALYSES
from transforms.raw.tables.audio_labels import AUDIO_LABELS
from transforms.raw.tables.audio_measurements import AUDIO_MEASUREMENTS

FILES = 40
"""Files per batch: the most that is lost if an import is stopped."""
LABELLED = "labels.csv"
BETWEEN = ";"
"""Separator of the instruments in a field of ``labels.csv``."""


@dataclass(frozen=True)
class _File:
    """A file to analyse, and the digest of its content."""

    path: Path
    content: str


def read(path: Path, home: Home | None = None) -> Iterator[Batch]:
    """Yield the measurements, analyses and labels of a file, or of all sound files of a folder.

    A file that cannot be decoded is recorded as malformed, with the reason.

    Args:
        path: a file or a folder.
        home: the data folder with earlier analyses; if None, all files are analysed.

    Raises:
        InputError: the path does not exist, or has no sound file in it.
    """
    from transforms.pure.audio.decode import SUFFIXES

    AUDIO.check(path)
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise AUDIO.mismatch(f"no file {', '.join(SUFFIXES)} in {path}")
    if path.is_dir() and (path / LABELLED).is_file():
        yield _labels(path / LABELLED)
    earlier = _EarlierAnalyses(home)
    measured, analysed = (Rows(table.name, dict(table.columns)) for table in (AUDIO_MEASUREMENTS, AUDIO_ANALYSES))
    with Processes() as processes:
        for start in range(0, len(files), FILES):
            part = files[start : start + FILES]
            new_files = [
                _File(file, content)
                for file, content in _accepted(part, path, measured)
                if not earlier.reuse(file.stem, content, _modified(file), measured, analysed)
            ]
            for file, result in zip(new_files, processes.each(_row, new_files), strict=True):
                if isinstance(result, str | Died):
                    reason = "the decoder dies of it" if isinstance(result, Died) else result
                    measured.refuse(f"no sound: {reason}"[:200], _relative_name(file.path, path))
                    continue
                measured.rows.append(tuple(result[name] for name in measured.columns))
                analysed.rows.append(tuple(_analysis_value(result, name) for name in analysed.columns))
            yield measured.flush(start + len(part), len(files))
            yield analysed.flush(start + len(part), len(files))


def _accepted(files: list[Path], folder: Path, rows: Rows) -> Iterator[tuple[Path, str]]:
    """Yield files with their digests; refuses unreadable files, and links to files outside the folder."""
    for file in files:
        if folder.is_dir() and not file.resolve().is_relative_to(folder.resolve()):
            rows.refuse("a link to a file outside the folder", _relative_name(file, folder))
            continue
        try:
            yield file, _digest(file)
        except OSError as error:
            rows.refuse(f"no sound: {error.strerror}", _relative_name(file, folder))


def _relative_name(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if folder.is_dir() else file.name


def _row(file: _File) -> dict[str, Any] | str:
    """Analyse one file; returns its columns, or the reason why it cannot be decoded. Runs in a worker process."""
    from transforms.pure.audio.described import described
    from transforms.pure.audio.listen import listen

    try:
        recording = listen(file.path)
    except InputError as error:
        return str(error.found)
    modified = _modified(file.path)
    return {
        "track_id": file.path.stem,
        "content": file.content,
        "sample_rate": recording.rate,
        "channels": recording.channels,
        "event_timestamp": modified,
        "created_timestamp": modified,
        **recording.measures,
        "analysis": described(recording.analysis),
    }


def _analysis_value(columns: dict[str, Any], name: str) -> Any:
    return columns["analysis"].get(name, columns.get(name))


class _EarlierAnalyses:
    """Contents that are already analysed and stored, with their track ids."""

    def __init__(self, home: Home | None) -> None:
        self._home = home
        self._stored: set[tuple[str, str]] = set()
        if home is not None:
            keys = (
                scan(home, table.name).select("track_id", "content").drop_nulls()
                for table in (AUDIO_MEASUREMENTS, AUDIO_ANALYSES)
            )
            self._stored = set.intersection(*(set(frame.collect().iter_rows()) for frame in keys))
        self._track_of = {content: track for track, content in self._stored}

    def reuse(self, track: str, content: str, at: datetime, *tables: Rows) -> bool:
        """Whether a content is already analysed; copies the rows of another track that has the same content."""
        if (track, content) in self._stored:
            return True
        if self._home is None or content not in self._track_of:
            return False
        changes = {"track_id": track, "event_timestamp": at, "created_timestamp": at}
        is_same = (pl.col("content") == content) & (pl.col("track_id") == self._track_of[content])
        for rows in tables:
            earlier_row = scan(self._home, rows.table).filter(is_same).head(1).collect().row(0, named=True)
            rows.rows.append(tuple((earlier_row | changes)[name] for name in rows.columns))
        return True


def _labels(path: Path) -> Batch:
    """Read ``labels.csv``: track_id, and any of genre, mood, valence, arousal, instruments, event_timestamp."""
    rows, at = Rows(AUDIO_LABELS.name, dict(AUDIO_LABELS.columns)), _modified(path)
    with path.open(newline="", encoding="utf-8", errors="replace") as handle:
        for line in csv.DictReader(handle):
            try:
                rows.rows.append(_label(line, at))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                rows.refuse(f"no label: {error}"[:200], str(line))
    return rows.flush(0, 0)


def _label(line: dict[str, str], at: datetime) -> tuple[Any, ...]:
    fields = {name: value.strip() for name, value in line.items() if value and value.strip()}
    event_time = datetime.fromisoformat(fields["event_timestamp"]) if "event_timestamp" in fields else at
    event_time = event_time if event_time.tzinfo else event_time.replace(tzinfo=UTC)
    label: dict[str, Any] = {
        "track_id": fields["track_id"],
        "genre": fields.get("genre"),
        "mood": fields.get("mood"),
        **{name: float(fields[name]) if name in fields else None for name in ("valence", "arousal")},
        "instruments": [name.strip() for name in fields["instruments"].split(BETWEEN)]
        if "instruments" in fields
        else None,
        "event_timestamp": event_time,
        "created_timestamp": event_time,
    }
    return tuple(label[name] for name in AUDIO_LABELS.columns)


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _modified(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


AUDIO = Format("audio", "a sound file (wav, flac, ogg, mp3, aiff) or a folder of them", read, resumes=True)
