"""Synthesis of instruments: single notes from two wave tables (a bright and a dark one) and an envelope.

A tone fades between two spectra of harmonics, one bright and one dark, as struck strings and blown pipes do in
opposite directions; vibrato bends the pitch. Spectra: Fletcher and Rossing, The Physics of Musical Instruments (1998),
simplified.
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
        slope: power by which the harmonics fall off.
        attack: seconds until full loudness.
        decay: seconds until the note has faded to a third; infinite for sustained sounds.
        vibrato: depth in semitones.
        wobble: vibrato cycles per second.
        pan: -1 (left) to 1 (right).
        colour: (24,) factors of the harmonics.
    """

    kind: str
    slope: float
    attack: float
    decay: float
    vibrato: float
    wobble: float
    pan: float
    colour: np.ndarray


_SOUNDS = {  # slope, attack, decay, vibrato
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
    """Draw an instrument of a kind, with an individual sound."""
    slope, attack, decay, vibrato = _SOUNDS[kind]
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


def note(instrument: Voice, hertz: float, seconds: float, bright: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) samples of one note, about 1 at its loudest.

    Args:
        instrument: the instrument.
        hertz: pitch.
        seconds: length of the note; it rings a little longer.
        bright: 0 (soft) to 1 (hard): strength of playing.
        rng: random generator for breath and phase.
    """
    ring = 0.25 if np.isfinite(instrument.decay) else 0.08
    time = np.arange(int((seconds + ring) * RATE), dtype=np.float32) / np.float32(RATE)
    phase = hertz * time + np.float32(rng.random())
    if instrument.vibrato:  # a bend of few semitones is nearly linear in frequency; its integral, in closed form
        turn = np.float32(2 * np.pi * instrument.wobble)
        depth = hertz * (2 ** (instrument.vibrato / 12) - 1) / turn
        phase += (
            np.float32(depth)
            * np.minimum(time / np.float32(0.4), 1)
            * np.sin(turn * time + np.float32(rng.uniform(0, 6)))
        )
    light, dark = _waves(instrument, hertz, bright, rng)
    table_index = (phase * _TABLE).astype(np.int32) & (_TABLE - 1)
    if instrument.kind in ("brass", "voice", "strings"):
        share = 0.3 + 0.7 * np.minimum(time / np.float32(2 * instrument.attack + 0.05), 1)
    else:
        share = np.exp(-time / np.float32(0.15 + 0.2 * bright))
    sound = dark[table_index] + share * (light[table_index] - dark[table_index])
    if instrument.kind == "strings":  # several players
        sound = sound + light[(phase * np.float32(1.004 * _TABLE)).astype(np.int32) & (_TABLE - 1)]
    if instrument.kind == "flute":
        sound = sound + np.float32(0.08) * rng.standard_normal(len(time), np.float32)
    envelope = np.minimum(time / np.float32(instrument.attack), 1)
    if np.isfinite(instrument.decay):
        envelope *= np.exp(-time / np.float32(instrument.decay))
    end = int(ring * RATE)
    envelope[-end:] *= np.linspace(1, 0, end, dtype=np.float32)
    return np.asarray(sound * envelope, np.float32)


def _waves(instrument: Voice, hertz: float, bright: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One period of a bright wave with many harmonics, and of a dark one with few."""
    count = int(min(_HARMONICS, 0.45 * RATE / hertz))
    order = np.arange(1, count + 1)
    heights = instrument.colour[:count] / order ** (instrument.slope * (1.4 - 0.7 * bright))
    if instrument.kind == "voice":
        vowel = rng.choice(np.array([[700, 1_200], [300, 2_200], [400, 800], [500, 1_700]]))
        frequencies = order * hertz
        heights = heights * (0.15 + sum(np.exp(-(((frequencies - peak) / 220) ** 2)) for peak in vowel))
    waves = []
    for weights in (heights, heights / order**1.5):
        spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
        spectrum[1 : count + 1] = weights * _phases(count)
        wave = np.fft.irfft(spectrum)
        waves.append((wave / max(np.abs(wave).max(), 1e-12)).astype(np.float32))
    return waves[0], waves[1]


@cache
def _phases(count: int) -> np.ndarray:
    """(count,) complex numbers of modulus 1, equal for every note; equal phases would add up to one sharp peak."""
    return np.asarray(np.exp(1j * np.random.default_rng(count).uniform(0, 2 * np.pi, count)))


def kick(kit: float, rng: np.random.Generator) -> np.ndarray:
    """A bass drum; ``kit`` (0 to 1) is the character of the drum set."""
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
    """A closed hi-hat."""
    time = np.arange(int(0.12 * RATE)) / RATE
    noise = np.diff(rng.normal(size=len(time) + 2), 2)
    return (0.25 * noise * np.exp(-time * (35 + 60 * kit))).astype(np.float32)
