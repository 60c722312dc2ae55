"""A structure as the JSON that Spotify's ``audio-analysis`` gave: the same names, units and ranges.

Differences: docs/audio.md, "Structure".
"""

from typing import Any

import numpy as np

from transforms.pure.audio import stft
from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.key import MODES, Key
from transforms.pure.audio.structure.describe import VERSION, Structure
from transforms.pure.audio.structure.frame_loudness import QUIETEST
from transforms.pure.audio.structure.rhythm_grid import Intervals
from transforms.pure.audio.structure.sections import Section
from transforms.pure.audio.structure.segments import Segments

_TIME_DIGITS, _VALUE_DIGITS = 5, 3


def document(structure: Structure, *, fingerprint: str = "") -> dict[str, Any]:
    """Return the document of a structure, of plain values.

    Args:
        structure: structure of a sound.
        fingerprint: text of its fingerprint, from ``fingerprint_text``.

    >>> from transforms.pure.audio.track import analyze
    >>> from transforms.pure.audio.structure.describe import structure
    >>> silence = analyze([np.zeros(stft.RATE, np.float32)])
    >>> result = document(structure(silence.frames, silence.beats))
    >>> list(result)
    ['meta', 'track', 'bars', 'beats', 'sections', 'segments', 'tatums']
    >>> result["track"]["duration"], result["track"]["key"], result["track"]["loudness"]
    (1.0, -1, -60.0)
    """
    return {
        "meta": {
            "analyzer_version": f"refrain structure {VERSION}",
            "platform": "Refrain",
            "detailed_status": "OK",
            "status_code": 0,
            "timestamp": 0,
            "analysis_time": 0.0,
            "input_process": f"mean of the channels, {stft.RATE} Hz",
        },
        "track": _track(structure) | ({"fingerprint": fingerprint} if fingerprint else {}),
        "bars": _intervals(structure.grid.bars),
        "beats": _intervals(structure.grid.beats),
        "sections": [_section(section) for section in structure.sections],
        "segments": _segments(structure.segments),
        "tatums": _intervals(structure.grid.tatums),
    }


def _track(structure: Structure) -> dict[str, Any]:
    beats = structure.beats
    has_beats = len(structure.grid.beats.start) > 0
    return {
        "num_samples": structure.samples,
        "duration": _time(structure.seconds),
        "sample_md5": "",
        "offset_seconds": 0,
        "window_seconds": 0,
        "analysis_sample_rate": stft.RATE,
        "analysis_channels": 1,
        "end_of_fade_in": _time(structure.fades.end_of_fade_in),
        "start_of_fade_out": _time(structure.fades.start_of_fade_out),
        "loudness": _loudness(structure.loudness),
        "tempo": _value(beats.tempo) if has_beats else 0.0,
        "tempo_confidence": _value(beats.confidence) if has_beats else 0.0,
        "time_signature": beats.meter if has_beats else 0,
        "time_signature_confidence": _value(beats.meter_confidence) if has_beats else 0.0,
        **_key(structure.key, structure.mode_confidence),
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "start": _time(section.start),
        "duration": _time(section.duration),
        "confidence": _value(section.confidence),
        "loudness": _loudness(section.loudness),
        "tempo": _value(section.tempo or 0.0),
        "tempo_confidence": _value(section.tempo_confidence),
        **_key(section.key, section.mode_confidence),
        "time_signature": section.meter,
        "time_signature_confidence": _value(section.meter_confidence),
    }


def _key(key: Key | None, mode_confidence: float) -> dict[str, Any]:
    """Pitch class from C = 0 on, and 1 for major, 0 for minor; -1 without pitch."""
    return {
        "key": CLASSES.index(key.tonic) if key else -1,
        "key_confidence": _value(key.confidence) if key else 0.0,
        "mode": int(key.mode == MODES[0]) if key else -1,
        "mode_confidence": _value(mode_confidence) if key else 0.0,
    }


def _intervals(intervals: Intervals) -> list[dict[str, float]]:
    columns = (*_times(intervals.start, intervals.duration), intervals.confidence.round(_VALUE_DIGITS))
    names = ("start", "duration", "confidence")
    return [dict(zip(names, row, strict=True)) for row in np.column_stack(columns).tolist()]


def _segments(segments: Segments) -> list[dict[str, Any]]:
    start, duration = _times(segments.start, segments.duration)
    columns = {
        "start": start,
        "duration": duration,
        "confidence": segments.confidence.round(_VALUE_DIGITS),
        "loudness_start": segments.loudness_start.round(_VALUE_DIGITS),
        "loudness_max": segments.loudness_max.round(_VALUE_DIGITS),
        "loudness_max_time": segments.loudness_max_time.round(_TIME_DIGITS),
        "loudness_end": segments.loudness_end.round(_VALUE_DIGITS),
        "pitches": np.asarray(segments.pitches, np.float64).round(_VALUE_DIGITS),
        "timbre": segments.timbre.round(_VALUE_DIGITS),
    }
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _times(start: np.ndarray, duration: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rounded so that a start and a duration give the rounded end: neighbours touch as they are written, too."""
    first = start.round(_TIME_DIGITS)
    return first, ((start + duration).round(_TIME_DIGITS) - first).round(_TIME_DIGITS)


def _time(seconds: float) -> float:
    return round(float(seconds), _TIME_DIGITS)


def _value(value: float) -> float:
    return round(float(value), _VALUE_DIGITS)


def _loudness(loudness: float | None) -> float:
    return _value(QUIETEST if loudness is None else max(loudness, QUIETEST))
