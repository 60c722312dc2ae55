"""Sections and fingerprints of composed songs whose form is known.

*Sections.* Songs of ``benchmarks.protocols.composed_forms``, rendered by ``fluidsynth`` with a General MIDI soundfont.
Hit rate of the bounds within 3 s and 0.5 s by ``mir_eval``, without the ends. Rivals: ``librosa.segment.agglomerative``
on the same beats and features, which is given the true number of sections; and a bound every 20 seconds. The features,
their weights and the costs of a section were chosen on development songs; held-out songs were measured once.

*Fingerprints.* The first minute of the held-out songs and the same as mp3, Ogg Vorbis, FLAC, and as mp3 without the
first 3.3 seconds and 15 dB quieter: share of different bits; the same for all pairs of different songs.

Judged on: held out: songs of seeds 100 to 139; development: songs of seeds 0 to 39.

    python -m benchmarks.quality_structure [--songs 40]
"""

import argparse
import io
import itertools
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.protocols.composed_forms import Song, compose
from benchmarks.protocols.rendered_songs import font
from benchmarks.surroundings import MACHINE
from transforms.pure.audio.decode import mono
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.structure.describe import structure
from transforms.pure.audio.structure.fingerprint import Fingerprinter
from transforms.pure.audio.structure.fingerprint_distance import likeness
from transforms.pure.audio.structure.sections import beat_vectors
from transforms.pure.audio.track import TrackAudio, analyze

FIRST = {"development": 0, "held out": 100}
"""Name of a set of songs → its first seed."""
WINDOWS = {"f_3_s": 3.0, "f_half_s": 0.5}
FINGERPRINTED_SECONDS = 60
ENCODINGS: Mapping[str, tuple[str, str, float, float]] = {
    "mp3": ("MP3", "MPEG_LAYER_III", 0.0, 0.5),
    "ogg": ("OGG", "VORBIS", 0.0, 0.5),
    "flac": ("FLAC", "PCM_16", 0.0, 0.5),
    "mp3, cut and quieter": ("MP3", "MPEG_LAYER_III", 3.3, 0.177),
}
"""Name → format, subtype, seconds left out, gain."""


def by_librosa(track: TrackAudio, count: int) -> np.ndarray:
    """Return the bounds of a number of clusters of neighbouring beats."""
    import librosa

    times, vectors = beat_vectors(track.frames, track.beats)
    return np.asarray(times[librosa.segment.agglomerative(vectors.T, count)])


def hit_rates(song: Song, starts: np.ndarray) -> dict[str, float]:
    """Return the F-measures of section bounds, and the number of sections over the true one."""
    import mir_eval

    end = song.bounds[-1]
    estimate = np.concatenate([[0.0], starts[(starts > 0.5) & (starts < end - 0.5)], [end]])
    intervals = [np.column_stack([bounds[:-1], bounds[1:]]) for bounds in (song.bounds, estimate)]
    scores = {
        name: mir_eval.segment.detection(*intervals, window=window, trim=True)[2] for name, window in WINDOWS.items()
    }
    return scores | {"sections_over_true": len(intervals[1]) / len(intervals[0])}


def sections(songs: list[Song]) -> dict[str, dict[str, float]]:
    """Return the mean scores of our sections and the rivals'."""
    rivals: dict[str, Callable[[TrackAudio, int], np.ndarray]] = {
        "ours": lambda track, _: np.array([part.start for part in structure(track.frames, track.beats).sections]),
        "librosa": by_librosa,
        "every 20 s": lambda track, _: np.arange(0.0, track.seconds, 20.0),
    }
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in rivals}
    for song in songs:
        track = analyze([song.samples])
        for name, rival in rivals.items():
            scores[name].append(hit_rates(song, rival(track, len(song.labels))))
    return {
        name: {score: float(np.mean([row[score] for row in rows])) for score in rows[0]}
        for name, rows in scores.items()
    }


def fingerprints(songs: list[Song]) -> dict[str, float]:
    """Return the largest share of different bits of each encoding, and the smallest of two different songs."""
    sounds = [song.samples[: FINGERPRINTED_SECONDS * RATE] for song in songs]
    originals = [_fingerprint(sound) for sound in sounds]
    largest = {}
    for name, (form, subtype, cut, gain) in ENCODINGS.items():
        errors = []
        for sound, original in zip(sounds, originals, strict=True):
            file = io.BytesIO()
            soundfile.write(file, gain * sound[int(cut * RATE) :], RATE, format=form, subtype=subtype)
            decoded = np.concatenate(list(mono(file.getvalue(), RATE)))
            errors.append(likeness(original, _fingerprint(decoded)).error)
        largest[f"largest, {name}"] = max(errors)
    pairs = itertools.combinations(originals, 2)
    return largest | {"smallest, two songs": min(likeness(first, second).error for first, second in pairs)}


def _fingerprint(sound: np.ndarray) -> np.ndarray:
    fingerprinter = Fingerprinter()
    fingerprinter.add(sound)
    return fingerprinter.result()


def _songs(first: int, count: int, soundfont: Path) -> list[Song]:
    return [compose(seed, soundfont) for seed in range(first, first + count)]


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=40)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    soundfont = font()
    if soundfont is None:
        raise SystemExit("expected fluidsynth and a soundfont; next: apt-get install fluidsynth fluid-soundfont-gm")
    cases: list[dict[str, Any]] = []
    for name, first in FIRST.items():
        songs = _songs(first, arguments.songs, soundfont)
        for rival, scores in sections(songs).items():
            case = f"sections, {len(songs)} songs, {name}, {rival}"
            cases += [{"case": case, "metric": metric, "value": round(value, 3)} for metric, value in scores.items()]
        if name == "held out":
            case = f"fingerprints, {len(songs)} songs, share of different bits"
            cases += [
                {"case": case, "metric": metric, "value": round(value, 3)}
                for metric, value in fingerprints(songs).items()
            ]
    print(json.dumps({"benchmark": "quality_structure", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
