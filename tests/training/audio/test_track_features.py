"""What is learned of Spotify's values: rows and kinds, sounds with and without a voice, the fits themselves."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.errors import InputError
from training.models.audio.track_features import clips as clip_module
from training.models.audio.track_features.clips import Clip, notes, over, recorded, speech
from training.models.audio.track_features.crowd import applause, before_an_audience
from training.models.audio.track_features.evaluation import folds, score
from training.models.audio.track_features.expectations import fit_expectation
from training.models.audio.track_features.fit import fit
from training.models.audio.track_features.genre_clips import GenreClips, read_genre_clips
from training.models.audio.track_features.softmax import fit_distance, fit_softmax
from training.models.audio.track_features.sounds import AUDIENCE, Sounds
from training.models.audio.track_features.spotify_rows import (
    VALUES,
    SpotifyRows,
    artist_kinds,
    of_frame,
    read_spotify_rows,
)
from training.models.audio.track_features.train import digest
from training.models.audio.track_features.values import heard_kinds
from transforms.pure.audio.described import described
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.pure.audio.vocabulary import inputs
from transforms.pure.audio.vocabulary.scores import probabilities, strangeness
from transforms.pure.audio.vocabulary.sound_kind import KINDS, SOUNDS
from transforms.pure.audio.vocabulary.track_features import SHARES, track_features
from transforms.raw.simulate.sound.song import compose


def _tags(folder: Path) -> Path:
    folder.mkdir()
    (folder / "artists.dat").write_text('1\tThe "Blues" Band\turl\tpicture\n2\tMixed\turl\tpicture\n3\tNobody\tu\tp\n')
    (folder / "tags.dat").write_text("tagID\ttagValue\n7\tblues\n8\thip-hop\n9\tseen live\n")
    header = "userID\tartistID\ttagID\tday\tmonth\tyear\n"
    pairs = [(1, 7), (2, 7), (2, 8), (2, 8), (2, 8), (3, 9)]
    lines = [f"{user}\t{artist}\t{tag}\t1\t1\t2009" for user, (artist, tag) in enumerate(pairs)]
    (folder / "user_taggedartists.dat").write_text(header + "\n".join(lines) + "\n")
    return folder


def test_kinds_of_artists_are_shares_of_their_tags(tmp_path: Path) -> None:
    kinds = artist_kinds(_tags(tmp_path / "tags"))
    assert set(kinds) == {'the "blues" band', "mixed"}
    assert kinds["mixed"][[KINDS.index("blues"), KINDS.index("hiphop")]].tolist() == [0.25, 0.75]


def test_rows_are_read_once_with_the_kind_of_the_first_artist(tmp_path: Path) -> None:
    columns = {name: [0.1, 0.2, 0.3] for name in VALUES}
    frame = pl.DataFrame(
        {
            "uri": ["a", "b", "a"],
            "artist": ["Mixed Featuring Somebody", "Nobody & Co", "Mixed"],
            "loudness": [-7.0, -20.0, -7.0],
            "tempo": [0.0, 120.0, 0.0],
            "mode": [1, 0, 1],
            "time_signature": [4, 3, 4],
            **columns,
        }
    )
    rows_folder = tmp_path / "rows"
    rows_folder.mkdir()
    frame[:2].write_csv(rows_folder / "dataset-of-60s.csv")
    frame[2:].write_csv(rows_folder / "dataset-of-70s.csv")
    rows = read_spotify_rows(rows_folder, _tags(tmp_path / "tags"))
    assert rows.artists.tolist() == ["mixed", "nobody"]
    assert rows.has_kind.tolist() == [True, False]
    np.testing.assert_array_equal(rows.cues[1], inputs.cues(-20.0, 120.0, 0, 3))
    np.testing.assert_array_equal(rows.cues[0], inputs.cues(-7.0, None, 1, 4))
    without_mode = of_frame(frame.drop("mode"), {})
    assert without_mode.cues[0, -3] == 0.7
    with pytest.raises(InputError, match="dataset-of-60s"):
        read_spotify_rows(tmp_path / "nothing", tmp_path / "tags")


def test_inputs_are_those_of_the_published_table() -> None:
    """``inputs.music`` of a sound is what librosa's table of it would give."""
    librosa = pytest.importorskip("librosa")
    mono = compose("rock", 4.0, 2, np.random.default_rng(2)).samples.mean(axis=1)
    mono = (mono + np.random.default_rng(0).normal(0, 1e-3, len(mono))).astype(np.float32)
    options = {"y": mono, "sr": RATE, "pad_mode": "constant"}
    cepstrum = librosa.feature.mfcc(y=mono, sr=RATE, n_mfcc=20, pad_mode="constant")
    shape = [
        librosa.feature.spectral_centroid(**options).mean(),
        librosa.feature.spectral_bandwidth(**options).mean(),
        librosa.feature.spectral_rolloff(**options).mean(),
        librosa.feature.zero_crossing_rate(mono).mean(),
    ]
    chroma = librosa.feature.chroma_stft(y=mono, sr=RATE, pad_mode="constant").mean()
    expected = [*cepstrum.mean(axis=1)[1:], *np.log(cepstrum.std(axis=1)), *np.log(shape), chroma]
    np.testing.assert_allclose(inputs.music(described(analyze([mono]))), expected, rtol=0.02, atol=0.1)


