"""Quality measures of audio masters: against tones with known values, and for files that are not audio."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS
from transforms.pure.audio.clipping import Clipping
from transforms.pure.audio.decode import mono
from transforms.pure.audio.listen import listen
from transforms.pure.audio.quality import Meter, measure
from transforms.raw.ingest import ingest
from transforms.raw.read import scan

RATE = 48_000


def tone(level: float = 1.0, seconds: float = 3.0, frequency: float = 997.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)[:, None]


def test_a_full_scale_tone_has_the_loudness_of_the_standard() -> None:
    """ITU-R BS.1770: a 997 Hz sine at 0 dB full scale in one channel reads -3.01 LKFS."""
    measures = measure(tone(), RATE)
    assert measures["loudness"] == pytest.approx(-3.01, abs=0.05)
    assert measures["peak"] == pytest.approx(0.0, abs=0.01)
    assert measures["crest"] == pytest.approx(3.01, abs=0.01)
    assert measures["dc_offset"] == pytest.approx(0.0, abs=1e-3)
    assert measures["seconds"] == 3.0
    assert measure(tone(0.1), RATE)["loudness"] == pytest.approx(-23.01, abs=0.05)


def test_clipping_is_counted_and_a_loud_tone_is_not_clipped() -> None:
    clipped = np.clip(tone(2.0), -1, 1)
    share = (np.abs(clipped) == 1).mean()
    assert measure(clipped, RATE)["clipped_share"] == pytest.approx(share, abs=0.01)
    assert measure(0.3 * clipped, RATE)["clipped_share"] == pytest.approx(share, abs=0.01)  # attenuated after clipping
    assert measure(tone(0.99, frequency=440.3), RATE)["clipped_share"] < 0.01


def test_silence_offset_noise_and_bandwidth() -> None:
    rng = np.random.default_rng(0)
    tone_after_silence = np.concatenate([np.zeros((RATE, 1)), tone(0.5, 2.0)])
    measures = measure(tone_after_silence + 0.1, RATE)
    assert measures["dc_offset"] == pytest.approx(0.1, abs=0.005)
    measures = measure(tone_after_silence, RATE)
    assert measures["silent_share"] == pytest.approx(1 / 3, abs=0.02)
    assert measures["longest_silence"] == pytest.approx(1.0, abs=0.05)
    noise_measures = measure(rng.normal(0, 0.01, (RATE * 2, 1)), RATE)
    assert noise_measures["noise_floor"] == pytest.approx(-40, abs=1)
    assert noise_measures["bandwidth"] == pytest.approx(1.0, abs=0.01)
    assert measure(tone(), RATE)["bandwidth"] < 0.1


def test_stereo() -> None:
    mono = tone()
    identical = measure(np.hstack([mono, mono]), RATE)
    assert (identical["correlation"], identical["balance"]) == (pytest.approx(1.0), pytest.approx(0.0))
    assert measure(np.hstack([mono, -mono]), RATE)["correlation"] == pytest.approx(-1.0)
    assert measure(np.hstack([mono, 0.5 * mono]), RATE)["balance"] == pytest.approx(6.02, abs=0.01)
    one_sided = measure(np.hstack([mono, 0 * mono]), RATE)
    assert one_sided["correlation"] is None
    assert one_sided["balance"] > 100


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((1, 1)),
        np.zeros((RATE, 2)),
        np.full((100, 1), np.nan),
        np.full((RATE, 1), np.inf),
        np.ones((3, 32)),
        np.random.default_rng(0).normal(size=(RATE, 32)),
    ],
)
def test_whatever_comes_is_measured(samples: np.ndarray) -> None:
    measures = measure(samples, RATE)
    assert all(value is None or np.isfinite(value) for value in measures.values()), measures


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (12_345, 2), (44_100, 5), (4_000, 6)])
def test_measures_do_not_depend_on_the_blocks(rate: int, channels: int) -> None:
    rng = np.random.default_rng(1)
    for seconds in (0.001, 0.43, 2.34567):
        count = max(int(seconds * rate), 1)
        for sound in (rng.normal(0, 0.3, (count, channels)), np.clip(rng.normal(0, 0.3, (count, channels)), -0.2, 0.3)):
            meter, start = Meter(rate, channels), 0
            while start < count:
                stop = start + int(rng.integers(1, max(count // 3, 2)))
                meter.add(sound[start:stop])
                start = stop
            measures, expected = meter.result(), measure(sound, rate)
            for name, value in expected.items():
                assert measures[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)), name


def test_clipping_across_blocks() -> None:
    """Runs over a border, of one sample a block, and at a peak that a later block exceeds."""
    pattern = np.array([0, 1, 1, 1, 1, 0, -1, -1, -1, 0, 1, 1, 0, 0.5])

    def add(clipping: Clipping, samples: np.ndarray) -> None:
        clipping.add(samples[None], np.array([samples.max()]), np.array([samples.min()]))

    for step in (1, 2, 3, 5, 14):
        clipping = Clipping(1)
        for start in range(0, len(pattern), step):
            add(clipping, pattern[start : start + step])
        assert clipping.count == 7, step
    add(clipping, np.array([1.1, 1.1]))
    assert clipping.count == 3


def test_a_folder_is_measured_and_what_is_no_sound_is_quarantined(home: Home, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "good.wav", tone(0.5), RATE)
    soundfile.write(tmp_path / "fine.flac", np.hstack([tone(0.5), tone(0.2)]), RATE)
    wav_bytes = (tmp_path / "good.wav").read_bytes()
    (tmp_path / "cut.flac").write_bytes((tmp_path / "fine.flac").read_bytes()[:60])
    (tmp_path / "text.mp3").write_text("not a song")
    (tmp_path / "empty.ogg").write_bytes(b"")
    (tmp_path / "head.wav").write_bytes(wav_bytes[:44])
    report = ingest(home, "audio", FORMATS["audio"].read(tmp_path))
    counts = report.tables["audio_measurements"]
    assert (counts.added, counts.quarantined) == (2, 4)
    rows = scan(home, "audio_measurements").collect().sort("track_id")
    assert rows["track_id"].to_list() == ["fine", "good"]
    assert rows["channels"].to_list() == [2, 1]
    assert ingest(home, "audio", FORMATS["audio"].read(tmp_path)).tables["audio_measurements"].added == 0


def test_no_sound_at_all_is_an_error(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        ingest(home, "audio", FORMATS["audio"].read(tmp_path))
    with pytest.raises(InputError):
        list(mono(tmp_path / "nothing.wav", RATE))


def test_real_recordings_are_measured_alike_in_both_qualities(real_data: Path) -> None:
    folder = real_data / "librosa-example-audio" / "audio"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    pairs = [(path, path.with_name(path.name.replace(".hq.", "."))) for path in sorted(folder.glob("*.hq.ogg"))[:4]]
    for better, plain in pairs:
        better_measures, plain_measures = (listen(path).measures for path in (better, plain))
        assert better_measures["loudness"] is not None
        assert plain_measures["loudness"] is not None
        # one file is stereo, the other its mono mix
        assert better_measures["loudness"] == pytest.approx(plain_measures["loudness"], abs=5.0)
        assert -60 < better_measures["loudness"] < 0
