"""Fingerprints against FFmpeg's Chromaprint, across encodings, and as text."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from feature_repo.errors import InputError
from tests.transforms.pure.audio.structure.sounds import passage
from transforms.pure.audio.decode import mono
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.structure.fingerprint import ITEM_SECONDS, WIDTH, Fingerprinter
from transforms.pure.audio.structure.fingerprint_distance import SAME_RECORDING, likeness
from transforms.pure.audio.structure.fingerprint_text import from_text, to_text


def _song(seed: int, seconds: int = 24) -> np.ndarray:
    rng = np.random.default_rng(seed)
    chords = [tuple((rng.integers(0, 12) + np.array([0, 4, 7])).tolist()) for _ in range(seconds // 2)]
    sound = passage(chords, 2.0, int(rng.integers(2, 9)))
    noise = rng.normal(size=len(sound)) * np.exp(-20 * (np.arange(len(sound)) / RATE % rng.choice([0.25, 0.5])))
    return (sound + 0.05 * noise).astype(np.float32)


def _fingerprint(sound: np.ndarray, step: int = 1 << 30) -> np.ndarray:
    fingerprinter = Fingerprinter()
    for start in range(0, len(sound), step):
        fingerprinter.add(sound[start : start + step])
    return fingerprinter.result()


def _chromaprint(path: Path, form: str) -> bytes:
    """Returns FFmpeg's fingerprint of a file."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("no ffmpeg")
    muxers = subprocess.run([program, "-hide_banner", "-muxers"], check=True, capture_output=True, text=True).stdout
    if "chromaprint" not in muxers:
        pytest.skip("this ffmpeg has no chromaprint")
    call = [program, "-v", "error", "-i", str(path), "-f", "chromaprint", "-fp_format", form, "-"]
    return subprocess.run(call, check=True, capture_output=True).stdout


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (44_100, 2), (8_000, 1)])
def test_the_bits_are_those_of_chromaprint(rate: int, channels: int, tmp_path: Path) -> None:
    sound = _song(1)
    samples = np.interp(np.arange(0, len(sound), RATE / rate), np.arange(len(sound)), sound)
    soundfile.write(tmp_path / "song.wav", np.column_stack([samples] * channels), rate)
    reference = np.frombuffer(_chromaprint(tmp_path / "song.wav", "raw"), np.uint32)
    own = _fingerprint(np.concatenate(list(mono(tmp_path / "song.wav", RATE))))
    assert abs(len(reference) - len(own)) <= 1
    count = min(len(reference), len(own))
    assert np.bitwise_count(reference[:count] ^ own[:count]).mean() / 32 < 0.01
    assert to_text(reference) == _chromaprint(tmp_path / "song.wav", "base64").decode().strip()


@pytest.mark.parametrize(("form", "subtype"), [("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("FLAC", "PCM_16")])
def test_an_encoding_is_the_same_recording(form: str, subtype: str) -> None:
    song = _song(2)
    file = io.BytesIO()
    soundfile.write(file, song[3 * RATE :] / 2, RATE, format=form, subtype=subtype)  # cut, and quieter, too
    result = likeness(_fingerprint(song), _fingerprint(np.concatenate(list(mono(file.getvalue(), RATE)))))
    assert result.is_same_recording
    assert result.error < 0.12
    assert result.offset_seconds == pytest.approx(3, abs=0.2)


def test_other_songs_are_others() -> None:
    prints = [_fingerprint(_song(seed)) for seed in range(4)]
    errors = [likeness(prints[one], prints[two]).error for one in range(4) for two in range(one)]
    assert min(errors) > SAME_RECORDING + 0.05


def test_blocks_do_not_matter_and_two_minutes_count() -> None:
    sound = np.tile(_song(3), 6)
    whole = _fingerprint(sound)
    np.testing.assert_array_equal(whole, _fingerprint(sound, 1_009))
    np.testing.assert_array_equal(whole, _fingerprint(sound[: 120 * RATE]))
    assert len(whole) == int((120 * RATE - 8_192) / 2_730) - WIDTH + 2


@pytest.mark.parametrize("seconds", [0, 1, 2.7])
def test_short_sounds_have_none(seconds: float) -> None:
    assert not len(_fingerprint(np.ones(int(seconds * RATE), np.float32)))
    assert to_text(np.empty(0, np.uint32)) == ""
    assert likeness(np.empty(0, np.uint32), np.ones(9, np.uint32)).error == 1.0


@given(arrays.arrays(np.uint32, st.integers(0, 40)))
def test_text_and_back(fingerprint: np.ndarray) -> None:
    np.testing.assert_array_equal(from_text(to_text(fingerprint)), fingerprint)


@settings(max_examples=50)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda content: content.hex()))
def test_any_other_text_is_an_error(text: str) -> None:
    try:
        fingerprint = from_text(text)
    except InputError:
        return
    assert fingerprint.dtype == np.uint32


@pytest.mark.parametrize("text", ["AQAAAkE", "AgAAAoEA", "AQAA", "no", "AQAAAP__", "AQAAAf___w"])
def test_damaged_texts(text: str) -> None:
    with pytest.raises(InputError, match="fingerprint"):
        from_text(text)


@settings(max_examples=30)
@given(st.integers(90, 200), st.integers(90, 200), st.integers(-20, 20), st.integers(0, 1_000))
def test_the_best_offset_is_found(first: int, second: int, offset: int, seed: int) -> None:
    stream = np.random.default_rng(seed).integers(0, 1 << 32, 300, np.uint32)
    start = max(-offset, 0)
    one, two = stream[start : start + first], stream[start + offset : start + offset + second]
    result = likeness(one, two)
    assert result.error == 0.0
    assert result.offset_seconds == pytest.approx(offset * ITEM_SECONDS)
