"""Sound files: measured (``pure.audio.quality``), analysed (``pure.audio.track``), tagged, labelled by ``labels.csv``.

The track id is the file's path within the folder, without its suffix. A file whose content was analysed before, under
any name, is not analysed again, so that a stopped import continues where it was.
"""

import csv
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.errors import InputError
from feature_repo.extras import MissingExtra, explained, install_command
from feature_repo.home import Home
from transforms.processes import Died, Processes
from transforms.raw.files.members import PassedOver
from transforms.raw.importers.audio_tags import artists, catalogue, read_tags
from transforms.raw.importers.format import Format, Rows
from transforms.raw.ingest import Batch
from transforms.raw.read import scan
from transforms.raw.tables.audio_analyses import AUDIO_ANALYSES
from transforms.raw.tables.audio_labels import AUDIO_LABELS
from transforms.raw.tables.audio_measurements import AUDIO_MEASUREMENTS

FILES = 40
"""Files per batch: the most that is lost if an import is stopped."""
LITTLE_MISSING = 0.01
"""Greatest share of a sound that may be missing: with less of it, length, loudness and beats are of another sound."""
LABELLED = "labels.csv"
BETWEEN = ";"
"""Separator of the instruments in a field of ``labels.csv``."""


@dataclass(frozen=True)
class _File:
    """A file to analyse, its track, and the digest of its content."""

    path: Path
    track: str
    content: str


def read(path: Path, home: Home | None = None) -> Iterator[Batch | PassedOver]:
    """Yield the measurements, analyses, tags and labels of a file, or of all sound files of a folder.

    A file that cannot be decoded, or lacks more than ``LITTLE_MISSING`` of its sound, is recorded as malformed, with
    the reason.

    Args:
        path: a file or a folder.
        home: the data folder with earlier analyses; if None, all files are analysed.

    Raises:
        InputError: the path does not exist, or has no sound file in it.
        MissingExtra: the file needs PyAV, which is not installed.
    """
    from transforms.pure.audio.decode import SUFFIXES
    from transforms.raw.importers.audio_files import track_ids

    AUDIO.check(path)
    tracks = track_ids(path)
    if not tracks:
        raise AUDIO.mismatch(f"no file {', '.join(SUFFIXES)} in {path}")
    if path.is_dir() and (path / LABELLED).is_file():
        yield _labels(path / LABELLED, set(tracks.values()))
    passed_over = _passed_over(tracks, path)
    yield from (PassedOver(_relative_name(file, path), why) for file, why in passed_over.items())
    files = [file for file in tracks if file not in passed_over]
    if find_spec("tinytag") is None:
        yield PassedOver("tags", f"title, artist, ISRC … are not read: {install_command('audio')}")
    measured, analysed = (Rows(table.name, dict(table.columns)) for table in (AUDIO_MEASUREMENTS, AUDIO_ANALYSES))
    earlier = _EarlierAnalyses(home, files)
    with Processes() as processes:
        for start in range(0, len(files), FILES):
            part = files[start : start + FILES]
            accepted = [_File(one, tracks[one], content) for one, content in _accepted(part, path, measured)]
            tagged = []
            for file, row in _analysed(accepted, earlier, processes):
                if isinstance(row, str):
                    measured.refuse(row[:200], _relative_name(file.path, path))
                    continue
                if row:
                    measured.rows.append(tuple(row.get(name) for name in measured.columns))
                    analysed.rows.append(tuple(_analysis_value(row, name) for name in analysed.columns))
                tagged += _tagged(file, row)
            yield measured.flush(start + len(part), len(files))
            yield analysed.flush(start + len(part), len(files))
            if tagged:
                entries = catalogue(home, tagged)
                yield Batch("artists", artists(entries), done=start + len(part), total=len(files))
                yield Batch("tracks", entries, done=start + len(part), total=len(files))


def _analysed(
    files: list[_File], earlier: "_EarlierAnalyses", processes: Processes
) -> Iterator[tuple[_File, dict[str, Any] | str | None]]:
    """Yield each file with what ``earlier.row`` gives of it; a content that is not known is analysed once."""
    waiting: dict[str, _File] = {}
    for file in files:
        if not earlier.has(file):
            waiting.setdefault(file.content, file)
    for file, result in zip(waiting.values(), processes.each(_row, list(waiting.values())), strict=True):
        earlier.add(file, "no sound: the decoder dies of it" if isinstance(result, Died) else result)
    for file in files:
        yield file, earlier.row(file)


def _passed_over(tracks: Mapping[Path, str], path: Path) -> dict[Path, str]:
    """The files that are not read, with the reason.

    Raises:
        MissingExtra: the only file needs PyAV, which is not installed.
    """
    from transforms.pure.audio.ffmpeg import SUFFIXES as CONTAINERS

    reasons: dict[Path, str] = {}
    first: dict[str, Path] = {}
    has_av = find_spec("av") is not None
    for file, track in tracks.items():
        if not has_av and file.suffix.lower() in CONTAINERS:
            if not path.is_dir():
                raise MissingExtra("av", "ffmpeg")
            reasons[file] = f"{file.suffix} is decoded by PyAV: {install_command('ffmpeg')}"
        elif first.setdefault(track, file) != file:
            reasons[file] = f"the track of {_relative_name(first[track], path)}"
    return reasons


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
    """Analyse one file; returns its columns, or the reason why it is refused. Runs in a worker process."""
    from transforms.pure.audio.decode import quiet
    from transforms.pure.audio.described import described
    from transforms.pure.audio.listen import listen

    try:
        with quiet(), explained():
            recording = listen(file.path)
    except MissingExtra as error:
        return f"no sound without {error.name}: {error.next_command}"
    except InputError as error:
        return error.found if error.found.startswith("cut short") else f"no sound: {error.found}"
    if recording.cut and (recording.missing_share is None or recording.missing_share > LITTLE_MISSING):
        return recording.cut
    return {
        "sample_rate": recording.rate,
        "channels": recording.channels,
        "missing_share": recording.missing_share,
        **recording.measures,
        "analysis": described(recording.analysis),
    }


