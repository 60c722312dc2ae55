"""Renders songs of POP909 to audio with ``fluidsynth``; the beats of their MIDI files are the truth.

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
    """Return a General MIDI soundfont; None if songs cannot be rendered."""
    if shutil.which("fluidsynth") is None:
        return None
    return next((path for path in FONTS if path.exists()), None)


def rendered(folder: Path, sounds: Path, first: float, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Render an excerpt of a song: samples, mono at ``RATE``, and (beats, 3) beat times with two downbeat marks.

    Args:
        folder: folder of the song.
        sounds: soundfont.
        first: start of the excerpt in seconds; beat times are relative to it.
        seconds: duration of the excerpt in seconds.
    """
    with tempfile.TemporaryDirectory() as scratch:
        wav, midi = Path(scratch) / "song.wav", folder / f"{folder.name}.mid"
        call = ["fluidsynth", "-ni", "-r", str(RATE), "-g", "0.5", "-F", str(wav), "-T", "wav", str(sounds), str(midi)]
        subprocess.run(call, check=True, capture_output=True)
        samples = np.concatenate(list(mono(wav, RATE)))
    truth = np.loadtxt(folder / "beat_midi.txt")
    truth = truth[(truth[:, 0] >= first) & (truth[:, 0] < first + seconds)] - [first, 0, 0]
    return samples[int(first * RATE) : int((first + seconds) * RATE)], truth


def f_measure(reference: np.ndarray, detected: np.ndarray) -> float:
    """Compute the F-measure of beats within 70 ms, without the first five seconds, as is usual."""
    import mir_eval

    trimmed = (mir_eval.beat.trim_beats(times) for times in (reference, detected))
    return float(mir_eval.beat.f_measure(*trimmed))
