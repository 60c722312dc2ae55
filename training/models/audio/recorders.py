"""Recorders: how microphones, rooms, filters, noise and level move the features of one and the same sound.

Sounds of simulated instruments and songs are analysed as they are, and again through a recorder that is drawn. The
covariance of the differences says which directions of the feature space tell of a recorder rather than of the music;
it joins the covariance within classes (Hatch, Kajarekar and Stolcke, Within-class covariance normalization for
SVM-based speaker recognition, Interspeech 2006), so that one recorder in the training data does for others.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.whole_files import write_whole
from transforms.pure import npz
from transforms.pure.audio.described import LAYOUT, WIDTH, described, vector
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.raw.simulate.sound import timbre
from transforms.raw.simulate.sound.song import compose
from transforms.raw.simulate.sound.style import STYLES

FILE = Path(__file__).with_suffix(".npz")
DIRECTIONS = 48
"""Number of directions that are kept."""
NOTE_SECONDS, SONG_SECONDS = 2.0, 8.0


@dataclass(frozen=True)
class Recorder:
    """One recorder.

    Attributes:
        tilt: coefficient of a filter of two taps: positive is darker, negative brighter.
        edges: lowest and highest frequency in Hz; None where nothing is cut off.
        drive: gain into saturation; 0 for none.
        echo: (n,) impulse response of the room without the direct sound; empty for none.
        noise: level of the noise floor below the peak, in decibels.
        hiss: coefficient of the filter of the noise, -1 to 1: bright to dark.
        level: peak of the recording in decibels below full scale.
    """

    tilt: float
    edges: tuple[float | None, float | None]
    drive: float
    echo: np.ndarray
    noise: float
    hiss: float
    level: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Recorder":
        """Draw a recorder."""
        room_s = rng.uniform(0.1, 1.0) if rng.random() < 0.5 else 0.0
        count = int(room_s * RATE)
        echo = rng.normal(size=count) * np.exp(-6.9 * np.arange(count) / max(count, 1))
        return cls(
            tilt=float(rng.uniform(-0.6, 0.6)) if rng.random() < 0.6 else 0.0,
            edges=(
                float(np.exp(rng.uniform(np.log(30), np.log(250)))) if rng.random() < 0.5 else None,
                float(np.exp(rng.uniform(np.log(3_000), np.log(10_000)))) if rng.random() < 0.5 else None,
            ),
            drive=float(rng.uniform(1, 4)) if rng.random() < 0.3 else 0.0,
            echo=echo * rng.uniform(0.1, 0.5) / max(float(np.linalg.norm(echo)), 1e-9),
            noise=float(rng.uniform(-85, -40)),
            hiss=float(rng.uniform(-0.9, 0.9)),
            level=float(rng.uniform(-30, -1)),
        )

    def record(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return (n,) float32: the samples through this recorder; ``rng`` is for the noise.

        >>> rng = np.random.default_rng(0)
        >>> bool(np.abs(Recorder.draw(rng).record(np.sin(np.arange(4_000) / 9), rng)).max() < 1)
        True
        """
        from scipy import signal

        sound = np.asarray(samples, np.float64) / max(float(np.abs(samples).max(initial=0.0)), 1e-9)
        if self.drive:
            sound = np.tanh(sound * self.drive)
        if len(self.echo):
            sound = sound + signal.oaconvolve(sound, self.echo)[: len(sound)]
        sound = signal.lfilter([1, self.tilt], [1], sound)
        for edge, kind, order in zip(self.edges, ("highpass", "lowpass"), (2, 4), strict=True):
            if edge is not None:
                sound = signal.sosfilt(signal.butter(order, edge, kind, fs=RATE, output="sos"), sound)
        sound = sound / max(float(np.abs(sound).max(initial=0.0)), 1e-9)
        noise = signal.lfilter([1], [1, -self.hiss], rng.normal(size=len(sound)))
        sound = sound + 10 ** (self.noise / 20) * noise
        peak = max(float(np.abs(sound).max(initial=0.0)), 1e-9)
        return (sound * 10 ** (self.level / 20) / peak).astype(np.float32)


@cache
def shifts() -> np.ndarray:
    """Return (``WIDTH``, k) directions that recorders move ``described.vector`` in, each as long as its spread."""
    stored = npz.unpack(FILE.read_bytes())
    assert int(stored["layout"]) == LAYOUT
    return np.asarray(stored["directions"], np.float64)


def learn_shifts(out: Path, *, count: int = 400, seed: int = 0, progress: Progress = silent) -> float:
    """Draw sounds and recorders, and write the directions that the features move in.

    Args:
        out: file to write, .npz.
        count: number of sounds, half of them single notes; each has a recorder of its own.
        seed: random seed.
        progress: callback after each sound.

    Returns:
        Share of the squared differences that the directions hold.
    """
    differences = np.zeros((count, WIDTH))
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        sound = _note(rng) if number % 2 else _song(number, rng)
        before, after = (vector(described(analyze([one]))) for one in (sound, Recorder.draw(rng).record(sound, rng)))
        differences[number] = np.nan_to_num(after - before)
        progress(number + 1, count, "sounds")
    scale = np.maximum(np.sqrt((differences**2).mean(axis=0)), 1e-9)  # features have units of their own
    spread, directions = np.linalg.eigh((differences / scale).T @ (differences / scale) / count)
    kept = (directions * np.sqrt(np.maximum(spread, 0.0)))[:, ::-1][:, :DIRECTIONS]
    content = {"directions": (kept * scale[:, None]).astype(np.float32), "layout": np.array(LAYOUT)}
    write_whole(out, npz.pack(content))
    return float((kept**2).sum() / spread.sum())


def _note(rng: np.random.Generator) -> np.ndarray:
    kinds = [kind for kind in timbre.INSTRUMENTS if kind != "drums"]
    instrument = timbre.voice(kinds[int(rng.integers(len(kinds)))], rng)
    hertz = float(np.exp(rng.uniform(np.log(80), np.log(1_000))))
    samples = np.zeros(int(NOTE_SECONDS * RATE), np.float32)
    played = timbre.note(instrument, hertz, float(rng.uniform(0.5, 1.6)), float(rng.random()), rng)[: len(samples)]
    samples[: len(played)] = played * np.float32(0.3)
    return samples


def _song(number: int, rng: np.random.Generator) -> np.ndarray:
    genre = list(STYLES)[number // 2 % len(STYLES)]
    return compose(genre, SONG_SECONDS, 50_000 + number, rng).samples.mean(axis=1)
