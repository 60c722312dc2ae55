"""A simulated song: composed by genre and mood, played (``score``), and recorded well or badly (``recording``).

An artist has the same instruments in all songs. A random split of songs would leak them; splits go by artist.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.stft import RATE
from transforms.raw.simulate.sound import timbre
from transforms.raw.simulate.sound.recording import record
from transforms.raw.simulate.sound.score import Score
from transforms.raw.simulate.sound.style import PROGRESSIONS, STYLES, Style
from transforms.raw.simulate.sound.timbre import Voice

MOODS = ("calm", "happy", "sad", "tense")
STEPS = 4
"""Positions per beat at which a note may begin."""


@dataclass(frozen=True)
class Song:
    """A recorded song and its ground truth.

    Attributes:
        samples: (n, 2) float32 at ``transforms.pure.audio.stft.RATE``.
        genre: one of ``STYLES``.
        valence: 0 (sad) to 1 (happy).
        arousal: 0 (calm) to 1 (wild).
        instruments: kinds of the instruments, sorted.
        tempo: average beats per minute.
        meter: beats per bar.
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
        """The quadrant of valence and arousal, by J. Russell, A circumplex model of affect (1980)."""
        if self.valence >= 0.5:
            return "happy" if self.arousal >= 0.5 else "calm"
        return "tense" if self.arousal >= 0.5 else "sad"


def compose(genre: str, seconds: float, artist: int, rng: np.random.Generator) -> Song:
    """Compose, play and record a song.

    Args:
        genre: one of ``STYLES``.
        seconds: length of the song.
        artist: number of the artist, who has the same instruments in all songs.
        rng: random generator for everything else.
    """
    style = STYLES[genre]
    valence, arousal = (float(np.clip(rng.normal(mean, 0.22), 0.02, 0.98)) for mean in (style.valence, style.arousal))
    meter = 3 if rng.random() < style.waltz else 4
    low, high = style.tempo
    tempo = float(np.clip(low + (high - low) * (0.15 + 0.7 * arousal + rng.normal(0, 0.12)), low, high))
    beats, starts = _times(tempo, seconds, style.swing, rng)
    mode = "major" if rng.random() < 0.1 + 0.8 * valence else "minor"
    tonic, tuning = int(rng.integers(12)), float(rng.normal(0, 0.12))
    artist_rng = np.random.default_rng([artist, 7])
    band = _band(style, artist_rng)
    progression = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    bar = STEPS * meter
    roots = [progression[number % 4] for number in range(len(starts) // bar + 1)]
    score = Score(int(seconds * RATE), starts, bar, roots, tonic + tuning, mode, valence, arousal, rng)
    for number, voice in enumerate(band["chords"]):
        comping = style.comping[int(rng.integers(len(style.comping)))]
        score.chords(voice, comping, 0.16 / (1 + number))
    for voice in band["bass"]:
        score.bass(voice)
    for voice in band["leads"]:
        score.melody(voice)
    if style.drums != "none":
        score.drums(style.drums, float(artist_rng.random()))
    instruments = {voice.kind for voices in band.values() for voice in voices} | (
        {"drums"} if style.drums != "none" else set()
    )
    return Song(
        record(np.column_stack([score.left, score.right]), style, arousal, rng),
        genre,
        valence,
        arousal,
        tuple(sorted(instruments)),
        60 / float(np.diff(beats).mean()),
        meter,
        beats,
        CLASSES[tonic],
        mode,
    )


def _times(tempo: float, seconds: float, swing: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds of beats, with human drift, and of their quarters, with swing."""
    count = int(seconds * tempo / 60) + 2
    drift = 1 + np.cumsum(rng.normal(0, rng.choice([0.0, 0.002, 0.004]), count))
    beats = np.concatenate([[0.0], np.cumsum(60 / tempo * drift)]) + rng.uniform(0.02, 0.3)
    inside = np.array([0.0, 0.25 + swing / 2, 0.5 + swing / 2, 0.75 + swing / 4])
    starts = (beats[:-1, None] + np.diff(beats)[:, None] * inside).ravel()
    return beats[beats < seconds], starts[starts < seconds]


def _band(style: Style, rng: np.random.Generator) -> dict[str, list[Voice]]:
    """Draw the instruments of an artist."""
    chords = rng.permutation(style.chords)[: 1 + (rng.random() < 0.5)]
    leads = rng.permutation(style.leads)[: 1 if rng.random() < 0.85 else 0]
    return {
        "chords": [timbre.voice(str(kind), rng) for kind in chords],
        "leads": [timbre.voice(str(kind), rng) for kind in leads],
        "bass": [timbre.voice("bass", rng)] if rng.random() < style.bass else [],
    }
