"""Octave levels, tilt and peaks of sounds with a known spectrum."""

import numpy as np
import pytest

from transforms.pure.audio import stft
from transforms.pure.audio.patch import FRAMES, patch
from transforms.pure.audio.spectrum import OCTAVES, QUIETEST, analysis, peaks, tonal_balance
from transforms.pure.audio.track import analyze


def _tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * stft.RATE)) / stft.RATE)).astype(np.float32)


def _noise(slope: float) -> np.ndarray:
    """Returns noise whose power changes by ``slope`` decibels per octave."""
    count = 30 * stft.RATE
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=count))
    hertz = np.fft.rfftfreq(count, 1 / stft.RATE)
    spectrum[1:] *= hertz[1:] ** (slope / 20 / np.log10(2))
    spectrum[0] = 0
    sound = np.fft.irfft(spectrum)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


@pytest.mark.parametrize("centre", OCTAVES[2:])
def test_a_tone_lies_in_its_octave(centre: float) -> None:
    spectrum = analysis(analyze([_tone(centre)]))
    assert spectrum.octaves[centre] == pytest.approx(0, abs=0.2)
    assert all(level < -25 for octave, level in spectrum.octaves.items() if abs(np.log2(octave / centre)) > 1.5)


@pytest.mark.parametrize(("slope", "tilt"), [(0.0, 3.0), (-3.0, 0.0), (-6.0, -3.0)])
def test_slope_of_noise(slope: float, tilt: float) -> None:
    """The octave levels of white noise rise by 3 dB per octave; those of pink noise are equal."""
    assert analysis(analyze([_noise(slope)])).tilt == pytest.approx(tilt, abs=0.5)


def test_peaks_are_told_by_pitch_and_loudness() -> None:
    sound = _tone(440.0) + 0.3 * _tone(1_318.5) + 0.001 * np.random.default_rng(0).normal(size=2 * stft.RATE)
    found_peaks = analysis(analyze([sound.astype(np.float32)])).peaks
    assert [peak.note for peak in found_peaks[:2]] == ["A4", "E6"]
    assert found_peaks[0].hertz == pytest.approx(440, abs=2)
    assert found_peaks[1].decibels == pytest.approx(20 * np.log10(0.3), abs=1)


def test_a_reference_tells_what_is_odd() -> None:
    sound = analyze([_noise(-3.0)])
    reference = tonal_balance(sound.spectrum)
    reference[6] -= 9
    spectrum = analysis(sound, [reference.tolist(), [2.0] * len(OCTAVES)])
    assert spectrum.odd == (2_000.0,)
    assert spectrum.deviations is not None
    assert spectrum.deviations[2_000.0] == pytest.approx(9)
    assert spectrum.deviations[125.0] == pytest.approx(0)


def test_silence_has_no_spectrum() -> None:
    for sound in (np.zeros(0, np.float32), np.zeros(5_000, np.float32)):
        spectrum = analysis(analyze([sound]))
        assert set(spectrum.octaves.values()) == {QUIETEST}
        assert spectrum.peaks == peaks(np.zeros(stft.BINS)) == ()


def test_a_patch_has_one_size_and_knows_no_level() -> None:
    for seconds in (0.0, 0.05, 3.0, 10.0, 25.0):
        sound = _noise(-3.0)[: int(seconds * stft.RATE)]
        sound_patch = patch(sound)
        assert sound_patch.shape == (128, FRAMES)
        assert sound_patch.min() >= -1
        assert sound_patch.max() <= 1
        np.testing.assert_allclose(sound_patch, patch(0.1 * sound), atol=2e-3)
    assert patch(_noise(-3.0)).max() == 1
    assert (patch(np.zeros(stft.RATE, np.float32)) == -1).all()
