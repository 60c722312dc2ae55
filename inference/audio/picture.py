"""Draws an audio analysis: waveform with beats, spectrogram, chroma with the key, tonal balance, classes."""

from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from feature_repo.extras import install_command
from inference.audio.analyzer import AudioAnalysis
from transforms.pure.audio import chroma, mel, stft
from transforms.pure.audio.chroma import CLASSES

ENDINGS = (".png", ".svg", ".pdf")
_MAX_COLUMNS = 1_200
"""Maximum number of columns of the waveform and the spectrogram."""
_RANGE_DB = 80
_BEAT, _BAR, _WAVE = "#c9a227", "#b3261e", "#3d5a80"
_BEAT_TICKS, _BAR_TICKS = (-1.2, -1.06), (-1.35, -1.06)
"""Heights of the marks of beats and downbeats, below the waveform."""


def check(path: Path) -> None:
    """Check, before a long analysis, that the result can be drawn.

    Raises:
        InputError: the file's suffix is not one of ``ENDINGS``, or matplotlib is not installed.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            expected=f"a picture's name that ends in one of {', '.join(ENDINGS)}",
            found=path.name,
            next_command="refrain analyze FILE --plot out.png",
        )
    try:
        import matplotlib as _  # noqa: F401
    except ImportError as error:
        raise InputError(
            expected="matplotlib", found="it is not installed", next_command=install_command("audio")
        ) from error


def draw(analysis: AudioAnalysis, path: Path, *, title: str = "") -> Path:
    """Draw an analysis to a file, written atomically.

    Args:
        analysis: an analysis with its samples (``analyze(…, keep=True)``).
        path: path of the picture, with a suffix of ``ENDINGS``.
        title: title, such as the name of the track.

    Raises:
        InputError: see ``check``.
    """
    check(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 10), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, 3, height_ratios=[1, 1.6, 1, 1.3])
    waveform = figure.add_subplot(grid[0, :])
    _waveform(waveform, analysis)
    frames = _frames(analysis)
    _spectrogram(figure.add_subplot(grid[1, :], sharex=waveform), analysis, frames)
    _chroma(figure.add_subplot(grid[2, :], sharex=waveform), analysis, frames)
    _balance(figure.add_subplot(grid[3, 0]), analysis)
    _classes(figure.add_subplot(grid[3, 1]), analysis)
    _instruments(figure.add_subplot(grid[3, 2]), analysis)
    figure.suptitle(_headline(analysis, title), fontsize=13)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    figure.savefig(partial, dpi=110)
    return partial.replace(path)


def _headline(analysis: AudioAnalysis, title: str) -> str:
    parts = [title] if title else []
    if len(analysis.beats.times):
        bar = f", {analysis.beats.meter} beats in a bar" if analysis.beats.meter else ""
        parts.append(f"{analysis.beats.tempo:.1f} bpm{bar}")
    if analysis.key:
        parts.append(f"{analysis.key.tonic} {analysis.key.mode}")
    loudness = analysis.measures.get("loudness")
    if loudness is not None:
        parts.append(f"{loudness:.1f} LUFS")
    return "  ·  ".join([*parts, *analysis.marks])


def _waveform(axes: Any, analysis: AudioAnalysis) -> None:
    samples = analysis.mono
    step = max(1, len(samples) // _MAX_COLUMNS)
    columns = samples[: len(samples) // step * step].reshape(-1, step)
    times = np.arange(len(columns)) * step / stft.RATE
    if len(columns):
        axes.fill_between(times, columns.min(axis=1), columns.max(axis=1), color=_WAVE, linewidth=0)
    axes.vlines(analysis.beats.times, *_BEAT_TICKS, color=_BEAT, linewidth=0.8)
    axes.vlines(analysis.beats.downbeats, *_BAR_TICKS, color=_BAR, linewidth=1.2)
    axes.set(ylabel="amplitude", ylim=(_BAR_TICKS[0], 1.05), xlim=(0, max(analysis.seconds, 1e-3)))
    axes.set_title("below the waveform: beats (yellow) and downbeats (red, longer)", fontsize=9, loc="left")


def _frames(analysis: AudioAnalysis) -> np.ndarray:
    """Compute the power (frames, bins) of every n-th frame, so that few enough remain to be drawn."""
    frames = stft.frame_count(len(analysis.mono))
    every = max(stft.STRIDE, frames // _MAX_COLUMNS)
    blocks = list(stft.power(stft.padded(analysis.mono), -(-frames // every), every=every))
    return np.concatenate(blocks) if blocks else np.zeros((1, stft.BINS), np.float32)


def _spectrogram(axes: Any, analysis: AudioAnalysis, frames: np.ndarray) -> None:
    levels = mel.decibels(frames @ mel.bank())
    loudest = float(levels.max())
    extent = (0.0, max(analysis.seconds, 1e-3), 0.0, float(mel.BANDS))
    limits = {"vmin": loudest - _RANGE_DB, "vmax": loudest}
    axes.imshow(levels.T, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="nearest", **limits)
    ticks = [100, 250, 500, 1_000, 2_000, 4_000, 8_000]
    axes.set_yticks(np.searchsorted(mel.centres(mel.BANDS), ticks), [f"{tick:,}" for tick in ticks])
    axes.set(ylabel="Hz (mel)")


def _chroma(axes: Any, analysis: AudioAnalysis, frames: np.ndarray) -> None:
    pitches = chroma.of_power(frames)
    extent = (0.0, max(analysis.seconds, 1e-3), -0.5, 11.5)
    axes.imshow(pitches.T, origin="lower", aspect="auto", extent=extent, cmap="Blues", interpolation="nearest")
    axes.set_yticks(range(12), CLASSES, fontsize=7)
    if analysis.key:
        axes.get_yticklabels()[CLASSES.index(analysis.key.tonic)].set_color(_BAR)
    axes.set(ylabel="pitch class", xlabel="seconds")


def _balance(axes: Any, analysis: AudioAnalysis) -> None:
    octaves = analysis.spectrum.octaves
    places = range(len(octaves))
    axes.bar(places, [level + 60 for level in octaves.values()], bottom=-60, color=_WAVE)
    if analysis.spectrum.deviations:
        reference = [level - analysis.spectrum.deviations[centre] for centre, level in octaves.items()]
        axes.plot(places, reference, color=_BAR, marker="o", markersize=3, label="catalogue")
        axes.legend(fontsize=8)
    axes.set_xticks(places, [f"{centre:g}" for centre in octaves], rotation=45, fontsize=8)
    axes.set(ylabel="dB of all power", ylim=(-60, 0))
    axes.set_title("octaves, Hz", fontsize=9, loc="left")


def _classes(axes: Any, analysis: AudioAnalysis) -> None:
    bars: list[tuple[str, float]] = []
    if analysis.classes:
        for chances in (analysis.classes.mood, analysis.classes.genre):
            bars += list(chances.probabilities.items())[:5][::-1] if chances else []
    unknown = bool(analysis.classes and analysis.classes.unknown)
    _bars(axes, bars, "genre and mood" + (": unknown, unlike the training data" if unknown else ""), analysis)


def _instruments(axes: Any, analysis: AudioAnalysis) -> None:
    instruments = analysis.classes.instruments if analysis.classes else None
    _bars(axes, list((instruments or {}).items())[::-1], "instruments", analysis)


def _bars(axes: Any, bars: list[tuple[str, float]], title: str, analysis: AudioAnalysis) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    if not bars:
        reason = "silence" if "silent" in analysis.marks else "no model is promoted"
        axes.text(0.5, 0.5, reason, ha="center", va="center")
        axes.set_axis_off()
        return
    axes.barh(range(len(bars)), [chance for _, chance in bars], color=_WAVE)
    axes.set_yticks(range(len(bars)), [name for name, _ in bars], fontsize=8)
    axes.set(xlim=(0, 1), xlabel="probability")
