"""How instruments sound: a note of each, from a few periods of a wave that darkens or brightens, and an envelope.

A tone fades between two spectra of harmonics, one bright and one dark, which is what tells a struck string from a blown
pipe; vibrato bends it. Spectra: Fletcher and Rossing, The Physics of Musical Instruments (1998), in broad strokes.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from transforms.pure.audio.stft import RATE

INSTRUMENTS = ("bass", "brass", "drums", "flute", "guitar", "organ", "piano", "strings", "synth", "voice")
_TABLE = 2_048
_HARMONICS = 24


@dataclass(frozen=True)
class Voice:
    """One instrument as one artist plays it.

    Attributes:
        kind: one of ``INSTRUMENTS``.
        slope: power by which its harmonics fall off.
        attack: seconds until it is loud.
        decay: seconds until it has faded to a third; infinite for what sounds on.
        vibrato: semitones.
        wobble: vibratos a second.
        place: -1 (left) to 1 (right).
        colour: (24,) factors of its harmonics.
    """

    kind: str
    slope: float
    attack: float
    decay: float
    vibrato: float
    wobble: float
    place: float
    colour: np.ndarray


_PLAYED = {  # slope, attack, decay, vibrato
    "bass": (1.9, 0.006, 0.8, 0.0),
    "brass": (1.1, 0.050, np.inf, 0.08),
    "flute": (2.6, 0.060, np.inf, 0.20),
    "guitar": (1.4, 0.003, 0.7, 0.02),
    "organ": (0.6, 0.012, np.inf, 0.05),
    "piano": (1.7, 0.004, 0.9, 0.0),
    "strings": (1.0, 0.120, np.inf, 0.15),
    "synth": (0.9, 0.008, 0.6, 0.0),
    "voice": (1.3, 0.070, np.inf, 0.35),
}


def voice(kind: str, rng: np.random.Generator) -> Voice:
    """An instrument of its kind, like no other."""
    slope, attack, decay, vibrato = _PLAYED[kind]
    order = np.arange(1, _HARMONICS + 1)
    colour = np.exp(rng.normal(0, 0.35, _HARMONICS))
    if kind == "guitar":  # plucked at a point: harmonics that have a node there are missing
        colour *= np.abs(np.sin(np.pi * order * rng.uniform(0.12, 0.3)))
    if kind == "organ":  # drawbars
        colour *= np.isin(order, [1, 2, 3, 4, 6, 8, 10, 12, 16]) + 0.02
    if kind == "synth" and rng.random() < 0.5:  # square
        colour *= np.where(order % 2, 1.0, 0.05)
    if kind == "flute":
        colour *= np.where(order > 6, 0.1, 1.0)
    return Voice(
        kind,
        slope * float(np.exp(rng.normal(0, 0.15))),
        attack * float(np.exp(rng.normal(0, 0.3))),
        decay * float(np.exp(rng.normal(0, 0.3))),
        vibrato * float(np.exp(rng.normal(0, 0.4))),
        float(rng.uniform(4.2, 6.8)),
        0.0 if kind == "bass" else float(rng.uniform(-0.7, 0.7)),
        colour,
    )


def note(played: Voice, hertz: float, seconds: float, bright: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) samples of one note, about 1 at its loudest.

    Args:
        played: by what.
        hertz: of its pitch.
        seconds: that it is held; it rings a little longer.
        bright: 0 to 1, how hard it is played.
        rng: for breath and phase.
    """
    ring = 0.25 if np.isfinite(played.decay) else 0.08
    time = np.arange(int((seconds + ring) * RATE), dtype=np.float32) / np.float32(RATE)
    phase = hertz * time + np.float32(rng.random())
    if played.vibrato:  # a bend of few semitones is nearly linear in frequency; its integral, in closed form
        turn = np.float32(2 * np.pi * played.wobble)
        depth = hertz * (2 ** (played.vibrato / 12) - 1) / turn
        phase += (
            np.float32(depth)
            * np.minimum(time / np.float32(0.4), 1)
            * np.sin(turn * time + np.float32(rng.uniform(0, 6)))
        )
    light, dark = _waves(played, hertz, bright, rng)
    place = (phase * _TABLE).astype(np.int32) & (_TABLE - 1)
    if played.kind in ("brass", "voice", "strings"):
        share = 0.3 + 0.7 * np.minimum(time / np.float32(2 * played.attack + 0.05), 1)
    else:
        share = np.exp(-time / np.float32(0.15 + 0.2 * bright))
    sound = dark[place] + share * (light[place] - dark[place])
    if played.kind == "strings":  # more than one
        sound = sound + light[(phase * np.float32(1.004 * _TABLE)).astype(np.int32) & (_TABLE - 1)]
    if played.kind == "flute":
        sound = sound + np.float32(0.08) * rng.standard_normal(len(time), np.float32)
    envelope = np.minimum(time / np.float32(played.attack), 1)
    if np.isfinite(played.decay):
        envelope *= np.exp(-time / np.float32(played.decay))
    end = int(ring * RATE)
    envelope[-end:] *= np.linspace(1, 0, end, dtype=np.float32)
    return np.asarray(sound * envelope, np.float32)


def _waves(played: Voice, hertz: float, bright: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One period with many harmonics, and one with few."""
    count = int(min(_HARMONICS, 0.45 * RATE / hertz))
    order = np.arange(1, count + 1)
    heights = played.colour[:count] / order ** (played.slope * (1.4 - 0.7 * bright))
    if played.kind == "voice":
        vowel = rng.choice(np.array([[700, 1_200], [300, 2_200], [400, 800], [500, 1_700]]))
        at = order * hertz
        heights = heights * (0.15 + sum(np.exp(-(((at - peak) / 220) ** 2)) for peak in vowel))
    found = []
    for weights in (heights, heights / order**1.5):
        spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
        spectrum[1 : count + 1] = weights * _phases(count)
        wave = np.fft.irfft(spectrum)
        found.append((wave / max(np.abs(wave).max(), 1e-12)).astype(np.float32))
    return found[0], found[1]


@cache
def _phases(count: int) -> np.ndarray:
    """(count,) unit numbers, the same for every note: harmonics in step would make one peak."""
    return np.asarray(np.exp(1j * np.random.default_rng(count).uniform(0, 2 * np.pi, count)))


def kick(kit: float, rng: np.random.Generator) -> np.ndarray:
    """A bass drum; ``kit`` (0 to 1) tells one set from another."""
    time = np.arange(int(0.3 * RATE)) / RATE
    sweep = (45 + 25 * kit) + (120 + 120 * kit) * np.exp(-time * 40)
    click = rng.normal(size=len(time)) * np.exp(-time * 400) * 0.3
    return (np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * np.exp(-time * (9 + 8 * kit)) + click).astype(np.float32)


def snare(kit: float, rng: np.random.Generator) -> np.ndarray:
    """A snare drum."""
    time = np.arange(int(0.25 * RATE)) / RATE
    rattle = rng.normal(size=len(time)) * np.exp(-time * (14 + 14 * kit))
    body = np.sin(2 * np.pi * (170 + 60 * kit) * time) * np.exp(-time * 25)
    return (0.5 * rattle + 0.6 * body).astype(np.float32)


def hat(kit: float, rng: np.random.Generator) -> np.ndarray:
    """A cymbal, closed."""
    time = np.arange(int(0.12 * RATE)) / RATE
    noise = np.diff(rng.normal(size=len(time) + 2), 2)
    return (0.25 * noise * np.exp(-time * (35 + 60 * kit))).astype(np.float32)
