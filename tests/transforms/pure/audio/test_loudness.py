"""Loudness against the test signals of EBU Tech 3341 and 3342, pyloudnorm and FFmpeg."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile

from transforms.pure.audio.listen import listen
from transforms.pure.audio.loudness.layouts import DEFAULT, OGG, Layout, weights
from transforms.pure.audio.loudness.meter import Loudness, LoudnessMeter

RATE = 48_000
LOW_RATE = 8_000
"""For long signals: loudness is the same at every rate."""


def _loudness(sound: np.ndarray, rate: int = RATE, layout: Layout | None = None, *, step: int = 0) -> Loudness:
    meter = LoudnessMeter(rate, sound.shape[1], layout, true_peak=True)
    for start in range(0, len(sound), step or len(sound)):
        meter.add(sound[start : start + (step or len(sound))])
    return meter.result()


def _tones(*parts: tuple[float, float], channels: int = 2, rate: int = RATE) -> np.ndarray:
    """A tone of 1 kHz in all channels, with parts of (decibels relative to full scale, seconds)."""
    level = np.concatenate([np.full(round(seconds * rate), 10 ** (decibels / 20)) for decibels, seconds in parts])
    tone = level * np.sin(2 * np.pi * 1_000 * np.arange(len(level)) / rate)
    return np.repeat(tone[:, None], channels, axis=1)


SILENCE = -300.0


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_integrated_loudness_of_tech_3341(parts: Sequence[tuple[float, float]], expected: float) -> None:
    assert _loudness(_tones(*parts, rate=LOW_RATE), LOW_RATE).integrated_lufs == pytest.approx(expected, abs=0.1)


def test_surround_of_tech_3341() -> None:
    """Channels of 5.0 with levels of their own; in 5.1, low-frequency effects do not count."""
    tone = _tones((0, 3), channels=1)
    sound = tone * 10 ** (np.array([-28, -28, -24, -30, -30]) / 20)
    assert _loudness(sound).integrated_lufs == pytest.approx(-23.0, abs=0.1)
    with_effects = np.insert(sound, 3, tone[:, 0], axis=1)
    assert _loudness(with_effects).integrated_lufs == pytest.approx(-23.0, abs=0.1)
    in_order_of_ogg = with_effects[:, [DEFAULT[6].index(name) for name in OGG[6]]]
    assert _loudness(in_order_of_ogg, layout=OGG[6]).integrated_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("shift", range(0, 20, 3))
def test_largest_momentary_and_short_term_loudness_of_tech_3341(shift: int) -> None:
    """Wherever the window begins, the loudest one is found."""
    long, short = (
        _loudness(_tones((SILENCE, shift * seconds / 20), (-23, seconds), (SILENCE, 1), rate=LOW_RATE), LOW_RATE)
        for seconds in (3, 0.4)
    )
    assert long.short_term_max_lufs == pytest.approx(-23.0, abs=0.1)
    assert short.momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


def test_constant_windows_of_tech_3341() -> None:
    assert _loudness(_tones(*[(-20, 1.34), (-30, 1.66)] * 5)).short_term_max_lufs == pytest.approx(-23.0, abs=0.1)
    assert _loudness(_tones(*[(-20, 0.18), (-30, 0.22)] * 25)).momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("divisor", "degrees", "amplitude", "expected"),
    [(4, 0, 0.5, -6.0), (4, 45, 0.5, -6.0), (6, 60, 0.5, -6.0), (8, 67.5, 0.5, -6.0), (4, 45, 1.41, 3.0)],
)
@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000])
def test_true_peak_of_tech_3341(rate: int, divisor: int, degrees: float, amplitude: float, expected: float) -> None:
    """Tones whose largest sample is up to 3 dB below their peak; faded, as an edge has peaks of its own."""
    phase = 2 * np.pi * np.arange(rate) / divisor + np.deg2rad(degrees)
    fade = np.minimum(1, np.minimum(np.arange(rate), np.arange(rate)[::-1]) / 100)
    peak = _loudness((amplitude * fade * np.sin(phase))[:, None], rate).true_peak_dbtp
    assert peak is not None
    assert -0.4 <= peak - expected <= 0.2


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-20, 20), (-30, 20)], 10),
        ([(-20, 20), (-15, 20)], 5),
        ([(-40, 20), (-20, 20)], 20),
        ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
    ],
)
def test_loudness_range_of_tech_3342(parts: Sequence[tuple[float, float]], expected: float) -> None:
    assert _loudness(_tones(*parts, rate=LOW_RATE), LOW_RATE).range_lu == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_a_full_scale_tone_reads_the_same_at_every_rate(rate: int) -> None:
    tone = np.sin(2 * np.pi * 997 * np.arange(3 * rate) / rate)[:, None]
    assert _loudness(tone, rate).integrated_lufs == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_pyloudnorm_gives_the_same(channels: int) -> None:
    sound = np.random.default_rng(channels).normal(0, 0.2, (RATE * 3, channels))
    expected = pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(sound)
    assert _loudness(sound).integrated_lufs == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (12_345, 2), (44_100, 6)])
@pytest.mark.parametrize("step", [997, 16_384])
def test_blocks_give_what_the_whole_gives(rate: int, channels: int, step: int) -> None:
    sound = np.random.default_rng(1).normal(0, 0.3, (int(rate * 4.321), channels))
    whole, blocks = _loudness(sound, rate), _loudness(sound, rate, step=step)
    for name, value in vars(whole).items():
        assert vars(blocks)[name] == pytest.approx(value, abs=1e-5), name


def test_what_has_no_loudness() -> None:
    silence = _loudness(np.zeros((RATE * 4, 2)))
    assert vars(silence) == dict.fromkeys(vars(silence))
    short = _loudness(_tones((-20, 0.3)))
    assert (short.integrated_lufs, short.momentary_max_lufs, short.range_lu) == (None, None, None)
    assert short.true_peak_dbtp == pytest.approx(-20, abs=0.1)
    assert _loudness(_tones((-20, 1)), 4_000).integrated_lufs is None
    assert _loudness(_tones((-20, 1), channels=32)).integrated_lufs is None
    assert LoudnessMeter(RATE, 2).result().integrated_lufs is None


def test_a_wav_and_an_ogg_name_their_channels(tmp_path: Path) -> None:
    """Of four channels, the mask says where the last is; Vorbis has the order of its own specification."""
    sound = np.zeros((RATE, 4))
    sound[:, 2] = _tones((-20, 1), channels=1)[:, 0]
    soundfile.write(tmp_path / "quad.wav", sound, RATE, format="WAVEX")
    quad = (tmp_path / "quad.wav").read_bytes()
    centre = quad.replace((0x33).to_bytes(4, "little"), (0x107).to_bytes(4, "little"), 1)
    behind_junk = quad[:12] + b"JUNK" + (4).to_bytes(4, "little") + bytes(4) + centre[12:]
    surround, front, same_front = (listen(content).loudness.integrated_lufs for content in (quad, centre, behind_junk))
    assert surround == pytest.approx(-23.0 + 10 * np.log10(1.41), abs=0.05)
    assert front == same_front == pytest.approx(-23.0, abs=0.05)
    effects = np.zeros((RATE, 6))
    effects[:, OGG[6].index("LFE")] = np.sin(2 * np.pi * 80 * np.arange(RATE) / RATE)  # Vorbis drops what is higher
    effects[:, 0] = 0.1 * sound[:, 2]
    soundfile.write(tmp_path / "effects.ogg", effects, RATE)
    assert listen(tmp_path / "effects.ogg").loudness.integrated_lufs == pytest.approx(-43.0, abs=0.5)


def test_rear_channels_of_seven_one_count_once() -> None:
    assert weights(DEFAULT[8]).tolist() == [1, 1, 1, 0, 1, 1, 1.41, 1.41]


def _noise(rate: int, channels: int) -> np.ndarray:
    """Pink noise up to 0.4 of the rate whose level changes every 2 seconds."""
    count, rng = 12 * rate, np.random.default_rng(rate + channels)
    hertz = np.fft.rfftfreq(count, 1 / rate)[:, None]
    spectrum = np.fft.rfft(rng.normal(size=(count, channels)), axis=0) / np.sqrt(np.maximum(hertz, 20))
    noise = np.fft.irfft(spectrum * (hertz < 0.4 * rate), count, axis=0)
    levels = 10 ** (rng.uniform(-24, 0, 6) / 20)
    return noise / np.abs(noise).max() * np.repeat(levels, 2 * rate)[:, None]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 4), (48_000, 6)])
def test_ffmpeg_gives_the_same(rate: int, channels: int, tmp_path: Path) -> None:
    """It resamples 8 kHz to 48 kHz first: its own filter for 8 kHz is 0.3 LU off what it gives then."""
    sound = _noise(rate, channels)
    soundfile.write(tmp_path / "noise.wav", sound, rate, subtype="FLOAT", format="WAVEX")
    filters = "aresample=48000,ebur128=peak=true" if rate < 20_000 else "ebur128=peak=true"
    command = ["ffmpeg", "-hide_banner", "-nostats", "-i", "noise.wav", "-af", filters, "-f", "null", "-"]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stderr
    summary = output[output.rindex("Summary") :]
    integrated, span, peak = (float(value) for value in re.findall(r"^ +(?:I|LRA|Peak): +(\S+)", summary, re.MULTILINE))
    momentary, short_term = (max(map(float, re.findall(rf" {name}: *(\S+)", output))) for name in "MS")
    loudness = _loudness(sound, rate)
    assert loudness.integrated_lufs == pytest.approx(integrated, abs=0.1)
    assert loudness.momentary_max_lufs == pytest.approx(momentary, abs=0.2)
    assert loudness.short_term_max_lufs == pytest.approx(short_term, abs=0.1)
    assert loudness.range_lu == pytest.approx(span, abs=0.5)
    assert loudness.true_peak_dbtp == pytest.approx(peak, abs=0.2)
