"""Train the beat network and write its weights.

    python -m training.models.audio.beat_tracking OUT.npz --soundfont FluidR3_GM.sf2 [--soundfont …] [--songs 480]

Arrangement ``n`` is drawn from ``--seed`` and ``n``, and played by one of the soundfonts. Needs the extra deep and
fluidsynth.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from feature_repo.command_line import Progress, progress, say, silent
from training.models.audio.beat_tracking.arrangement import arrange
from training.models.audio.beat_tracking.fit import Example, FitRecipe, fit
from training.models.audio.beat_tracking.rendering import inputs, record, render
from transforms.pure.audio.stft import RATE

SECONDS = 50
FONTS = [Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")]


def example(seed: int, number: int, fonts: list[Path]) -> Example | None:
    """Arrange, render and record one sound of 50 seconds; None if it is silent."""
    rng = np.random.default_rng([seed, number])
    arrangement = arrange(rng, SECONDS)
    samples = render(arrangement, fonts[int(rng.integers(len(fonts)))])[: SECONDS * RATE]
    if not len(samples) or np.abs(samples).max() < 1e-3:
        return None
    is_inside = arrangement.beats < len(samples) / RATE
    return Example(inputs(record(samples, rng)), arrangement.beats[is_inside], arrangement.places[is_inside])


def examples(songs: int, seed: int, fonts: list[Path], *, progress: Progress = silent) -> list[Example]:
    """Make a number of sounds; silent ones are left out."""
    sounds = []
    for number in range(songs):
        sounds.append(example(seed, number, fonts))
        progress(number + 1, songs, "arrangements")
    return [sound for sound in sounds if sound is not None]


def train(
    out: Annotated[Path, typer.Argument(help="where to write the weights, .npz")],
    soundfont: Annotated[list[Path] | None, typer.Option(help="sf2 or sf3; may be given several times")] = None,
    songs: Annotated[int, typer.Option(min=8, help="number of arrangements")] = 480,
    epochs: Annotated[int, typer.Option(min=1, help="passes through the sounds")] = 40,
    seed: Annotated[int, typer.Option(help="random seed of arrangements and weights")] = 0,
) -> None:
    """Train the beat network on arrangements whose beats are known, and write its weights."""
    with progress("beat network") as report:
        sounds = examples(songs, seed, soundfont or FONTS, progress=report)
        weights = fit(sounds, FitRecipe(epochs=epochs, seed=seed), progress=report)
    np.savez_compressed(out, **{name: values.astype(np.float16) for name, values in weights.items()})
    say(f"{sum(values.size for values in weights.values()):,} weights of {len(sounds)} sounds in {out}")


if __name__ == "__main__":
    typer.run(train)
