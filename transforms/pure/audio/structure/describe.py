"""The structure of one sound, from its analysis."""

import math
from dataclasses import dataclass, replace

import numpy as np

from transforms.pure.audio.beats import Beats
from transforms.pure.audio.key import Key, mode_confidence, of_chroma
from transforms.pure.audio.structure.fades import Fades, fades
from transforms.pure.audio.structure.frame_loudness import QUIETEST, gated
from transforms.pure.audio.structure.frames import BLOCK_SECONDS, Frames
from transforms.pure.audio.structure.rhythm_grid import RhythmGrid, rhythm_grid
from transforms.pure.audio.structure.sections import Section, sections
from transforms.pure.audio.structure.segments import Segments, segments

VERSION = "1"
"""Changes whenever a sound may get another structure."""


@dataclass(frozen=True)
class Structure:
    """The structure of one sound.

    Attributes:
        samples: number of samples at ``stft.RATE``.
        seconds: length of the sound.
        loudness: integrated loudness in LUFS; None in silence.
        beats: beats, tempo and meter of the whole.
        key: key of the whole; None without pitch.
        mode_confidence: 0 to 1.
        fades: end of the fade-in and start of the fade-out.
        grid: bars, beats and tatums.
        sections: sections; they tile the sound.
        segments: segments; they tile the sound.
    """

    samples: int
    seconds: float
    loudness: float | None
    beats: Beats
    key: Key | None
    mode_confidence: float
    fades: Fades
    grid: RhythmGrid
    sections: list[Section]
    segments: Segments


def structure(
    frames: Frames, beats: Beats, *, loudness: float | None = None, measured_seconds: float = math.inf
) -> Structure:
    """Return the structure of a sound.

    Sections and segments are measured on the mean of the channels, which is up to 3 LU quieter than the channels
    together. With ``loudness`` all of them are shifted to its scale.

    Args:
        frames: frames of the sound, from ``transforms.pure.audio.track``.
        beats: its beats.
        loudness: integrated loudness of the channels in LUFS, from ``loudness.meter``; that of the mean if None.
        measured_seconds: how much of the sound, from its beginning, ``loudness`` was measured on.

    >>> from transforms.pure.audio import stft
    >>> from transforms.pure.audio.track import analyze
    >>> tone = (0.1 * np.sin(2 * np.pi * 440 * np.arange(3 * stft.RATE) / stft.RATE)).astype(np.float32)
    >>> analysis = analyze([tone])
    >>> result = structure(analysis.frames, analysis.beats)
    >>> result.seconds, len(result.sections), int(result.segments.pitches[0].argmax())
    (3.0, 1, 9)
    """
    first = frames.power[: math.ceil(min(measured_seconds, frames.seconds) / BLOCK_SECONDS)]
    own = gated(first)
    shift = loudness - own if loudness is not None and own is not None else 0.0
    grid = rhythm_grid(beats, frames.onsets, frames.seconds)
    chroma = frames.chroma.mean(axis=0, dtype=np.float64) if len(frames.chroma) else np.zeros(12)
    return Structure(
        frames.samples,
        frames.seconds,
        loudness if loudness is not None else own,
        beats,
        of_chroma(chroma),
        mode_confidence(chroma),
        fades(frames.power, frames.seconds),
        grid,
        [_louder_section(section, shift) for section in sections(frames, beats, grid)],
        _louder(segments(frames), shift),
    )


def _louder_section(section: Section, shift: float) -> Section:
    return section if section.loudness is None else replace(section, loudness=section.loudness + shift)


def _louder(parts: Segments, shift: float) -> Segments:
    """Shift what is louder than silence."""
    names = ("loudness_start", "loudness_max", "loudness_end")
    levels = {name: getattr(parts, name) for name in names}
    return replace(
        parts,
        **{
            name: np.where(values > QUIETEST, np.maximum(values + shift, QUIETEST), QUIETEST)
            for name, values in levels.items()
        },
    )
