"""Trains the networks that hear beats and bars on sounds whose beats are known, and writes their weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.whole_files import write_whole
from training.models.audio.beat_tracking.examples import Sound, arrangements, metronomes, songs
from training.models.audio.beat_tracking.fit import BARS, BEATS, Architecture, Example, FitRecipe, fit
from transforms.pure import npz
from transforms.pure.audio.temporal_network import Weights

FONTS = (Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),)
"""Where Debian's package fluid-soundfont-gm has its soundfont."""
TIMES = 2
"""How often a song of POP909 counts beside an arrangement."""


@dataclass(frozen=True)
class Task:
    """One of the two networks.

    Attributes:
        architecture: its shape.
        songs: numbers of the songs of POP909 that it may learn from; ``benchmarks.audio`` asks others.
        metronomes: clicks for every hundred arrangements.
        recipe: settings that it is trained with.
        examples: what it learns from a sound.
    """

    architecture: Architecture
    songs: Sequence[int]
    metronomes: int
    recipe: FitRecipe
    examples: Callable[[Sound, np.random.Generator], list[Example]]


TASKS = {
    "beats": Task(BEATS, range(1, 41), 0, FitRecipe(), lambda sound, _: sound.beat_examples()),
    "bars": Task(
        BARS,
        range(1, 71),
        20,
        FitRecipe(epochs=20, batch=16, length=96, rate=3e-3, noise=0.25),
        lambda sound, rng: sound.bar_examples(rng),
    ),
}


@dataclass(frozen=True)
class BeatNetworkReport:
    """What a training did: number of sounds, number of weights, and the file of these."""

    sounds: int
    weights: int
    file: Path


def train_beat_network(
    out: Path,
    task: Task,
    recipe: FitRecipe,
    *,
    count: int,
    fonts: Sequence[Path] = FONTS,
    pop909: Path | None = None,
    start: Weights | None = None,
    progress: Progress = silent,
) -> BeatNetworkReport:
    """Draw arrangements, render them, train, and write the weights in half precision.

    Args:
        out: file of the weights, .npz; those that are used lie in ``transforms/pure/audio``.
        task: the network, of ``TASKS``.
        recipe: settings; its seed is that of the arrangements, too.
        count: number of arrangements.
        fonts: soundfonts.
        pop909: folder of the data set POP909, to learn from its first songs as well.
        start: weights to go on from; random ones if None.
        progress: callback after each sound and each epoch.

    Raises:
        InputError: fluidsynth, a soundfont or the songs are not there.
    """
    rng = np.random.default_rng(recipe.seed)
    examples, sounds = [], 0
    for sound in arrangements(count, recipe.seed, fonts, progress=progress):
        examples += task.examples(sound, rng)
        sounds += 1
    for sound in metronomes(count * task.metronomes // 100, recipe.seed):
        examples += task.examples(sound, rng)
        sounds += 1
    if pop909 is not None:
        for sound in songs(pop909, task.songs, recipe.seed, fonts, progress=progress):
            examples += task.examples(sound, rng) * TIMES
            sounds += 1
    weights = fit(examples, recipe, task.architecture, start=start, progress=progress)
    write_whole(out, npz.pack({name: values.astype(np.float16) for name, values in weights.items()}))
    return BeatNetworkReport(sounds, sum(values.size for values in weights.values()), out)
