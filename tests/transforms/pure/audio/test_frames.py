"""Features of each frame equal librosa's, an independent implementation of the same papers."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracles.librosa_process import Librosa, librosa_process
from transforms.pure.audio import chroma, mel, shape, stft

if find_spec("librosa") is None:
    pytest.skip("no librosa", allow_module_level=True)


pytestmark = pytest.mark.soak  # librosa compiles itself for twenty seconds


@pytest.fixture(scope="module")
def librosa() -> Iterator[Librosa]:
    with librosa_process() as process:
        yield process


def _sounds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    times = np.arange(3 * stft.RATE) / stft.RATE
    chord = sum(
        np.sin(2 * np.pi * 440 * 2 ** (tone / 12) * times) / (number + 2) for number, tone in enumerate((0, 4, 7))
    )
    drums = rng.normal(size=len(times)) * np.exp(-30 * (times % 0.5))
    return {
        "chord": chord.astype(np.float32),
        "noise": rng.normal(0, 0.1, len(times)).astype(np.float32),
        "drums": drums.astype(np.float32),
        "quiet": (1e-4 * chord).astype(np.float32),
    }


SOUNDS = _sounds()


@pytest.fixture(params=sorted(SOUNDS))
def sound(request: Any, librosa: Librosa) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, Refrain's power spectra, and librosa's power spectra."""
    samples = SOUNDS[request.param]
    power_spectra = stft.spectra(samples)
    return samples, power_spectra, (np.abs(librosa("stft", samples)) ** 2).T


def test_spectra(sound: tuple) -> None:
    _, power_spectra, librosa_spectra = sound
    np.testing.assert_allclose(power_spectra, librosa_spectra, atol=1e-6 * librosa_spectra.max(), rtol=1e-4)
    assert power_spectra.dtype == np.float32


def test_mel_and_cepstrum(sound: tuple, librosa: Librosa) -> None:
    _, power_spectra, librosa_spectra = sound
    bands = librosa("feature.melspectrogram", S=librosa_spectra.T, sr=stft.RATE)
    np.testing.assert_allclose(power_spectra @ mel.bank(), bands.T, atol=1e-6 * bands.max(), rtol=1e-3)
    expected = librosa("feature.mfcc", S=librosa("power_to_db", bands, top_db=None)).T
    cepstrum = mel.cepstrum(mel.decibels(librosa_spectra @ mel.bank()))
    np.testing.assert_allclose(cepstrum, expected, atol=0.01)
    for order in (1, 2):
        slopes = librosa("feature.delta", expected.T, order=order).T
        np.testing.assert_allclose(mel.deltas(expected, order), slopes, atol=1e-3)
    np.testing.assert_allclose(mel.to_hertz(mel.to_mel(np.array([60.0, 999.0, 1_001.0, 9e3]))), [60, 999, 1_001, 9e3])


def test_pitch_classes(sound: tuple, librosa: Librosa) -> None:
    _, _, librosa_spectra = sound
    for tuning in (0.0, -0.31, 0.25):
        expected = librosa("feature.chroma_stft", S=librosa_spectra.T, sr=stft.RATE, tuning=tuning).T
        np.testing.assert_allclose(chroma.of_power(librosa_spectra, tuning), expected, atol=1e-4)
    np.testing.assert_allclose(
        chroma.tonnetz(expected), librosa("feature.tonnetz", chroma=expected.T, sr=stft.RATE).T, atol=1e-5
    )


@pytest.mark.parametrize("cents", [-45, -20, 0, 12, 40])
def test_tuning(cents: int, librosa: Librosa) -> None:
    times = np.arange(4 * stft.RATE) / stft.RATE
    samples = sum(np.sin(2 * np.pi * 440 * 2 ** ((tone + cents / 100) / 12) * times) for tone in (0, 4, 7, 12, -5))
    spectra = np.concatenate(list(stft.power(stft.padded(samples.astype(np.float32)), 300)))
    assert chroma.tuning(spectra) == pytest.approx(cents / 100, abs=0.02)
    assert chroma.tuning(spectra) == pytest.approx(
        librosa("estimate_tuning", S=np.sqrt(spectra.T), sr=stft.RATE), abs=0.011
    )


def test_shapes(sound: tuple, librosa: Librosa) -> None:
    samples, _, librosa_spectra = sound
    magnitude, shapes = np.sqrt(librosa_spectra).T, shape.of_power(librosa_spectra)
    np.testing.assert_allclose(shapes[:, 0], librosa("feature.spectral_centroid", S=magnitude)[0], rtol=1e-4)
    np.testing.assert_allclose(shapes[:, 1], librosa("feature.spectral_bandwidth", S=magnitude)[0], rtol=1e-3, atol=0.1)
    rolloff = librosa("feature.spectral_rolloff", S=magnitude)[0]
    assert (np.abs(shapes[:, 2] - rolloff) <= stft.RATE / stft.WINDOW + 1e-3).all()  # ties may round differently
    assert (np.abs(shapes[:, 2] - rolloff) < 1e-3).mean() > 0.99
    np.testing.assert_allclose(shapes[:, 3], librosa("feature.spectral_flatness", S=magnitude)[0], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(shapes[:, 4:], librosa.contrast(magnitude).T, atol=1e-3)
    padded_samples, frames = stft.padded(samples), len(librosa_spectra)
    np.testing.assert_allclose(
        shape.levels(padded_samples, frames), librosa("feature.rms", y=samples)[0], rtol=1e-4, atol=1e-7
    )
    crossings = librosa("feature.zero_crossing_rate", samples)[0]
    inner = slice(2, -2)  # at the ends librosa repeats the last sample, Refrain pads with zeros
    np.testing.assert_allclose(shape.crossings(padded_samples, frames)[inner], crossings[inner], atol=1e-6)


def test_real_recordings_agree_as_well(real_data: Path, librosa: Librosa) -> None:
    from transforms.pure.audio.decode import mono

    for file in sorted((real_data / "librosa-example-audio" / "audio").glob("*.ogg"))[:6:2]:
        samples = np.concatenate(list(mono(file, stft.RATE)))[: 10 * stft.RATE]
        power_spectra = stft.spectra(samples)
        power = np.abs(librosa("stft", samples)) ** 2
        expected = librosa(
            "feature.mfcc", S=librosa("power_to_db", librosa("feature.melspectrogram", S=power), top_db=None)
        ).T
        # single-precision FFTs differ by a few hundredths of a decibel in bands 80 dB below the loudest
        cepstrum = mel.cepstrum(mel.decibels(power_spectra @ mel.bank()))
        assert np.abs(cepstrum - expected).max() < 0.5
        assert np.abs(cepstrum - expected).mean() < 1e-3
