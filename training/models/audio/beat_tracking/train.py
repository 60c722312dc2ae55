"""Trains the beat network on sounds whose beats are known, and writes its weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.whole_files import write_whole
from training.models.audio.beat_tracking.examples import arrangements, songs
from training.models.audio.beat_tracking.fit import FitRecipe, fit
from transforms.pure import npz

FONTS = (Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),)
"""Where Debian's package fluid-soundfont-gm has its soundfont."""


@dataclass(frozen=True)
class BeatNetworkReport:
    """What a training did: number of sounds, number of weights, and the file of these."""

    sounds: int
    weights: int
    file: Path


def train_beat_network(
    out: Path,
    recipe: FitRecipe,
    *,
    count: int,
    fonts: Sequence[Path] = FONTS,
    pop909: Path | None = None,
    progress: Progress = silent,
) -> BeatNetworkReport:
    """Draw arrangements, render them, train, and write the weights in half precision.

    Args:
        out: file of the weights, .npz; ``transforms/pure/audio/beat_network.npz`` is the one that is used.
        recipe: settings; its seed is that of the arrangements, too.
        count: number of arrangements.
        fonts: soundfonts.
        pop909: folder of the data set POP909, to learn from its first songs as well.
        progress: callback after each sound and each epoch.

    Raises:
        InputError: fluidsynth, a soundfont or the songs are not there.
    """
    sounds = arrangements(count, recipe.seed, fonts, progress=progress)
    if pop909 is not None:
        sounds += songs(pop909, recipe.seed, fonts, progress=progress)
    weights = fit(sounds, recipe, progress=progress)
    write_whole(out, npz.pack({name: values.astype(np.float16) for name, values in weights.items()}))
    return BeatNetworkReport(len(sounds), sum(values.size for values in weights.values()), out)
