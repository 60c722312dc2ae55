"""Songs of POP909 rendered to sound by ``fluidsynth``, with the beats that their MIDI files have.

Needs ``apt-get install fluidsynth fluid-soundfont-gm``.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from transforms.pure.audio.decode import mono
from transforms.pure.audio.stft import RATE

FONTS = [Path("/usr/share/sounds/sf2") / name for name in ("FluidR3_GM.sf2", "TimGM6mb.sf2")]


def font() -> Path | None:
    """A General MIDI soundfont; None where songs cannot be rendered."""
    if shutil.which("fluidsynth") is None:
        return None
    return next((one for one in FONTS if one.exists()), None)


def rendered(folder: Path, sounds: Path, first: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """A part of a song: samples, mono at ``RATE``, and (beats, 3) its beats and two marks of downbeats.

    Args:
        folder: of the song.
        sounds: a soundfont.
        first: second that the part begins at; beats are told from there on.
        seconds: of the part.
    """
    with tempfile.TemporaryDirectory() as place:
        out, midi = Path(place) / "song.wav", folder / f"{folder.name}.mid"
        call = ["fluidsynth", "-ni", "-r", str(RATE), "-g", "0.5", "-F", str(out), "-T", "wav", str(sounds), str(midi)]
        subprocess.run(call, check=True, capture_output=True)
        samples = np.concatenate(list(mono(out, RATE)))
    truth = np.loadtxt(folder / "beat_midi.txt")
    truth = truth[(truth[:, 0] >= first) & (truth[:, 0] < first + seconds)] - [first, 0, 0]
    return samples[int(first * RATE) : int((first + seconds) * RATE)], truth


def f_measure(reference: np.ndarray, found: np.ndarray) -> float:
    """Of beats within 70 ms, those of the first five seconds left out, as is usual."""
    import mir_eval

    trimmed = (mir_eval.beat.trim_beats(times) for times in (reference, found))
    return float(mir_eval.beat.f_measure(*trimmed))
