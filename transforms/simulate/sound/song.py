"""A song: composed by its genre and its mood, played, put into a room, and recorded well or badly.

Artists keep their instruments, so that whoever splits songs at random hears them again; splits go by artist.
"""

from dataclasses import dataclass

import numpy as np
from scipy import signal

from transforms.simulate.sound import timbre
from transforms.simulate.sound.style import PATTERNS, PROGRESSIONS, STYLES, Style
from transforms.simulate.sound.timbre import RATE, Voice

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
MOODS = ("calm", "happy", "sad", "tense")
STEPS = 4
"""Parts of a beat that something may begin at."""


@dataclass(frozen=True)
class Song:
    """What it sounds like, and the truth of it.

    Attributes:
        samples: (n, 2) float32 at ``timbre.RATE``.
        genre: of ``STYLES``.
        valence: 0 (sad) to 1 (happy).
        arousal: 0 (calm) to 1 (wild).
        instruments: that are heard, sorted.
        tempo: beats a minute, on average.
        meter: beats of a bar.
        beats: (b,) seconds; the first is a downbeat.
        tonic: such as ``F#``.
        mode: ``major`` or ``minor``.
    """

    samples: np.ndarray
    genre: str
    valence: float
    arousal: float
    instruments: tuple[str, ...]
    tempo: float
    meter: int
    beats: np.ndarray
    tonic: str
    mode: str

    @property
    def mood(self) -> str:
        """Its quarter of valence and arousal, by J. Russell, A circumplex model of affect (1980)."""
        if self.valence >= 0.5:
            return "happy" if self.arousal >= 0.5 else "calm"
        return "tense" if self.arousal >= 0.5 else "sad"


@dataclass
class _Score:
    """What is being played: where each step begins, and the two channels that notes are put on."""

    starts: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def put(self, sound: np.ndarray, second: float, loud: float, place: float = 0.0) -> None:
        first = int(second * RATE)
        part = sound[: max(len(self.left) - first, 0)] * np.float32(loud)
        self.left[first : first + len(part)] += part * np.float32(1 - max(place, 0.0))
        self.right[first : first + len(part)] += part * np.float32(1 + min(place, 0.0))


