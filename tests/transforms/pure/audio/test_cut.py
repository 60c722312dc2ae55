"""Sound files that are shorter or longer than their headers state: read to the end, marked, equal at every reading."""

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from transforms.pure.audio.decode import MOST_MISSING, opened, quiet
from transforms.pure.audio.header import read_header

RATE = 22_050
FORMATS = ("MP3", "FLAC", "OGG", "WAV", "AIFF")


@pytest.fixture(autouse=True)
def _quiet_decoders() -> Iterator[None]:
    with quiet():
        yield


def _content(file_format: str, seconds: float = 6.0, **options: object) -> bytes:
    rng = np.random.default_rng(1)
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * rng.normal(size=int(seconds * RATE)), RATE, format=file_format, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def _read(source: bytes | Path) -> tuple[np.ndarray, float | None, str]:
    """The samples, the missing share, and what is missing; memory is filled with other numbers first."""
    scratch = [np.full(1 << 19, 7.0, np.float32) for _ in range(3)]
    del scratch
    with opened(source) as sound:
        samples = np.concatenate([np.empty((0, sound.channels), np.float32), *sound.blocks()])
        return samples, sound.missing_share, sound.cut


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_that_is_cut_short_is_the_beginning_of_the_whole_and_marked(file_format: str, tmp_path: Path) -> None:
    content = _content(file_format)
    whole, *rest = _read(content)
    assert (len(whole), *rest) == (6 * RATE, 0.0, "")
    for share in (0.9, 0.7):
        path = tmp_path / f"{share}.{file_format.lower()}"
        path.write_bytes(content[: int(share * len(content))])
        answers = [_read(path), _read(path.read_bytes()), _read(path)]
        samples, missing_share, cut = answers[0]
        assert len({(one.tobytes(), *rest) for one, *rest in answers}) == 1
        assert len(samples) == pytest.approx(share * len(whole), rel=0.2)
        settled = slice(0, len(samples) - 2_304)  # the last frames of mp3 and ogg overlap with what is missing
        np.testing.assert_allclose(samples[settled], whole[settled], atol=1e-5)
        assert cut.startswith("cut short")
        if file_format == "OGG":
            assert missing_share is None
        else:
            assert missing_share == pytest.approx(1 - len(samples) / len(whole), abs=1e-3)


@pytest.mark.parametrize("file_format", [name for name in FORMATS if name != "OGG"])
def test_of_less_than_half_a_sound_nothing_is_said(file_format: str) -> None:
    content = _content(file_format)
    with pytest.raises(InputError, match=r"cut short: \d\d") as error:
        _read(content[: int(0.8 * (1 - MOST_MISSING) * len(content))])
    assert "seconds are there" in error.value.found


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
@pytest.mark.parametrize("is_quiet_first", [True, False])
def test_an_mp3_without_a_table_of_contents_is_read_to_its_end(mode: str, is_quiet_first: bool) -> None:
    """mpg123 guesses its length by the first frame, too long or too short."""
    samples = np.concatenate([np.zeros(3 * RATE), 0.3 * np.random.default_rng(0).normal(size=3 * RATE)])
    buffer = io.BytesIO()
    options = {"bitrate_mode": mode, "compression_level": 0.5}
    soundfile.write(buffer, samples if is_quiet_first else samples[::-1], RATE, format="MP3", **options)  # type: ignore[arg-type]
    content = buffer.getvalue()
    second = content.find(content[:2], 100)
    read, missing_share, cut = _read(content[second:])
    assert len(read) / RATE == pytest.approx(6, abs=0.1)
    assert (missing_share, cut) == (None, "")


def test_what_a_header_leaves_out_is_read() -> None:
    mp3, flac, wav = (_content(name) for name in ("MP3", "FLAC", "WAV"))
    whole = 6 * RATE
    table = max(mp3.find(b"Xing"), mp3.find(b"Info"))
    few_frames = mp3[: table + 8] + struct.pack(">I", 20) + mp3[table + 12 :]
    assert len(_read(few_frames)[0]) == whole
    assert len(_read(mp3 + mp3)[0]) == 2 * whole
    assert len(_read(mp3 + b"APETAGEX" + bytes(9_000))[0]) == whole
    for total in (0, 1_000):
        short = flac[:21] + bytes([flac[21] & 0xF0]) + struct.pack(">I", total) + flac[26:]
        assert len(_read(short)[0]) == whole
    size = wav.find(b"data") + 4
    for stated in (0, 0x7FFFFFFF, 0xFFFFFFFF):  # a recorder that was stopped, and pipes
        samples, _, cut = _read(wav[:size] + struct.pack("<I", stated) + wav[size + 4 :])
        assert (len(samples), cut) == (whole, "")


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_stated_size_of_a_wav_is_that_of_its_chunk(order: str) -> None:
    prefix = b"RIFF" if order == "little" else b"RIFX"
    chunks = b"LIST" + (3).to_bytes(4, order) + b"abc\0" + b"data" + (1_000).to_bytes(4, order)  # type: ignore[arg-type]
    content = prefix + bytes(4) + b"WAVE" + chunks + bytes(250)
    assert read_header(io.BytesIO(content), len(content)).present == 0.25


def test_bytes_before_the_first_frame_of_an_mp3_are_no_matter(tmp_path: Path) -> None:
    (tmp_path / "junk.mp3").write_bytes(b"no frame" * 9 + _content("MP3"))
    samples, *_ = _read(tmp_path / "junk.mp3")
    assert len(samples) == 6 * RATE
    np.testing.assert_array_equal(samples, _read((tmp_path / "junk.mp3").read_bytes())[0])


def test_a_decoder_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    content = _content("MP3")
    with quiet():
        _read(content[: len(content) * 3 // 4])
        os.write(2, b"Warning: Xing stream size off")
    assert capfd.readouterr().err == ""
    os.write(2, b"as before")
    assert capfd.readouterr().err == "as before"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_or_the_same_sound_at_every_reading(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bytes flipped, cut, doubled or exchanged; read as a file and as bytes, in different order."""
    content = bytearray(_content(data.draw(st.sampled_from(FORMATS)), 0.5))
    for _ in range(data.draw(st.integers(1, 3))):
        first, second = sorted(data.draw(st.integers(0, len(content) - 1)) for _ in range(2))
        match data.draw(st.sampled_from(["flip", "cut", "remove", "double", "exchange"])):
            case "flip":
                content[first] ^= data.draw(st.integers(1, 255))
            case "cut":
                del content[max(second, 1) :]
            case "remove":
                del content[first : min(second, first + 400)]
            case "double":
                content[second:second] = content[first : min(second, first + 400)]
            case "exchange":
                content[first], content[second] = content[second], content[first]
        content = content or bytearray(b"\0")
    path = tmp_path_factory.mktemp("damaged") / "x.mp3"
    path.write_bytes(content)
    answers = set()
    for source in (path, bytes(content), path):
        try:
            samples, missing_share, cut = _read(source)
            assert missing_share is None or 0 <= missing_share <= max(MOST_MISSING, float(not len(samples)))
            answers.add((samples.tobytes(), missing_share, cut))
        except InputError as error:
            answers.add(error.found)
    assert len(answers) == 1
