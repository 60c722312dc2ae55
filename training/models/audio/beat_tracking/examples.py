"""Sounds to learn from: arrangements that are drawn, and songs of POP909."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from training.models.audio.beat_tracking.arrangement import arrange
from training.models.audio.beat_tracking.fit import Example
from training.models.audio.beat_tracking.metronome import tick
from training.models.audio.beat_tracking.pop909 import song_beats
from training.models.audio.beat_tracking.rendering import frames, inputs, record, render, render_midi
from training.models.audio.beat_tracking.targets import bar_example, beat_example
from transforms.pure.audio import beats, onsets
from transforms.pure.audio.beat_network import BeatNetwork
from transforms.pure.audio.stft import RATE

SECONDS = 50
FIRST, PART = 15, 80
"""Part of a song of POP909, in seconds."""
SILENT = 1e-3
_JITTER_SECONDS = 0.01


@dataclass(frozen=True)
class Sound:
    """A sound whose beats are known.

    Attributes:
        samples: (n,) float32, mono at ``stft.RATE``.
        beats: (n,) times of the beats in seconds.
        is_downbeat: (n,) whether each begins a bar.
        is_known: (n,) whether this is certain.
    """

    samples: np.ndarray
    beats: np.ndarray
    is_downbeat: np.ndarray
    is_known: np.ndarray

    def beat_examples(self) -> list[Example]:
        """Examples for ``fit.BEATS``."""
        return [beat_example(inputs(self.samples), self.beats, self.is_downbeat)]

    def bar_examples(self, rng: np.random.Generator) -> list[Example]:
        """Examples for ``fit.BARS``: of the beats that are heard in the sound, and of the true ones."""
        bands, chroma = frames(self.samples)
        network = BeatNetwork()
        network.add(bands, chroma)
        evidence = network.result()
        heard = beats.track(onsets.standardized(onsets.strength(bands)), evidence, chroma).times
        jittered = self.beats + rng.normal(0, _JITTER_SECONDS, len(self.beats))
        examples = [
            bar_example(times, evidence, chroma, self.beats, self.is_downbeat, self.is_known)
            for times in (heard, jittered)
        ]
        return [example for example in examples if example is not None]


def arrangements(count: int, seed: int, fonts: Sequence[Path], *, progress: Progress = silent) -> Iterator[Sound]:
    """Draw, render and record arrangements of 50 seconds; silent ones are left out.

    Args:
        count: number of arrangements.
        seed: random seed; arrangement ``n`` depends on it and ``n`` alone.
        fonts: soundfonts, one of which plays an arrangement.
        progress: callback after each arrangement.
    """
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        arrangement = arrange(rng, SECONDS)
        samples = render(arrangement, fonts[int(rng.integers(len(fonts)))])[: SECONDS * RATE]
        progress(number + 1, count, "arrangements")
        if len(samples) and np.abs(samples).max() >= SILENT:
            inside = arrangement.beats < len(samples) / RATE
            is_downbeat = arrangement.places[inside] == 1
            is_known = np.ones(len(is_downbeat), bool)
            yield Sound(record(samples, rng), arrangement.beats[inside], is_downbeat, is_known)


def metronomes(count: int, seed: int) -> Iterator[Sound]:
    """Draw clicks of 50 seconds.

    Args:
        count: number of sounds.
        seed: random seed.
    """
    for number in range(count):
        samples, times, is_downbeat = tick(np.random.default_rng([seed, number, 1]), SECONDS)
        yield Sound(samples, times, is_downbeat, np.ones(len(times), bool))


def songs(
    folder: Path, numbers: Sequence[int], seed: int, fonts: Sequence[Path], *, progress: Progress = silent
) -> Iterator[Sound]:
    """Render songs of POP909, and record a part of each.

    Args:
        folder: folder of the data set, with a folder for each song.
        numbers: numbers of the songs; those that are not there are left out.
        seed: random seed.
        fonts: soundfonts, one of which plays a song.
        progress: callback after each song.

    Raises:
        InputError: none of the songs is there.
    """
    folders = [folder / f"{number:03d}" for number in numbers if (folder / f"{number:03d}").is_dir()]
    if not folders:
        raise InputError(
            expected=f"the data set POP909: folders {numbers[0]:03d} to {numbers[-1]:03d}",
            found=f"none of them in {folder}",
            next_command="leave out --pop909, or name its folder",
        )
    for done, song in enumerate(folders):
        rng = np.random.default_rng([seed, int(song.name)])
        samples = render_midi(song / f"{song.name}.mid", fonts[int(rng.integers(len(fonts)))])
        truth = song_beats(song).part(FIRST, PART)
        part = record(samples[FIRST * RATE : (FIRST + PART) * RATE], rng)
        progress(done + 1, len(folders), "songs of POP909")
        yield Sound(part, truth.times, truth.is_downbeat, truth.is_known)
