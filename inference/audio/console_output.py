"""An analysis for a terminal, and as plain numbers."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from inference.audio.analyzer import AudioAnalysis
from inference.audio.classifier import Chances

_SHOWN = 5


def as_lines(found: AudioAnalysis) -> Iterator[str]:
    """Line by line."""
    yield f"{found.seconds:.1f} s, {found.rate:,} Hz, {found.channels} channel{'s' if found.channels > 1 else ''}" + (
        f"  ·  {', '.join(found.marks)}" if found.marks else ""
    )
    units = {"loudness": "LUFS", "peak": "dB", "crest": "dB", "noise_floor": "dB"}
    known = [(name, found.measures.get(name), unit) for name, unit in units.items()]
    yield "meter        " + ", ".join(f"{name} {value:.1f} {unit}" for name, value, unit in known if value is not None)
    beats = found.beats
    if len(beats.times):
        yield (
            f"rhythm       {beats.tempo:.1f} beats a minute (confidence {beats.confidence:.2f}), "
            f"{beats.meter or '?'} in a bar, {len(beats.times)} beats, the first at {beats.times[0]:.2f} s"
        )
    if found.key:
        yield f"harmony      {found.key.tonic} {found.key.mode} (confidence {found.key.confidence:.2f})"
    spectrum = found.spectrum
    yield f"dynamics     {spectrum.dynamic_range:.0f} dB between quiet and loud"
    yield "octaves      " + "  ".join(f"{_hertz(centre)} {level:.0f}" for centre, level in spectrum.octaves.items())
    if spectrum.odd and spectrum.deviations:
        away = ", ".join(f"{spectrum.deviations[centre]:+.0f} dB at {_hertz(centre)}" for centre in spectrum.odd)
        yield f"balance      unlike the catalogue: {away}"
    yield "peaks        " + ", ".join(f"{peak.note} ({peak.hertz:.0f} Hz)" for peak in spectrum.peaks[:_SHOWN])
    classes = found.classes
    if classes:
        for name, chances in (("genre", classes.genre), ("mood", classes.mood)):
            if chances:
                yield f"{name:13}{chances.label}  ({_few(chances.probabilities)})"
        if classes.valence is not None and classes.arousal is not None:
            yield f"feeling      valence {classes.valence:.2f}, arousal {classes.arousal:.2f}"
        if classes.instruments:
            yield f"instruments  {_few(classes.instruments)}"
        if classes.unknown:
            yield "             unlike everything that the model learned from: take these for guesses"


def line_of_json(found: AudioAnalysis) -> str:
    """One line of JSON: what the API answers."""
    return json.dumps(plain(found))


def plain(found: AudioAnalysis) -> dict[str, Any]:
    """As of ``inference.api.schemas.audio.AudioResponse``."""
    beats, spectrum, classes = found.beats, found.spectrum, found.classes
    return {
        "seconds": found.seconds,
        "rate": found.rate,
        "channels": found.channels,
        "marks": list(found.marks),
        "measures": dict(found.measures),
        "tempo": None if math.isnan(beats.tempo) else beats.tempo,
        "tempo_confidence": beats.confidence,
        "meter": beats.meter,
        "beats": [round(float(time), 3) for time in beats.times],
        "downbeats": [round(float(time), 3) for time in beats.downbeats],
        "key": asdict(found.key) if found.key else None,
        "octaves": {f"{centre:g}": level for centre, level in spectrum.octaves.items()},
        "deviations": None
        if spectrum.deviations is None
        else {f"{centre:g}": away for centre, away in spectrum.deviations.items()},
        "peaks": [asdict(peak) for peak in spectrum.peaks],
        "dynamic_range": spectrum.dynamic_range,
        "classes": None
        if classes is None
        else {
            **_both("genre", classes.genre),
            **_both("mood", classes.mood),
            "valence": classes.valence,
            "arousal": classes.arousal,
            "instruments": None if classes.instruments is None else dict(classes.instruments),
            "distance": classes.distance,
            "unknown": classes.unknown,
        },
        "model": found.model,
    }


def _both(name: str, chances: Chances | None) -> dict[str, Any]:
    if chances is None:
        return {name: None, f"{name}s": None}
    return {name: chances.label, f"{name}s": dict(chances.probabilities)}


def _few(chances: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {chance:.2f}" for name, chance in list(chances.items())[:_SHOWN])


def _hertz(centre: float) -> str:
    return f"{centre / 1_000:g}k" if centre >= 1_000 else f"{centre:g}"
