"""Sounds to learn from: arrangements that are drawn, and songs of POP909."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from training.models.audio.beat_tracking.arrangement import arrange
from training.models.audio.beat_tracking.fit import Example
from training.models.audio.beat_tracking.rendering import inputs, record, render, render_midi
from transforms.pure.audio.stft import RATE

SECONDS = 50
FIRST, PART = 20, 60
"""Part of a song of POP909: a minute from the 20th second on."""
DEVELOPMENT = range(1, 41)
"""Songs of POP909 that may be learned from; ``benchmarks.audio`` asks others."""
TIMES = 2
"""How often a song of POP909 counts beside an arrangement."""
_SILENT = 1e-3


def arrangements(count: int, seed: int, fonts: Sequence[Path], *, progress: Progress = silent) -> list[Example]:
    """Draw, render and record arrangements of 50 seconds; silent ones are left out.

    Args:
        count: number of arrangements.
        seed: random seed; arrangement ``n`` depends on it and ``n`` alone.
        fonts: soundfonts, one of which plays an arrangement.
        progress: callback after each arrangement.
    """
    sounds = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        arrangement = arrange(rng, SECONDS)
        samples = render(arrangement, fonts[int(rng.integers(len(fonts)))])[: SECONDS * RATE]
        progress(number + 1, count, "arrangements")
        if len(samples) and np.abs(samples).max() >= _SILENT:
            is_inside = arrangement.beats < len(samples) / RATE
            sounds.append(
                Example(inputs(record(samples, rng)), arrangement.beats[is_inside], arrangement.places[is_inside])
            )
    return sounds


def songs(folder: Path, seed: int, fonts: Sequence[Path], *, progress: Progress = silent) -> list[Example]:
    """Render and record a minute of each of the songs of POP909 that may be learned from.

    Args:
        folder: folder of the data set, with a folder for each song: ``001/001.mid`` and ``001/beat_midi.txt``.
        seed: random seed.
        fonts: soundfonts, one of which plays a song.
        progress: callback after each song.

    Raises:
        InputError: none of the songs is there.
    """
    folders = [folder / f"{number:03d}" for number in DEVELOPMENT if (folder / f"{number:03d}").is_dir()]
    if not folders:
        raise InputError(
            expected="the data set POP909: folders 001 to 040",
            found=f"none of them in {folder}",
            next_command="leave out --pop909, or name its folder",
        )
    sounds = []
    for done, song in enumerate(folders):
        rng = np.random.default_rng([seed, int(song.name)])
        samples = render_midi(song / f"{song.name}.mid", fonts[int(rng.integers(len(fonts)))])
        beats = np.loadtxt(song / "beat_midi.txt")
        beats = beats[(beats[:, 0] >= FIRST) & (beats[:, 0] < FIRST + PART)] - [FIRST, 0, 0]
        rows = inputs(record(samples[FIRST * RATE : (FIRST + PART) * RATE], rng))
        sounds += [Example(rows, beats[:, 0], np.where(beats[:, 2] > 0, 1, 2))] * TIMES
        progress(done + 1, len(folders), "songs of POP909")
    return sounds
