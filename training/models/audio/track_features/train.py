"""Fits the vocabulary from the data sets and writes its weights, with what they were learned from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.whole_files import write_whole
from training.models.audio.beat_tracking.train import FONTS
from training.models.audio.track_features.clips import PROMPTS
from training.models.audio.track_features.fit import fit
from training.models.audio.track_features.genre_clips import read_genre_clips
from training.models.audio.track_features.sounds import make_sounds
from training.models.audio.track_features.spotify_rows import read_spotify_rows
from transforms.pure import npz

ROWS, TAGS, GENRES, NOTES = "spotify-hit-predictor", "hetrec2011-lastfm-2k", "gtzan-features", "instrument-samples"
"""Names of the data sets that are learned from, each a folder."""


@dataclass(frozen=True)
class TrackFeaturesReport:
    """What a training did: numbers of rows, clips, sounds and weights, and the file of these."""

    rows: int
    clips: int
    sounds: int
    weights: int
    file: Path


def train_track_features(
    out: Path,
    data: Path,
    *,
    prompts: Path = PROMPTS,
    fonts: Sequence[Path] = FONTS,
    songs: int = 240,
    each: int = 36,
    seed: int = 0,
    progress: Progress = silent,
) -> TrackFeaturesReport:
    """Fit all arrays and write them; ``about`` among them says from what.

    Args:
        out: file to write, .npz; ``transforms/pure/audio/vocabulary/track_features.npz`` is the one that is used.
        data: folder of the data sets ``ROWS``, ``TAGS``, ``GENRES`` and ``NOTES``.
        prompts: folder of recorded speech, a folder for each speaker.
        fonts: soundfonts.
        songs: number of songs that are made.
        each: greatest number of clips of a speaker.
        seed: random seed.
        progress: callback after each sound.

    Raises:
        InputError: data, speech, fluidsynth or a soundfont is not there.
        MissingExtra: PyAV is not installed.
    """
    rows, clips = read_spotify_rows(data / ROWS, data / TAGS), read_genre_clips(data / GENRES)
    sounds = make_sounds(prompts, data / NOTES, fonts, songs=songs, each=each, seed=seed, progress=progress)
    arrays = fit(rows, clips, sounds, seed)
    weights = {name: values.astype(np.float32) for name, values in arrays.items()}
    about = {
        "seed": seed,
        "rows": len(rows.artists),
        "rows_with_a_kind": int(rows.has_kind.sum()),
        "clips": len(clips.kinds),
        "sounds": {label: int((sounds.labels == label).sum()) for label in sorted(set(sounds.labels.tolist()))},
        "speakers": sorted(set(sounds.sources[sounds.labels == "speech"].tolist())),
        "sha256": {name: digest(data / name) for name in (ROWS, TAGS, GENRES, NOTES)},
    }
    write_whole(out, npz.pack(weights | {"about": np.array(json.dumps(about, sort_keys=True))}))
    count = sum(values.size for values in weights.values())
    return TrackFeaturesReport(len(rows.artists), len(clips.kinds), len(sounds.labels), count, out)


def digest(folder: Path) -> str:
    """SHA-256 of the names and contents of all files of a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
