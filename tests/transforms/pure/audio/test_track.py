"""All features of a sound: independent of block sizes, and defined for silence and damaged files."""

import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS, TABLES
from transforms.pure.audio import stft, track
from transforms.pure.audio.decode import Resampler, mono
from transforms.pure.audio.described import described, timbre
from transforms.pure.audio.ffmpeg import HEAD, is_container
from transforms.raw.ingest import ingest
from transforms.raw.read import scan


def _sound(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    times = np.arange(int(seconds * stft.RATE)) / stft.RATE
    beat = rng.normal(size=len(times)) * np.exp(-20 * (times % 0.5))
    return (0.3 * beat + 0.2 * np.sin(2 * np.pi * 330 * times)).astype(np.float32)


def test_pieces_do_not_matter() -> None:
    samples = _sound(130)  # longer than two spans
    whole_track = track.analyze([samples])
    for length in (997, 100_000):
        block_track = track.analyze(samples[start : start + length] for start in range(0, len(samples), length))
        np.testing.assert_array_equal(whole_track.mean, block_track.mean)
        np.testing.assert_array_equal(whole_track.beats.times, block_track.beats.times)


def test_spans_are_seamless() -> None:
    """The frames of a sound of several spans equal those of one STFT over the whole sound."""
    samples = _sound(130)
    spectra = stft.spectra(samples)
    analysis = track.analyze([samples])
    np.testing.assert_allclose(analysis["centroid"], track.shape.of_power(spectra)[:, 0].mean(), rtol=1e-5)
    np.testing.assert_allclose(analysis.spectrum, spectra.mean(axis=0), rtol=1e-4)
    assert np.diff(analysis.beats.times) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("samples", [0, 1, 2, 100, 2_048, 5_000])
def test_short_sounds_and_silence(samples: int) -> None:
    for sound in (np.zeros(samples, np.float32), np.full(samples, 0.5, np.float32)):
        description = described(track.analyze([sound]))
        assert description["tempo"] is None
        assert len(description["timbre"]) == 94
        assert np.isfinite(description["timbre"]).all()
        assert all(
            value is None or isinstance(value, str | list) or np.isfinite(value) for value in description.values()
        )
    assert timbre(track.analyze([_sound(3)])).std() > 0


def test_a_file_of_any_rate_is_the_same_sound(tmp_path: Path) -> None:
    times = np.arange(5 * 48_000) / 48_000
    stereo = np.column_stack([np.sin(2 * np.pi * 440 * times), np.zeros(len(times))])
    soundfile.write(tmp_path / "a.wav", stereo, 48_000)
    samples = np.concatenate(list(mono(tmp_path / "a.wav", stft.RATE)))
    assert len(samples) == pytest.approx(5 * stft.RATE, abs=2)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / stft.RATE)
    assert np.abs(samples - expected)[1_000:-1_000].max() < 1e-3


def test_what_is_no_sound_is_told(tmp_path: Path) -> None:
    absurd_file = tmp_path / "absurd.wav"
    with wave.open(str(absurd_file), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(3)
        file.writeframes(bytes(200))
    (tmp_path / "text.mp3").write_text("no sound at all\n" * 50)
    (tmp_path / "empty.wav").write_bytes(b"")
    for name in ("absurd.wav", "text.mp3", "empty.wav", "absent.wav"):
        with pytest.raises(InputError, match=name):
            list(mono(tmp_path / name, stft.RATE))
    damaged = np.full((stft.RATE, 32), np.nan, np.float32)
    damaged[::2] = np.inf
    soundfile.write(tmp_path / "nan.wav", damaged, stft.RATE, subtype="FLOAT")
    description = described(track.analyze(mono(tmp_path / "nan.wav", stft.RATE)))
    assert np.isfinite(description["level"])


@pytest.mark.parametrize(
    ("left", "right"), [(0x7F800001, 0), (0x7F800000, 0xFF800000), (0x7F7FFFFF, 0x7F7FFFFF)], ids=["nan", "inf", "max"]
)
def test_samples_that_cannot_be_added_are_sound(left: int, right: int) -> None:
    """A signalling NaN, two infinities of opposite sign, and two numbers whose sum overflows."""
    block = np.tile(np.array([left, right], np.uint32), (8, 1)).view(np.float32)
    assert np.isfinite(Resampler(stft.RATE, stft.RATE).add(block)).all()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400), st.sampled_from(["FLAC", "OGG", "WAV", "MP3"]))
def test_damaged_files_are_sound_or_told(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, offset: int, file_format: str
) -> None:
    """Every file is decoded, refused with an InputError, or looks like one for PyAV, whatever its bytes."""
    path = tmp_path_factory.mktemp("fuzz") / f"x.{file_format.lower()}"
    soundfile.write(path, _sound(0.3), stft.RATE, format=file_format)
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(noise)] = noise
    path.write_bytes(bytes(raw[: max(len(raw) - offset, 1)]))
    try:
        samples = np.concatenate([np.empty(0, np.float32), *mono(path, stft.RATE)])
    except InputError:
        return
    except ModuleNotFoundError:
        assert is_container(path.read_bytes()[:HEAD])
        return
    assert np.isfinite(samples).all()


def test_a_folder_becomes_rows_of_both_tables(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "masters"
    folder.mkdir()
    soundfile.write(folder / "t1.flac", _sound(8), stft.RATE)
    (folder / "t2.mp3").write_text("no sound")
    ingest(home, "audio", FORMATS["audio"].read(folder))
    rows = scan(home, "audio_analyses").collect()
    assert rows["track_id"].to_list() == ["t1"]
    assert rows["tempo"][0] == pytest.approx(120, abs=2)
    assert set(rows.columns) == set(TABLES["audio_analyses"].columns)
    assert scan(home, "audio_measurements").collect()["track_id"].to_list() == ["t1"]
