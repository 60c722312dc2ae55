"""Writes songs as sound files, with their ground truth in ``labels.csv``, and imports them."""

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
from feature_repo.output.csv_text import write_rows
from transforms.processes import Died, Processes
from transforms.pure.audio.stft import RATE
from transforms.raw.importers.audio import AUDIO, BETWEEN, LABELLED
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan
from transforms.raw.report import Report
from transforms.raw.simulate.sound.song import compose
from transforms.raw.simulate.sound.style import STYLES
from transforms.raw.simulate.world import DEFAULT_START
from transforms.raw.tables.tracks import TRACKS

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
"""File suffix, libsndfile subtype and share of the songs."""


@dataclass(frozen=True)
class SongOrder:
    """A song to compose, as its track in the catalogue."""

    track_id: str
    artist_id: str
    genre: str
    released: datetime


def simulate_sound(
    home: Home, *, songs: int, seconds: float, seed: int, progress: Progress = silent
) -> tuple[Path, Report]:
    """Write songs for tracks of the simulated world and import them; without a world, for a catalogue of their own.

    Files that exist from an earlier run with the same seed are kept.

    Returns:
        The folder of the songs, and the report of their import.
    """
    folder = home.root / FOLDER / f"seed-{seed}-{seconds:g}s"
    folder.mkdir(parents=True, exist_ok=True)
    orders = _song_orders(home, songs, seed)
    truth = _read_truth(folder / LABELLED)
    new_orders = [order for order in orders if order.track_id not in truth]
    with Processes() as processes:
        work = partial(_write_song, folder, seconds, seed)
        for number, (order, row) in enumerate(zip(new_orders, processes.each(work, new_orders), strict=True), start=1):
            if isinstance(row, Died):
                raise RuntimeError(f"composing {order.track_id} killed its process")
            truth[order.track_id] = row
            progress(number, len(new_orders), "songs")
    csv_text = io.StringIO()
    write_rows(csv_text, [TRUTH, *(truth[name] for name in sorted(truth))])
    (folder / LABELLED).write_text(csv_text.getvalue())
    batches = itertools.chain(_catalogue(home, orders), AUDIO.batches(folder, home))
    return folder, ingest(home, f"sound seed={seed}", batches, progress=progress, slow=True)


def _read_truth(file: Path) -> dict[str, tuple[object, ...]]:
    """Read the ground truth of songs from an earlier run, by track id."""
    if not file.is_file():
        return {}
    with file.open(newline="") as handle:
        return {line[0]: tuple(line) for line in list(csv.reader(handle))[1:]}


def _catalogue(home: Home, orders: list[SongOrder]) -> Iterator[Batch]:
    """Yield a batch of tracks if the raw tables have none."""
    if scan(home, "tracks").limit(1).collect().is_empty():
        columns = {
            name: TRACKS.columns[name] for name in ("track_id", "artist_id", "genres", "released", "event_timestamp")
        }
        rows = [(song.track_id, song.artist_id, [song.genre], song.released, song.released) for song in orders]
        yield Batch("tracks", pl.DataFrame(rows, schema=columns, orient="row"))


def _song_orders(home: Home, songs: int, seed: int) -> list[SongOrder]:
    """Draw tracks from the catalogue; without one, invent artists with four songs each, for splits by artist."""
    rng = np.random.default_rng([seed, 11])
    tracks = scan(home, "tracks").select("track_id", "artist_id", pl.col("genres").list.first(), "released").collect()
    candidates = tracks.filter(pl.col("genres").is_in(list(STYLES))).unique("track_id").sort("track_id")
    if candidates.is_empty():
        genres = list(STYLES)
        return [
            SongOrder(f"t{number:06}", f"a{number // 4:05}", genres[number // 4 % len(genres)], DEFAULT_START)
            for number in range(songs)
        ]
    chosen = np.sort(rng.permutation(candidates.height)[:songs])
    return [SongOrder(*row) for row in candidates[chosen].iter_rows()]


def _write_song(folder: Path, seconds: float, seed: int, order: SongOrder) -> tuple[object, ...]:
    """Compose a song and write its file; returns its row of ``labels.csv``. Runs in a worker process."""
    import soundfile

    rng = np.random.default_rng([seed, zlib.crc32(order.track_id.encode())])
    ending, subtype, _ = CODECS[int(rng.choice(len(CODECS), p=[share for _, _, share in CODECS]))]
    song = compose(order.genre, seconds, zlib.crc32(order.artist_id.encode()), rng)
    file = folder / f"{order.track_id}.{ending}"
    released = order.released.replace(tzinfo=UTC) if order.released.tzinfo is None else order.released
    if not file.exists():
        partial_file = folder / f".{order.track_id}.partial"
        soundfile.write(partial_file, song.samples, RATE, format=ending.upper(), subtype=subtype)
        os.utime(partial_file, (released.timestamp(), released.timestamp()))
        partial_file.rename(file)
    return (
        order.track_id,
        order.artist_id,
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
