"""Frame by frame, what librosa finds: an independent implementation of the same papers."""

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


@pytest.fixture(scope="module")
def librosa() -> Iterator[Librosa]:
    with librosa_process() as asked:
        yield asked


def _sounds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    times = np.arange(3 * stft.RATE) / stft.RATE
    chord = sum(
        np.sin(2 * np.pi * 440 * 2 ** (tone / 12) * times) / (place + 2) for place, tone in enumerate((0, 4, 7))
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
    """Samples, our power spectra of every second frame, and librosa's."""
    samples = SOUNDS[request.param]
    ours = stft.spectra(samples)
    return samples, ours, (np.abs(librosa("stft", samples)) ** 2).T


def test_spectra(sound: tuple) -> None:
    _, ours, theirs = sound
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * theirs.max(), rtol=1e-4)
    assert ours.dtype == np.float32


def test_mel_and_cepstrum(sound: tuple, librosa: Librosa) -> None:
    _, ours, theirs = sound
    bands = librosa("feature.melspectrogram", S=theirs.T, sr=stft.RATE)
    np.testing.assert_allclose(ours @ mel.bank(), bands.T, atol=1e-6 * bands.max(), rtol=1e-3)
    expected = librosa("feature.mfcc", S=librosa("power_to_db", bands, top_db=None)).T
    found = mel.cepstrum(mel.decibels(theirs @ mel.bank()))
    np.testing.assert_allclose(found, expected, atol=0.01)
    for order in (1, 2):
        slopes = librosa("feature.delta", expected.T, order=order).T
        np.testing.assert_allclose(mel.deltas(expected, order), slopes, atol=1e-3)
    np.testing.assert_allclose(mel.to_hertz(mel.to_mel(np.array([60.0, 999.0, 1_001.0, 9e3]))), [60, 999, 1_001, 9e3])


def test_pitch_classes(sound: tuple, librosa: Librosa) -> None:
    _, _, theirs = sound
    for tuned in (0.0, -0.31, 0.25):
        expected = librosa("feature.chroma_stft", S=theirs.T, sr=stft.RATE, tuning=tuned).T
        np.testing.assert_allclose(chroma.of_power(theirs, tuned), expected, atol=1e-4)
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
    samples, _, theirs = sound
    magnitude, found = np.sqrt(theirs).T, shape.of_power(theirs)
    np.testing.assert_allclose(found[:, 0], librosa("feature.spectral_centroid", S=magnitude)[0], rtol=1e-4)
    np.testing.assert_allclose(found[:, 1], librosa("feature.spectral_bandwidth", S=magnitude)[0], rtol=1e-3, atol=0.1)
    rolled = librosa("feature.spectral_rolloff", S=magnitude)[0]
    assert (np.abs(found[:, 2] - rolled) <= stft.RATE / stft.WINDOW + 1e-3).all()  # a tie is rounded either way
    assert (np.abs(found[:, 2] - rolled) < 1e-3).mean() > 0.99
    np.testing.assert_allclose(found[:, 3], librosa("feature.spectral_flatness", S=magnitude)[0], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[:, 4:], librosa.contrast(magnitude).T, atol=1e-3)
    around, frames = stft.padded(samples), len(theirs)
    np.testing.assert_allclose(shape.levels(around, frames), librosa("feature.rms", y=samples)[0], rtol=1e-4, atol=1e-7)
    crossings = librosa("feature.zero_crossing_rate", samples)[0]
    inner = slice(2, -2)  # at the ends librosa repeats a sample, and ours are zeros
    np.testing.assert_allclose(shape.crossings(around, frames)[inner], crossings[inner], atol=1e-6)


def test_real_recordings_agree_as_well(real_data: Path, librosa: Librosa) -> None:
    from transforms.pure.audio.decode import mono

    for file in sorted((real_data / "librosa-example-audio" / "audio").glob("*.ogg"))[:6:2]:
        samples = np.concatenate(list(mono(file, stft.RATE)))[: 10 * stft.RATE]
        ours = stft.spectra(samples)
        power = np.abs(librosa("stft", samples)) ** 2
        expected = librosa(
            "feature.mfcc", S=librosa("power_to_db", librosa("feature.melspectrogram", S=power), top_db=None)
        ).T
        # FFTs in single precision differ by a few hundredths of a decibel where a band is 80 dB below the loudest
        found = mel.cepstrum(mel.decibels(ours @ mel.bank()))
        assert np.abs(found - expected).max() < 0.5
        assert np.abs(found - expected).mean() < 1e-3
