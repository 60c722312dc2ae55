"""Formats an audio analysis for the terminal and as JSON."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from feature_repo.output.json_text import to_json
from inference.audio.analyzer import AudioAnalysis
from inference.audio.classifier import Chances
from transforms.pure.audio.loudness.meter import Loudness
from transforms.pure.audio.loudness.replay_gain import replay_gain
from transforms.pure.audio.loudness.target import verdict
from transforms.pure.audio.vocabulary.track_features import LEARNED, PROXIES, TrackFeatures

_MAX_SHOWN = 5
_MAX_SECTIONS = 12


def as_lines(analysis: AudioAnalysis) -> Iterator[str]:
    """Format an analysis as lines of text."""
    yield (
        f"{analysis.seconds:.1f} s, {analysis.rate:,} Hz, "
        f"{analysis.channels} channel{'s' if analysis.channels > 1 else ''}"
    ) + (f"  ·  {', '.join(analysis.marks)}" if analysis.marks else "")
    yield from _loudness_lines(analysis.loudness)
    units = {"peak": "dB", "crest": "dB", "noise_floor": "dB"}
    meters = [(name, analysis.measures.get(name), unit) for name, unit in units.items()]
    yield "meter        " + ", ".join(f"{name} {value:.1f} {unit}" for name, value, unit in meters if value is not None)
    beats = analysis.beats
    if len(beats.times):
        yield (
            f"rhythm       {beats.tempo:.1f} beats a minute (confidence {beats.confidence:.2f}), "
            f"{beats.meter or '?'} in a bar, {len(beats.times)} beats, the first at {beats.times[0]:.2f} s"
        )
    if analysis.key:
        yield f"harmony      {analysis.key.tonic} {analysis.key.mode} (confidence {analysis.key.confidence:.2f})"
    yield from _structure_lines(analysis)
    spectrum = analysis.spectrum
    yield f"dynamics     {spectrum.dynamic_range:.0f} dB between quiet and loud"
    yield "octaves      " + "  ".join(f"{_hertz(centre)} {level:.0f}" for centre, level in spectrum.octaves.items())
    if spectrum.odd and spectrum.deviations:
        deviations = ", ".join(f"{spectrum.deviations[centre]:+.0f} dB at {_hertz(centre)}" for centre in spectrum.odd)
        yield f"balance      unlike the catalogue: {deviations}"
    yield "peaks        " + ", ".join(f"{peak.note} ({peak.hertz:.0f} Hz)" for peak in spectrum.peaks[:_MAX_SHOWN])
    yield from _track_features_lines(analysis.track_features)
    classes = analysis.classes
    if classes:
        for name, chances in (("genre", classes.genre), ("mood", classes.mood)):
            if chances:
                yield f"{name:13}{chances.label}  ({_top(chances.probabilities)})"
        if classes.valence is not None and classes.arousal is not None:
            yield f"feeling      valence {classes.valence:.2f}, arousal {classes.arousal:.2f}"
        if classes.instruments:
            yield f"instruments  {_top(classes.instruments)}"
        if classes.unknown:
            yield "             unlike all training data: these classes are guesses"


def _structure_lines(analysis: AudioAnalysis) -> Iterator[str]:
    structure = analysis.structure
    if len(structure.sections) > 1:
        starts = ", ".join(_clock(section.start) for section in structure.sections[:_MAX_SECTIONS])
        rest = len(structure.sections) - _MAX_SECTIONS
        yield f"sections     {len(structure.sections)}, from {starts}" + (f" and {rest} more" if rest > 0 else "")
    fades = structure.fades
    values = [
        f"in until {_clock(fades.end_of_fade_in)}" if fades.end_of_fade_in >= 1 else "",
        f"out from {_clock(fades.start_of_fade_out)} on" if fades.start_of_fade_out <= structure.seconds - 1 else "",
    ]
    if any(values):
        yield "fades        " + ", ".join(filter(None, values))


def _clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3_600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def _loudness_lines(loudness: Loudness) -> Iterator[str]:
    values = [
        ("integrated", loudness.integrated_lufs, "LUFS"),
        ("range", loudness.range_lu, "LU"),
        ("true peak", loudness.true_peak_dbtp, "dBTP"),
        ("momentary", loudness.momentary_max_lufs, "LUFS at most"),
        ("short-term", loudness.short_term_max_lufs, "LUFS at most"),
    ]
    if any(value is not None for _, value, _ in values):
        yield "loudness     " + ", ".join(
            f"{name} {value:.1f} {unit}" for name, value, unit in values if value is not None
        )
    streaming = verdict(loudness)
    if streaming:
        gain = replay_gain(loudness)["REPLAYGAIN_TRACK_GAIN"]
        yield f"streaming    {streaming.sentence}; ReplayGain {gain}"


def _track_features_lines(track: TrackFeatures) -> Iterator[str]:
    for title, names in (("learned", (*LEARNED, "speechiness")), ("proxies", PROXIES)):
        values = [(name, getattr(track, name), track.confidence[name]) for name in names]
        texts = [f"{name} {value:.2f} (confidence {sure:.2f})" for name, value, sure in values if value is not None]
        if texts:
            yield f"{title:13}{', '.join(texts)}"


def line_of_json(analysis: AudioAnalysis) -> str:
    """Format an analysis as one line of JSON, like a response of the API."""
    return to_json(plain(analysis))


def plain(analysis: AudioAnalysis) -> dict[str, Any]:
    """Convert an analysis to the fields of ``inference.api.schemas.audio.AudioResponse``."""
    beats, spectrum, classes = analysis.beats, analysis.spectrum, analysis.classes
    return {
        "seconds": analysis.seconds,
        "rate": analysis.rate,
        "channels": analysis.channels,
        "marks": list(analysis.marks),
        "measures": dict(analysis.measures),
        "loudness": plain_loudness(analysis.loudness),
        "tempo": None if math.isnan(beats.tempo) else beats.tempo,
        "tempo_confidence": beats.confidence,
        "tempos": [{"tempo": tempo, "strength": strength} for tempo, strength in beats.tempos],
        "meter": beats.meter,
        "beats": [round(float(time), 3) for time in beats.times],
        "downbeats": [round(float(time), 3) for time in beats.downbeats],
        "key": asdict(analysis.key) if analysis.key else None,
        "octaves": {f"{centre:g}": level for centre, level in spectrum.octaves.items()},
        "deviations": None
        if spectrum.deviations is None
        else {f"{centre:g}": deviation for centre, deviation in spectrum.deviations.items()},
        "peaks": [asdict(peak) for peak in spectrum.peaks],
        "dynamic_range": spectrum.dynamic_range,
        "track_features": asdict(analysis.track_features),
        "classes": None
        if classes is None
        else {
            **_label_and_probabilities("genre", classes.genre),
            **_label_and_probabilities("mood", classes.mood),
            "valence": classes.valence,
            "arousal": classes.arousal,
            "instruments": None if classes.instruments is None else dict(classes.instruments),
            "distance": classes.distance,
            "unknown": classes.unknown,
        },
        "model": analysis.model,
    }


def plain_loudness(loudness: Loudness) -> dict[str, Any]:
    """Convert a loudness to the fields of ``inference.api.schemas.audio.SoundLoudness``."""
    streaming = verdict(loudness)
    return {
        **asdict(loudness),
        "replay_gain": replay_gain(loudness),
        "streaming": asdict(streaming) if streaming else None,
    }


def _label_and_probabilities(name: str, chances: Chances | None) -> dict[str, Any]:
    if chances is None:
        return {name: None, f"{name}s": None}
    return {name: chances.label, f"{name}s": dict(chances.probabilities)}


def _top(chances: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {chance:.2f}" for name, chance in list(chances.items())[:_MAX_SHOWN])


def _hertz(centre: float) -> str:
    return f"{centre / 1_000:g}k" if centre >= 1_000 else f"{centre:g}"
