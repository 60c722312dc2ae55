"""Songs whose sections are known, composed by chance and rendered by ``fluidsynth``.

A song has one band, one key and one tempo. Each of its parts (verse, refrain, bridge, …) draws anew, with a chance of
0.6 each, what it does with chords, drums, bass, accompaniment, melody and loudness; else it does as the song does.
Parts come again as they were, with another melody. The truth is where a part ends; two equal parts in a row are one
section.
"""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.models.audio.beat_tracking.arrangement import (
    BASSES,
    LEADS,
    PERCUSSION,
    PLUCKED,
    PROGRESSIONS,
    SCALES,
    SUSTAINED,
    Arrangement,
    Note,
)
from training.models.audio.beat_tracking.rendering import render
from training.models.audio.beat_tracking.styles import CHANCES, DRUMS, STYLES

FORMS = ("IABABCB", "AABA", "ABABCBB", "IABCABC", "ABACADA", "IAABAABC", "ABCBA", "IABABO", "ABCD")
"""Orders of parts."""
_CHANGE = 0.6
_FEWEST_CHANGES = 2


@dataclass(frozen=True)
class _Part:
    """What one part of a song does."""

    chords: tuple[int, ...]
    drums: float
    has_bass: bool
    comping: str
    melody: str
    octave: int
    loudness: float


@dataclass(frozen=True)
class Song:
    """A composed song.

    Attributes:
        samples: (n,) float32, mono at ``transforms.pure.audio.stft.RATE``.
        bounds: (sections + 1,) seconds of the beginnings of sections, and of the end.
        labels: letter of each section.
    """

    samples: np.ndarray
    bounds: np.ndarray
    labels: list[str]


def compose(seed: int, soundfont: Path) -> Song:
    """Compose and render the song of a seed; the same seed gives the same song."""
    rng = np.random.default_rng([seed, 41])
    styles = [style for style in STYLES.values() if style.drums and style.meter == 4 and style.division == 4]
    style = styles[rng.integers(len(styles))]
    period = 60 / float(np.exp(rng.uniform(*np.log(style.tempos))))
    form = str(rng.choice(FORMS))
    song = _draw(rng)
    parts = {letter: _changed(song, rng) for letter in sorted(set(form))}
    bars = {letter: int(rng.choice([4, 8] if letter in "IO" else [8, 8, 8, 12, 16])) for letter in parts}
    scale, root = SCALES[rng.integers(2)], int(rng.integers(12))
    programs = [int(rng.choice(choices)) for choices in (BASSES, PLUCKED, SUSTAINED, LEADS)]
    patterns = {DRUMS[name]: [CHANCES[letter] for letter in pattern] for name, pattern in style.drums.items()}
    notes: list[Note] = []
    start_bar, starts = 0, []
    for letter in form:
        part = parts[letter]
        starts.append(start_bar)
        for bar in range(bars[letter]):
            at = (start_bar + bar) * 4 * period
            chord = part.chords[bar % len(part.chords)]
            _play(notes, part, at, period, [_key(chord + third, root, scale) for third in (0, 2, 4)], programs, rng)
            is_fill = bar == bars[letter] - 1 and rng.random() < 0.5
            for drum, chances in patterns.items():
                for step in np.flatnonzero(rng.random(16) < np.array(chances) * part.drums).tolist():
                    if not (is_fill and step > 11):
                        notes.append(_note(PERCUSSION, 0, at + step * period / 4, 0.2, drum, 95 * part.loudness, rng))
            if is_fill and part.drums:
                for step in range(12, 16):
                    notes.append(_note(PERCUSSION, 0, at + step * period / 4, 0.2, 45 + step % 3, 95, rng))
        start_bar += bars[letter]
    volumes = {channel: int(rng.uniform(70, 120)) for channel in (1, 2, 3, 4, PERCUSSION)}
    samples = render(Arrangement("form", notes, np.empty(0), np.empty(0, np.int64), volumes), soundfont)
    seconds = min(start_bar * 4 * period, len(samples) / 22_050)
    is_new = [True, *(after != before for before, after in itertools.pairwise(form))]
    bounds = [start * 4 * period for start, new in zip(starts, is_new, strict=True) if new]
    labels = [letter for letter, new in zip(form, is_new, strict=True) if new]
    return Song(samples[: int(seconds * 22_050)], np.array([*bounds, seconds]), labels)


def _draw(rng: np.random.Generator) -> _Part:
    return _Part(
        PROGRESSIONS[rng.integers(len(PROGRESSIONS))],
        float(rng.choice([0.0, 0.5, 1.0, 1.0])),
        bool(rng.random() < 0.8),
        str(rng.choice(["held", "beats", "arpeggio", "none"])),
        str(rng.choice(["none", "sparse", "busy"])),
        int(rng.choice([48, 60, 60, 72])),
        float(rng.choice([0.7, 0.85, 1.0])),
    )


def _changed(song: _Part, rng: np.random.Generator) -> _Part:
    """A part with changes to what the song does, in two respects at least."""
    while True:
        fresh = vars(_draw(rng))
        changes = {name: value for name, value in fresh.items() if rng.random() < _CHANGE}
        different = sum(getattr(song, name) != value for name, value in changes.items())
        part = replace(song, **changes)
        if different >= _FEWEST_CHANGES and (part.comping != "none" or part.melody != "none" or part.has_bass):
            return part


def _play(
    notes: list[Note],
    part: _Part,
    at: float,
    period: float,
    chord: list[int],
    programs: list[int],
    rng: np.random.Generator,
) -> None:
    """Add one bar of bass, chords and melody."""
    bass, plucked, sustained, lead = programs
    if part.has_bass:
        for beat in (0, 2) if part.drums < 1 else range(4):
            notes.append(_note(1, bass, at + beat * period, period, 36 + chord[0] % 12, 95 * part.loudness, rng))
    for number, key in enumerate(chord):
        pitch = 48 + key % 12 + (12 if part.octave > 60 else 0)
        if part.comping == "held":
            notes.append(_note(2, sustained, at, 3.9 * period, pitch, 80 * part.loudness, rng))
        elif part.comping == "beats":
            notes.extend(
                _note(4, plucked, at + beat * period, 0.6 * period, pitch, 85 * part.loudness, rng) for beat in range(4)
            )
        elif part.comping == "arpeggio":
            notes.extend(
                _note(4, plucked, at + (number / 2 + turn * 1.5) * period, period, pitch, 85 * part.loudness, rng)
                for turn in range(2)
            )
    chance = {"none": 0.0, "sparse": 0.25, "busy": 0.7}[part.melody]
    for step in np.flatnonzero(rng.random(8) < chance).tolist():
        pitch = part.octave + int(rng.choice(chord)) % 12
        notes.append(_note(3, lead, at + step * period / 2, 0.9 * period / 2, pitch, 95 * part.loudness, rng))


def _note(
    channel: int, program: int, start: float, length: float, key: int, velocity: float, rng: np.random.Generator
) -> Note:
    loudness = int(np.clip(velocity + rng.normal(0, 6), 12, 127))
    return Note(channel, program, max(start + rng.normal(0, 0.005), 0.0), length, key, loudness)


def _key(degree: int, root: int, scale: tuple[int, ...]) -> int:
    return root + scale[degree % 7] + 12 * (degree // 7)