def test_an_expectation_finds_what_made_the_values() -> None:
    rng = np.random.default_rng(0)
    kinds, cues = rng.dirichlet(np.ones(3), 6_000), rng.normal(size=(6_000, inputs.CUES))
    offsets, slopes = np.array([0.2, 0.5, 0.9]), np.zeros((3, inputs.CUES))
    slopes[:, 0], slopes[:, 7] = 0.3, [-0.2, 0.0, 0.4]
    values = (kinds * (offsets + cues @ slopes.T)).sum(axis=1) + rng.normal(0, 0.05, 6_000)
    fitted = fit_expectation(kinds, cues, values)
    np.testing.assert_allclose(fitted.coefficients[:, 0], offsets, atol=0.02)
    np.testing.assert_allclose(fitted.coefficients[:, 1:], slopes, atol=0.03)
    np.testing.assert_allclose(fitted.spread, 0.05, atol=0.01)


def test_classes_are_told_apart_and_priors_count() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(-1, 1, (300, 2)), rng.normal(1, 1, (100, 2))])
    classes = np.repeat([0, 1], [300, 100])
    even = fit_softmax(rows, classes, 2, "m", strength=1.0)
    answers = probabilities(rows, "m", even)
    assert (answers.argmax(axis=1) == classes).mean() > 0.88
    assert probabilities(np.zeros(2), "m", even)[0] == pytest.approx(0.5, abs=0.07)
    rare = fit_softmax(rows, classes, 2, "m", strength=1.0, priors=(0.9, 0.1))
    ratio = probabilities(np.zeros(2), "m", rare) / probabilities(np.zeros(2), "m", even)
    assert ratio[0] / ratio[1] == pytest.approx(9)
    distance = fit_distance(rows, "m")
    assert strangeness(np.zeros(2), "m", distance) < 1 < strangeness(np.full(2, 9.0), "m", distance)
    assert np.mean([strangeness(row, "m", distance) > 1 for row in rows]) == pytest.approx(0.02, abs=0.005)


def test_what_a_kind_would_be_taken_for_is_an_answer_of_that_kind() -> None:
    answers, truth = np.eye(4)[:, :2] + 0.5, np.array([0, 0, 1, 1])
    kinds = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]] * 20)
    heard = heard_kinds(kinds, answers, truth, 0)
    assert {tuple(row) for row in heard[::3]} <= {tuple(row) for row in answers[:2]}
    assert {tuple(row) for row in heard[1::3]} <= {tuple(row) for row in answers[2:]}
    assert not heard[2::3].any()


def _clip(seconds: float, seed: int) -> Clip:
    return Clip(np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)).astype(np.float32), f"noise {seed}")


def test_a_voice_is_over_music_and_a_crowd_is_added() -> None:
    voice, music = _clip(1.0, 1), _clip(2.0, 2)
    for seed in range(20):
        both = over(voice, music, np.random.default_rng(seed))
        added = both.samples - voice.samples
        assert -3.1 < 20 * np.log10(voice.samples.std() / added.std()) < 6.1
    live = before_an_audience(music, [voice], np.random.default_rng(0))
    assert len(live.samples) == len(music.samples)
    assert np.abs(live.samples).max() == pytest.approx(0.9, abs=1e-3)
    assert applause(RATE, np.random.default_rng(0)).std() > 0
    first, second = (recorded(voice, np.random.default_rng(3)).samples for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all()


def test_without_speech_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="apt-get install asterisk-core-sounds"):
        speech(tmp_path / "nothing", 2, 0)
    assert notes(tmp_path) == []


