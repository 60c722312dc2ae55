"""Write songs to a folder as sound files, with their truth in ``labels.csv``; ``import audio`` reads it."""

import csv
import io
import itertools
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from transforms.processes import Died, Processes
from transforms.pure.audio.stft import RATE
from transforms.raw import TABLES
from transforms.raw.importers.audio import AUDIO, BETWEEN, LABELLED
from transforms.raw.ingest import Batch, Report, ingest
from transforms.raw.read import scan
from transforms.raw.simulate.sound.song import compose
from transforms.raw.simulate.sound.style import STYLES
from transforms.raw.simulate.world import DEFAULT_START

FOLDER = "simulated/sound"
TRUTH = (
    "track_id",
    "artist_id",
    "genre",
    "mood",
    "valence",
    "arousal",
    "instruments",
    "event_timestamp",
    "tempo",
    "meter",
    "key",
    "mode",
)
CODECS = (("ogg", "VORBIS", 0.6), ("mp3", "MPEG_LAYER_III", 0.3), ("flac", "PCM_16", 0.1))
"""Endings, what libsndfile calls them, and shares."""


@dataclass(frozen=True)
class Wanted:
    """One song that is to be written."""

    track_id: str
    artist_id: str
    genre: str
    released: datetime


def simulate_sound(
    home: Home, *, songs: int, seconds: float, seed: int, progress: Progress = silent
) -> tuple[Path, Report]:
    """Songs for tracks of the simulated world, or of a catalogue of its own without one; written, then imported.

    Files that were written before with the same seed are kept.

    Returns:
        The folder, and what was imported of it.
    """
    folder = home.root / FOLDER / f"seed-{seed}-{seconds:g}s"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = _wanted(home, songs, seed)
    rows = _told(folder / LABELLED)
    new = [one for one in wanted if one.track_id not in rows]
    with Processes() as processes:
        work = partial(_write, folder, seconds, seed)
        for number, (one, row) in enumerate(zip(new, processes.each(work, new), strict=True), start=1):
            if isinstance(row, Died):
                raise RuntimeError(f"composing {one.track_id} killed its process")
            rows[one.track_id] = row
            progress(number, len(new), "songs")
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow(TRUTH)
    writer.writerows(rows[name] for name in sorted(rows))
    (folder / LABELLED).write_text(told.getvalue())
    batches = itertools.chain(_catalogue(home, wanted), AUDIO.batches(folder, home))
    return folder, ingest(home, f"sound seed={seed}", batches, progress=progress, slow=True)


def _told(file: Path) -> dict[str, tuple[object, ...]]:
    """Truth of the songs that were written before, by track."""
    if not file.is_file():
        return {}
    with file.open(newline="") as handle:
        return {line[0]: tuple(line) for line in list(csv.reader(handle))[1:]}


def _catalogue(home: Home, wanted: list[Wanted]) -> Iterator[Batch]:
    """Who made which song, where there is no world that knows it."""
    if scan(home, "tracks").limit(1).collect().is_empty():
        columns = {
            name: TABLES["tracks"].columns[name]
            for name in ("track_id", "artist_id", "genres", "released", "event_timestamp")
        }
        rows = [(one.track_id, one.artist_id, [one.genre], one.released, one.released) for one in wanted]
        yield Batch("tracks", pl.DataFrame(rows, schema=columns, orient="row"))


def _wanted(home: Home, songs: int, seed: int) -> list[Wanted]:
    """Tracks drawn from the catalogue; without one, four a made-up artist, so that some artists can be held back."""
    rng = np.random.default_rng([seed, 11])
    tracks = scan(home, "tracks").select("track_id", "artist_id", pl.col("genres").list.first(), "released").collect()
    known = tracks.filter(pl.col("genres").is_in(list(STYLES))).unique("track_id").sort("track_id")
    if known.is_empty():
        names = list(STYLES)
        return [
            Wanted(f"t{number:06}", f"a{number // 4:05}", names[number // 4 % len(names)], DEFAULT_START)
            for number in range(songs)
        ]
    chosen = np.sort(rng.permutation(known.height)[:songs])
    return [Wanted(*row) for row in known[chosen].iter_rows()]


def _write(folder: Path, seconds: float, seed: int, wanted: Wanted) -> tuple[object, ...]:
    """Compose a song and write it; runs in a process of its own."""
    import soundfile

    rng = np.random.default_rng([seed, zlib.crc32(wanted.track_id.encode())])
    ending, subtype, _ = CODECS[int(rng.choice(len(CODECS), p=[share for _, _, share in CODECS]))]
    song = compose(wanted.genre, seconds, zlib.crc32(wanted.artist_id.encode()), rng)
    file = folder / f"{wanted.track_id}.{ending}"
    released = wanted.released.replace(tzinfo=UTC) if wanted.released.tzinfo is None else wanted.released
    if not file.exists():
        partial_file = folder / f".{wanted.track_id}.partial"
        soundfile.write(partial_file, song.samples, RATE, format=ending.upper(), subtype=subtype)
        os.utime(partial_file, (released.timestamp(), released.timestamp()))
        partial_file.rename(file)
    return (
        wanted.track_id,
        wanted.artist_id,
        song.genre,
        song.mood,
        round(song.valence, 4),
        round(song.arousal, 4),
        BETWEEN.join(song.instruments),
        (released + timedelta(days=1)).isoformat(),
        round(song.tempo, 2),
        song.meter,
        song.tonic,
        song.mode,
    )
