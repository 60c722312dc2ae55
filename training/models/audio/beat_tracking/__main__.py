"""Train the beat network and write its weights.

    python -m training.models.audio.beat_tracking OUT.npz --soundfont FluidR3_GM.sf2 --pop909 FOLDER

Arrangement ``n`` is drawn from ``--seed`` and ``n``, and played by one of the soundfonts. Needs the extra deep and
fluidsynth.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from feature_repo.command_line import progress, say
from training.models.audio.beat_tracking.examples import arrangements
from training.models.audio.beat_tracking.examples import songs as songs_of_pop909
from training.models.audio.beat_tracking.fit import FitRecipe, fit
from transforms.pure import npz

FONTS = [Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")]


def train(
    out: Annotated[Path, typer.Argument(help="where to write the weights, .npz")],
    soundfont: Annotated[list[Path] | None, typer.Option(help="sf2 or sf3; may be given several times")] = None,
    pop909: Annotated[Path | None, typer.Option(help="folder of POP909, whose first 40 songs are learned from")] = None,
    songs: Annotated[int, typer.Option(min=8, help="number of arrangements")] = 480,
    epochs: Annotated[int, typer.Option(min=1, help="passes through the sounds")] = 36,
    seed: Annotated[int, typer.Option(help="random seed of arrangements and weights")] = 0,
) -> None:
    """Train the beat network on sounds whose beats are known, and write its weights."""
    fonts = soundfont or FONTS
    with progress("beat network") as report:
        sounds = arrangements(songs, seed, fonts, progress=report)
        if pop909 is not None:
            sounds += songs_of_pop909(pop909, seed, fonts, progress=report)
        weights = fit(sounds, FitRecipe(epochs=epochs, seed=seed), progress=report)
    out.write_bytes(npz.pack({name: values.astype(np.float16) for name, values in weights.items()}))
    say(f"{sum(values.size for values in weights.values()):,} weights of {len(sounds)} sounds in {out}")


if __name__ == "__main__":
    typer.run(train)