def test_prompts_are_joined_by_speaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for speaker in ("a", "b"):
        (tmp_path / speaker).mkdir()
        for number in range(60):
            (tmp_path / speaker / f"{number}.g722").touch()
    monkeypatch.setattr(clip_module, "_prompt", lambda file: np.ones(16_000, np.float32))
    clips = speech(tmp_path, 2, 0)
    assert [clip.source for clip in clips] == ["a", "a", "b", "b"]
    assert all(6 <= len(clip.samples) / RATE < 35 for clip in clips)


def _made_up(seed: int = 0) -> tuple[SpotifyRows, GenreClips, Sounds]:
    """Rows, clips and sounds of random numbers, with a little truth in each."""
    rng = np.random.default_rng(seed)
    count, kinds = 600, len(KINDS)
    shares = np.eye(kinds)[rng.integers(kinds, size=count)]
    shares[::10] = 0
    cues = np.array([inputs.cues(loudness, 120.0, 1, 4) for loudness in rng.uniform(-20, -4, count)])
    values = {name: np.clip(0.5 + 0.3 * cues[:, 3] + rng.normal(0, 0.1, count), 0, 1) for name in VALUES}
    values["speechiness"] = np.where(np.arange(count) % 20 == 0, 0.9, 0.05)
    for name in ("instrumentalness", "acousticness"):
        values[name] = np.where(np.arange(count) % 20 == 1, 0.9, values[name])
    values["liveness"] = np.where(np.arange(count) % 20 == 2, 0.9, 0.1)
    rows = SpotifyRows(cues, values, shares, np.array([f"artist {number % 90}" for number in range(count)]))
    kind = np.arange(200) % kinds
    clips = GenreClips(rng.normal(size=(200, inputs.MUSIC_WIDTH)) + kind[:, None], kind, np.arange(200) % 3 == 0)
    labels = np.array([*SOUNDS, AUDIENCE, "hall"] * 20)
    voice = rng.normal(size=(120, inputs.VOICE_WIDTH)) + np.arange(120)[:, None] % 6
    return rows, clips, Sounds(voice, rng.normal(size=(120, inputs.MUSIC_WIDTH)), labels, labels)


def test_a_fit_gives_what_the_features_take_and_the_same_twice() -> None:
    first, second = (fit(*_made_up(), seed=0) for _ in range(2))
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
        assert np.isfinite(values).all(), name
    song = compose("rock", 4.0, 1, np.random.default_rng(1)).samples.mean(axis=1)
    features = track_features(described(analyze([song])), -10.0, first)
    assert all(getattr(features, name) is not None for name in SHARES)


def test_held_out_artists_are_in_no_other_fold_and_a_constant_is_no_model() -> None:
    rows, clips, _ = _made_up()
    numbers = rows.folds()
    assert all(len(set(numbers[rows.artists == artist])) == 1 for artist in set(rows.artists))
    music, predictions = folds(rows, clips, 0, trees=3)
    truth = music.values["energy"]
    fitted, mean = (score("energy", truth, predictions[model]["energy"]) for model in ("ours", "mean"))
    assert fitted.r2 > 0.2
    assert fitted.mean_error < mean.mean_error
    assert abs(mean.r2) < 0.05
    assert score("energy", truth, truth).r2 == 1


def test_the_published_table_is_read_by_its_lists(real_data: Path) -> None:
    clips = read_genre_clips(real_data / "gtzan-features")
    assert clips.inputs.shape == (640, inputs.MUSIC_WIDTH)
    assert clips.is_valid.sum() == 197
    assert np.isfinite(clips.inputs).all()


def test_digests_and_the_command_without_data(tmp_path: Path) -> None:
    from training.__main__ import app

    (tmp_path / "a").write_text("1")
    first = digest(tmp_path)
    (tmp_path / "a").write_text("2")
    assert digest(tmp_path) != first
    result = CliRunner().invoke(app, ["track-features", str(tmp_path / "out.npz"), "--data", str(tmp_path)])
    assert result.exit_code != 0
    assert not (tmp_path / "out.npz").exists()