def compose(genre: str, seconds: float, artist: int, rng: np.random.Generator) -> Song:
    """Compose, play and record a song.

    Args:
        genre: of ``STYLES``.
        seconds: how long.
        artist: a number; the same artist has the same instruments.
        rng: all else.
    """
    style = STYLES[genre]
    valence, arousal = (float(np.clip(rng.normal(mean, 0.22), 0.02, 0.98)) for mean in (style.valence, style.arousal))
    meter = 3 if rng.random() < style.waltz else 4
    low, high = style.tempo
    tempo = float(np.clip(low + (high - low) * (0.15 + 0.7 * arousal + rng.normal(0, 0.12)), low, high))
    beats, starts = _times(tempo, seconds, style.swing, rng)
    mode = "major" if rng.random() < 0.1 + 0.8 * valence else "minor"
    tonic, tuned = int(rng.integers(12)), float(rng.normal(0, 0.12))
    count = int(seconds * RATE)
    score = _Score(starts, np.zeros(count, np.float32), np.zeros(count, np.float32))
    hired = np.random.default_rng([artist, 7])
    band = _band(style, hired)
    scale = SCALES[mode]

    def hertz(degree: int, octave: int) -> float:
        return float(440 * 2 ** ((tonic - 9 + tuned + scale[degree % 7]) / 12 + octave - 4 + degree // 7))

    bar = STEPS * meter
    progression = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    roots = [progression[number % 4] for number in range(len(starts) // bar + 1)]
    heard = set()
    for number, one in enumerate(band["chords"]):
        comping = style.comping[int(rng.integers(len(style.comping)))]
        _chords(score, one, roots, bar, comping, arousal, hertz, 0.16 / (1 + number), rng)
        heard.add(one.kind)
    for one in band["bass"]:
        _bass(score, one, roots, bar, arousal, hertz, rng)
        heard.add(one.kind)
    for one in band["leads"]:
        _melody(score, one, roots, bar, valence, arousal, hertz, rng)
        heard.add(one.kind)
    if style.drums != "none":
        _drums(score, style.drums, bar, arousal, float(hired.random()), rng)
        heard.add("drums")
    mixed = _recorded(np.column_stack([score.left, score.right]), style, arousal, rng)
    return Song(
        mixed,
        genre,
        valence,
        arousal,
        tuple(sorted(heard)),
        60 / float(np.diff(beats).mean()),
        meter,
        beats,
        TONICS[tonic],
        mode,
    )


def _times(tempo: float, seconds: float, swing: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of beats, with the drift of people, and of their quarters, with swing."""
    count = int(seconds * tempo / 60) + 2
    drift = 1 + np.cumsum(rng.normal(0, rng.choice([0.0, 0.002, 0.004]), count))
    beats = np.concatenate([[0.0], np.cumsum(60 / tempo * drift)]) + rng.uniform(0.02, 0.3)
    inside = np.array([0.0, 0.25 + swing / 2, 0.5 + swing / 2, 0.75 + swing / 4])
    starts = (beats[:-1, None] + np.diff(beats)[:, None] * inside).ravel()
    return beats[beats < seconds], starts[starts < seconds]


def _band(style: Style, rng: np.random.Generator) -> dict[str, list[Voice]]:
    """Who plays for an artist."""
    chords = rng.permutation(style.chords)[: 1 + (rng.random() < 0.5)]
    leads = rng.permutation(style.leads)[: 1 if rng.random() < 0.85 else 0]
    return {
        "chords": [timbre.voice(str(kind), rng) for kind in chords],
        "leads": [timbre.voice(str(kind), rng) for kind in leads],
        "bass": [timbre.voice("bass", rng)] if rng.random() < style.bass else [],
    }


def _chords(score, one, roots, bar, comping, arousal, hertz, loud, rng) -> None:  # type: ignore[no-untyped-def]
    step = float(np.diff(score.starts).mean())
    for number, start in enumerate(score.starts):
        place, root = number % bar, roots[number // bar]
        if not _comes(comping, place, arousal, rng):
            continue
        tones, held = [root, root + 2, root + 4], 1.5
        if comping == "held":
            held = bar * 0.95
        elif comping == "broken":
            tones, held = [tones[(place // 2) % 3]], 3.0
        elif comping == "riff":
            tones, held = [root, root + 4], 0.8
        strength = loud * (1.2 if place == 0 else 1.0) * rng.uniform(0.8, 1.1)
        for order, tone in enumerate(tones):
            octave = 3 if one.kind in ("guitar", "organ") else 4
            sound = timbre.note(one, hertz(tone, octave), held * step, 0.2 + 0.7 * arousal, rng)
            score.put(sound, start + 0.008 * order * (comping == "strummed"), strength, one.place)


def _comes(comping: str, place: int, arousal: float, rng: np.random.Generator) -> bool:
    """Whether a chord begins at a place of the bar."""
    if comping == "held":
        return place == 0
    if comping == "strummed":
        return place % 4 == 0 or (place % 2 == 0 and rng.random() < arousal)
    if comping == "offbeat":
        return place % 4 == 2 and rng.random() >= 0.25
    if comping == "broken":
        return place % 2 == 0
    return rng.random() <= 0.35 + 0.5 * arousal


def _bass(score, one, roots, bar, arousal, hertz, rng) -> None:  # type: ignore[no-untyped-def]
    step = float(np.diff(score.starts).mean())
    for number, start in enumerate(score.starts):
        place = number % bar
        if place == 0 or (place % 4 == 0 and rng.random() < 0.4 + 0.5 * arousal) or rng.random() < 0.15 * arousal:
            tone = roots[number // bar] + (4 if place and rng.random() < 0.3 else 0)
            score.put(timbre.note(one, hertz(tone, 2), 3 * step, 0.3 + 0.5 * arousal, rng), start, 0.35)


def _melody(score, one, roots, bar, valence, arousal, hertz, rng) -> None:  # type: ignore[no-untyped-def]
    step = float(np.diff(score.starts).mean())
    degree, number = int(rng.integers(0, 5)), 0
    octave = 4 if one.kind in ("guitar", "voice", "brass") else 5
    while number < len(score.starts):
        length = int(rng.choice([1, 2, 4, 8], p=_lengths(arousal)))
        if rng.random() < 0.85:
            if number % bar == 0:  # on a tone of the chord
                degree = roots[number // bar] + int(rng.choice([0, 2, 4]))
            degree = int(np.clip(degree + rng.choice([-2, -1, 1, 2], p=_steps(valence)), -2, 10))
            held = length * step * (0.95 - 0.4 * arousal * rng.random())
            sound = timbre.note(one, hertz(degree, octave), held, 0.3 + 0.6 * arousal, rng)
            score.put(sound, score.starts[number], 0.3 * rng.uniform(0.75, 1.1), one.place)
        number += length


def _lengths(arousal: float) -> np.ndarray:
    weights = np.array([0.1 + 0.5 * arousal, 0.35, 0.3, 0.35 - 0.3 * arousal])
    return weights / weights.sum()


def _steps(valence: float) -> np.ndarray:
    weights = np.array([0.2, 0.35 - 0.1 * valence, 0.2 + 0.15 * valence, 0.1 + 0.2 * valence])
    return weights / weights.sum()


def _drums(score, kind, bar, arousal, kit, rng) -> None:  # type: ignore[no-untyped-def]
    made = [timbre.kick(kit, rng), timbre.snare(kit, rng), timbre.hat(kit, rng)]
    soft = 0.35 if kind == "brushes" else 1.0
    loud = np.array([0.75, 0.5, 0.45]) * soft * (0.5 + 0.7 * arousal)
    for number, start in enumerate(score.starts):
        place = number % bar
        for drum, strength, pattern in zip(made, loud, PATTERNS[kind], strict=True):
            if pattern[place] == "x" or rng.random() < 0.02 * arousal:
                score.put(drum, start + rng.normal(0, 0.003), strength * rng.uniform(0.8, 1.1))


def _recorded(dry: np.ndarray, style: Style, arousal: float, rng: np.random.Generator) -> np.ndarray:
    """In a room, driven, filtered, with noise, at a level."""
    sound = dry / max(float(np.abs(dry).max()), 1e-9)
    drive = 1 + (style.drive - 1) * rng.uniform(0.4, 1.2)
    sound = np.tanh(sound * drive) / np.tanh(drive)
    length = style.room * float(np.exp(rng.normal(0, 0.3)))
    tail = np.exp(-3 * np.arange(int(length * RATE)) / (length * RATE))
    echo = rng.normal(size=(len(tail), 2)) * tail[:, None]
    wet = signal.oaconvolve(sound, echo / np.sqrt((echo**2).sum(axis=0)), axes=0)[: len(sound)]
    sound = sound + wet * rng.uniform(0.08, 0.35)
    if rng.random() < 0.3:  # an old tape, or a small speaker
        edges = [rng.uniform(40, 160), rng.uniform(3_500, 8_000)]
        sound = signal.sosfilt(signal.butter(2, edges, "bandpass", fs=RATE, output="sos"), sound, axis=0)
    sound = sound + 10 ** (rng.uniform(-80, -45) / 20) * rng.normal(size=sound.shape)
    level = 10 ** (-(3 + 14 * (1 - arousal) * rng.uniform(0.2, 1.0)) / 20)
    return (sound / np.abs(sound).max() * level).astype(np.float32)