def _analysis_value(columns: Mapping[str, Any], name: str) -> Any:
    return columns["analysis"].get(name, columns.get(name))


def _tagged(file: _File, row: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The row of the catalogue by the tags of a file, if it has tags that can be read."""
    tags = read_tags(file.path) if find_spec("tinytag") else {}
    if not tags:
        return []
    modified = _modified(file.path)
    times = {"event_timestamp": modified, "created_timestamp": modified}
    duration = {"duration_ms": round(row["seconds"] * 1_000)} if row else {}
    return [{**tags, **times, **duration, "track_id": file.track}]


class _EarlierAnalyses:
    """What is known of contents: the rows that are stored, and those of this import that a copy may need.

    Args:
        home: the data folder; None for nothing stored.
        files: all files of the import.
    """

    def __init__(self, home: Home | None, files: list[Path]) -> None:
        self._home = home
        stored: set[tuple[str, str]] = set()
        if home is not None:
            keys = (
                scan(home, table.name).select("track_id", "content").drop_nulls()
                for table in (AUDIO_MEASUREMENTS, AUDIO_ANALYSES)
            )
            stored = set.intersection(*(set(frame.collect().iter_rows()) for frame in keys))
        self._stored = stored
        self._track_of = {content: track for track, content in stored}
        self._sizes = Counter(_size(file) for file in files)
        self._new: dict[str, dict[str, Any] | str] = {}
        self._kept: dict[str, dict[str, Any] | str] = {}

    def has(self, file: _File) -> bool:
        """Whether a content need not be analysed."""
        return file.content in self._track_of or file.content in self._kept

    def add(self, file: _File, result: dict[str, Any] | str) -> None:
        """Take the result of an analysis: for its own file, and for copies, which have the same size."""
        results = self._kept if self._sizes[_size(file.path)] > 1 else self._new
        results[file.content] = result

    def row(self, file: _File) -> dict[str, Any] | str | None:
        """The columns of a file; the reason if it is refused; None if they are stored."""
        if (file.track, file.content) in self._stored:
            return None
        modified = _modified(file.path)
        times = {"event_timestamp": modified, "created_timestamp": modified}
        row = self._new.pop(file.content, None) or self._kept.get(file.content) or self._of_other(file.content)
        return row if isinstance(row, str) else {**row, **times, "track_id": file.track, "content": file.content}

    def _of_other(self, content: str) -> dict[str, Any]:
        """The stored rows of another track with the same content."""
        assert self._home is not None
        is_same = (pl.col("content") == content) & (pl.col("track_id") == self._track_of[content])
        measures, analysis = (
            scan(self._home, table.name).filter(is_same).head(1).collect().row(0, named=True)
            for table in (AUDIO_MEASUREMENTS, AUDIO_ANALYSES)
        )
        own = ("track_id", "content", "event_timestamp", "created_timestamp")
        return measures | {"analysis": {name: value for name, value in analysis.items() if name not in own}}


def _labels(path: Path, tracks: set[str]) -> Batch:
    """Read ``labels.csv``: track_id, and any of genre, mood, valence, arousal, instruments, source, event_timestamp.

    A file's name alone is the id of its track where no other file has that name.
    """
    rows, at = Rows(AUDIO_LABELS.name, dict(AUDIO_LABELS.columns)), _modified(path)
    named: dict[str, list[str]] = {}
    for track in sorted(tracks):
        named.setdefault(track.rpartition("/")[2], []).append(track)
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as handle:
        for line in csv.DictReader(handle):
            try:
                label = _label(line, at)
                name = unicodedata.normalize("NFC", label["track_id"])
                matches = [name] if name in tracks else named.get(name, [name])
                if len(matches) > 1:
                    raise ValueError(f"{name} is the name of {' and of '.join(matches[:3])}")
                label["track_id"] = matches[0]
                rows.rows.append(tuple(label[column] for column in AUDIO_LABELS.columns))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                rows.refuse(f"no label: {error}"[:200], str(line))
    return rows.flush(0, 0)


def _label(line: dict[str, str], at: datetime) -> dict[str, Any]:
    fields = {name: value.strip() for name, value in line.items() if value and value.strip()}
    event_time = datetime.fromisoformat(fields["event_timestamp"]) if "event_timestamp" in fields else at
    event_time = event_time if event_time.tzinfo else event_time.replace(tzinfo=UTC)
    return {
        "track_id": fields["track_id"],
        "genre": fields.get("genre"),
        "mood": fields.get("mood"),
        **{name: float(fields[name]) if name in fields else None for name in ("valence", "arousal")},
        "instruments": [name.strip() for name in fields["instruments"].split(BETWEEN)]
        if "instruments" in fields
        else None,
        "source": fields.get("source"),
        "event_timestamp": event_time,
        "created_timestamp": event_time,
    }


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _modified(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


AUDIO = Format(
    "audio",
    "a sound file (wav, flac, ogg, opus, mp3, aiff; m4a, aac, wma, mka) or a folder of them",
    read,
    resumes=True,
)
