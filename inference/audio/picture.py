"""An analysis as a picture: waveform with beats, spectrogram, chroma with the key, tonal balance, classes."""

from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from inference.audio.analyzer import AudioAnalysis
from transforms.pure.audio import chroma, mel, stft
from transforms.pure.audio.chroma import CLASSES

ENDINGS = (".png", ".svg", ".pdf")
_COLUMNS = 1_200
"""Of the waveform and the spectrogram, at the most."""
_RANGE = 80
_BEAT, _BAR, _WAVE = "#c9a227", "#b3261e", "#3d5a80"


def check(path: Path) -> None:
    """Before a long analysis, whether it can be drawn.

    Raises:
        InputError: the ending is none of ``ENDINGS``, or there is no matplotlib.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            expected=f"a picture's name that ends in one of {', '.join(ENDINGS)}",
            found=path.name,
            next_command="python -m inference analyze FILE --plot out.png",
        )
    try:
        import matplotlib as _  # noqa: F401
    except ImportError as error:
        raise InputError(
            expected="matplotlib", found="it is not installed", next_command="pip install 'refrain[audio]'"
        ) from error


def draw(found: AudioAnalysis, path: Path, *, title: str = "") -> Path:
    """Draw to a file, which appears when it is complete.

    Args:
        found: with its samples (``analyze(…, keep=True)``).
        path: of one of ``ENDINGS``.
        title: such as the name of the track.

    Raises:
        InputError: as of ``check``.
    """
    check(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 10), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, 3, height_ratios=[1, 1.6, 1, 1.3])
    waveform = figure.add_subplot(grid[0, :])
    _waveform(waveform, found)
    frames = _frames(found)
    _spectrogram(figure.add_subplot(grid[1, :], sharex=waveform), found, frames)
    _chroma(figure.add_subplot(grid[2, :], sharex=waveform), found, frames)
    _balance(figure.add_subplot(grid[3, 0]), found)
    _classes(figure.add_subplot(grid[3, 1]), found)
    _instruments(figure.add_subplot(grid[3, 2]), found)
    figure.suptitle(_headline(found, title), fontsize=13)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    figure.savefig(partial, dpi=110)
    return partial.replace(path)


def _headline(found: AudioAnalysis, title: str) -> str:
    told = [title] if title else []
    if len(found.beats.times):
        told.append(f"{found.beats.tempo:.1f} bpm, {found.beats.meter or '?'}/4")
    if found.key:
        told.append(f"{found.key.tonic} {found.key.mode}")
    loudness = found.measures.get("loudness")
    if loudness is not None:
        told.append(f"{loudness:.1f} LUFS")
    return "  ·  ".join([*told, *found.marks])


def _waveform(axes: Any, found: AudioAnalysis) -> None:
    samples = found.mono
    step = max(1, len(samples) // _COLUMNS)
    whole = samples[: len(samples) // step * step].reshape(-1, step)
    times = np.arange(len(whole)) * step / stft.RATE
    if len(whole):
        axes.fill_between(times, whole.min(axis=1), whole.max(axis=1), color=_WAVE, linewidth=0)
    axes.vlines(found.beats.times, -1, 1, color=_BEAT, linewidth=0.6)
    axes.vlines(found.beats.downbeats, -1, 1, color=_BAR, linewidth=1.0)
    axes.set(ylabel="amplitude", ylim=(-1.05, 1.05), xlim=(0, max(found.seconds, 1e-3)))
    axes.set_title("beats (yellow) and downbeats (red)", fontsize=9, loc="left")


def _frames(found: AudioAnalysis) -> np.ndarray:
    """(frames, bins) power, few enough to be seen."""
    frames = stft.frame_count(len(found.mono))
    every = max(stft.STRIDE, frames // _COLUMNS)
    parts = list(stft.power(stft.padded(found.mono), -(-frames // every), every=every))
    return np.concatenate(parts) if parts else np.zeros((1, stft.BINS), np.float32)


def _spectrogram(axes: Any, found: AudioAnalysis, frames: np.ndarray) -> None:
    levels = mel.decibels(frames @ mel.bank())
    loudest = float(levels.max())
    extent = (0.0, max(found.seconds, 1e-3), 0.0, float(mel.BANDS))
    limits = {"vmin": loudest - _RANGE, "vmax": loudest}
    axes.imshow(levels.T, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="nearest", **limits)
    ticks = [100, 250, 500, 1_000, 2_000, 4_000, 8_000]
    axes.set_yticks(np.searchsorted(mel.centres(mel.BANDS), ticks), [f"{tick:,}" for tick in ticks])
    axes.set(ylabel="Hz (mel)")


def _chroma(axes: Any, found: AudioAnalysis, frames: np.ndarray) -> None:
    pitches = chroma.of_power(frames)
    extent = (0.0, max(found.seconds, 1e-3), -0.5, 11.5)
    axes.imshow(pitches.T, origin="lower", aspect="auto", extent=extent, cmap="Blues", interpolation="nearest")
    axes.set_yticks(range(12), CLASSES, fontsize=7)
    if found.key:
        axes.get_yticklabels()[CLASSES.index(found.key.tonic)].set_color(_BAR)
    axes.set(ylabel="pitch class", xlabel="seconds")


def _balance(axes: Any, found: AudioAnalysis) -> None:
    octaves = found.spectrum.octaves
    places = range(len(octaves))
    axes.bar(places, [level + 60 for level in octaves.values()], bottom=-60, color=_WAVE)
    if found.spectrum.deviations:
        reference = [level - found.spectrum.deviations[centre] for centre, level in octaves.items()]
        axes.plot(places, reference, color=_BAR, marker="o", markersize=3, label="catalogue")
        axes.legend(fontsize=8)
    axes.set_xticks(places, [f"{centre:g}" for centre in octaves], rotation=45, fontsize=8)
    axes.set(ylabel="dB of all power", ylim=(-60, 0))
    axes.set_title("octaves, Hz", fontsize=9, loc="left")


def _classes(axes: Any, found: AudioAnalysis) -> None:
    shown: list[tuple[str, float]] = []
    if found.classes:
        for chances in (found.classes.mood, found.classes.genre):
            shown += list(chances.probabilities.items())[:5][::-1] if chances else []
    unknown = bool(found.classes and found.classes.unknown)
    _bars(axes, shown, "genre and mood" + (": unknown, unlike what was learned from" if unknown else ""), found)


def _instruments(axes: Any, found: AudioAnalysis) -> None:
    instruments = found.classes.instruments if found.classes else None
    _bars(axes, list((instruments or {}).items())[::-1], "instruments", found)


def _bars(axes: Any, shown: list[tuple[str, float]], title: str, found: AudioAnalysis) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    if not shown:
        why = "silence" if "silent" in found.marks else "no model is promoted"
        axes.text(0.5, 0.5, why, ha="center", va="center")
        axes.set_axis_off()
        return
    axes.barh(range(len(shown)), [chance for _, chance in shown], color=_WAVE)
    axes.set_yticks(range(len(shown)), [name for name, _ in shown], fontsize=8)
    axes.set(xlim=(0, 1), xlabel="probability")
