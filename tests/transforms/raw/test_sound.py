"""Simulated songs with known labels, and imports that skip files analysed before."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from feature_repo.home import Home
from tests.music import FORMATS
from transforms.pure.audio.listen import listen
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.raw import ingest as ingesting
from transforms.raw.importers import audio as importer
from transforms.raw.ingest import ingest
from transforms.raw.read import scan
from transforms.raw.report import Report
from transforms.raw.simulate.sound.run import simulate_sound
from transforms.raw.simulate.sound.score import SCALES
from transforms.raw.simulate.sound.song import MOODS, Song, compose
from transforms.raw.simulate.sound.style import PATTERNS, STYLES
from transforms.raw.simulate.sound.timbre import INSTRUMENTS
from transforms.raw.simulate.world import GENRES


def _import(home: Home, folder: Path) -> Report:
    return ingest(home, "audio", FORMATS["audio"].batches(folder, home), slow=True)


def _song(number: int, genre: str = "", seconds: float = 10.0) -> Song:
    return compose(genre or GENRES[number % len(GENRES)], seconds, number, np.random.default_rng(number))


def test_every_genre_of_the_world_has_a_style() -> None:
    assert set(STYLES) == set(GENRES)
    assert {style.drums for style in STYLES.values()} <= {*PATTERNS, "none"}
    instruments = {instrument for style in STYLES.values() for instrument in (*style.chords, *style.leads)}
    assert instruments | {"bass", "drums"} == set(INSTRUMENTS)


@pytest.mark.parametrize("genre", GENRES)
def test_a_song_is_sound_and_truth(genre: str) -> None:
    song = _song(5, genre)
    assert song.samples.shape == (10 * RATE, 2)
    assert np.isfinite(song.samples).all()
    assert 0.05 < np.abs(song.samples).max() <= 1
    assert song.mood in MOODS
    assert set(song.instruments) <= set(INSTRUMENTS)
    assert song.mode in SCALES
    assert (np.diff(song.beats) > 0).all()
    assert 60 / np.diff(song.beats).mean() == pytest.approx(song.tempo)
    low, high = STYLES[genre].tempo
    assert low * 0.9 < song.tempo < high * 1.1


def test_the_same_seed_is_the_same_song() -> None:
    np.testing.assert_array_equal(_song(3).samples, _song(3).samples)
    assert np.abs(_song(3).samples - _song(15).samples).max() > 0.01


def test_the_truth_is_in_the_sound() -> None:
    """Refrain's own analysis finds the tempo (or its double or half) and the key of most songs."""
    tempo_matches, key_matches = [], []
    for number in range(24):
        song = _song(number)
        analysis = analyze([song.samples.mean(axis=1)])
        tempo_matches.append(any(abs(analysis.beats.tempo / song.tempo / factor - 1) < 0.04 for factor in (0.5, 1, 2)))
        key_matches.append(
            analysis.key is not None and (analysis.key.tonic, analysis.key.mode) == (song.tonic, song.mode)
        )
    assert np.mean(tempo_matches) > 0.7
    assert np.mean(key_matches) > 0.4


def test_simulated_songs_are_imported_once(home: Home) -> None:
    folder, report = simulate_sound(home, songs=10, seconds=2.0, seed=1)
    assert {name: report.tables[name].added for name in ("tracks", "audio_labels", "audio_analyses")} == {
        "tracks": 10,
        "audio_labels": 10,
        "audio_analyses": 10,
    }
    with (folder / "labels.csv").open() as handle:
        truth = {line["track_id"]: line for line in csv.DictReader(handle)}
    labels = scan(home, "audio_labels").collect()
    assert dict(labels.select("track_id", "genre").iter_rows()) == {
        track: label["genre"] for track, label in truth.items()
    }
    assert set(labels["instruments"].explode()) <= set(INSTRUMENTS)
    modified_times = {file: file.stat().st_mtime_ns for file in folder.iterdir() if file.name != "labels.csv"}
    _, second_report = simulate_sound(home, songs=10, seconds=2.0, seed=1)
    assert second_report.tables["audio_analyses"].added == 0
    assert modified_times.items() <= {file: file.stat().st_mtime_ns for file in folder.iterdir()}.items()


def test_a_file_is_analysed_once_whatever_its_name(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "masters"
    folder.mkdir()
    soundfile.write(folder / "a.flac", _song(1, seconds=3.0).samples, RATE)
    assert _import(home, folder).tables["audio_analyses"].added == 1

    def refuse(_: object) -> None:
        raise AssertionError("analysed again")

    monkeypatch.setattr(importer, "_row", refuse)
    (folder / "b.flac").write_bytes((folder / "a.flac").read_bytes())
    report = _import(home, folder)
    assert report.tables["audio_analyses"].added == report.tables["audio_measurements"].added == 1
    rows = scan(home, "audio_analyses").collect().sort("track_id")
    assert rows["track_id"].to_list() == ["a", "b"]
    assert rows["timbre"][0].to_list() == rows["timbre"][1].to_list()
    assert _import(home, folder).tables["audio_analyses"].added == 0


def test_an_import_that_is_stopped_goes_on(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "masters"
    folder.mkdir()
    for number in range(5):
        soundfile.write(folder / f"t{number}.wav", _song(number, seconds=2.0).samples, RATE)
    monkeypatch.setattr(importer, "FILES", 2)
    monkeypatch.setattr(ingesting, "KEEP_SECONDS", 0.0)
    analysed: list[str] = []
    analyse_row = importer._row

    def analyse_or_interrupt(file) -> object:  # type: ignore[no-untyped-def]
        analysed.append(file.path.stem)
        if len(analysed) == 4:
            raise KeyboardInterrupt
        return analyse_row(file)

    monkeypatch.setattr(importer, "_row", analyse_or_interrupt)
    with pytest.raises(KeyboardInterrupt):
        _import(home, folder)
    assert scan(home, "audio_analyses").collect().height == 2
    _import(home, folder)
    assert scan(home, "audio_analyses").collect().height == 5
    assert analysed == ["t0", "t1", "t2", "t3", "t2", "t3", "t4"]


def test_what_is_refused_has_a_reason_and_the_rest_goes_on(home: Home, tmp_path: Path) -> None:
    outside_file = tmp_path / "secret.wav"
    soundfile.write(outside_file, _song(1, seconds=2.0).samples, RATE)
    folder = tmp_path / "masters"
    folder.mkdir()
    (folder / "link.wav").symlink_to(outside_file)
    (folder / "gone.wav").symlink_to(folder / "nowhere.wav")
    (folder / "text.mp3").write_text("no sound")
    for number in range(9):  # enough files for worker processes
        soundfile.write(folder / f"t{number}.ogg", _song(number, seconds=2.0).samples, RATE)
    (folder / "labels.csv").write_text(
        "track_id,genre,valence,instruments,source\nt1,jazz,0.5,piano; bass,vinyl\n,rock,,,\nt2,pop,x,,\n"
    )
    report = _import(home, folder)
    assert report.tables["audio_analyses"].added == 9
    assert sorted(report.tables["audio_measurements"].reasons) == [
        "a link to a file outside the folder",
        "no sound: Format not recognised.",
        "no sound: No such file or directory",
    ]
    assert (report.tables["audio_labels"].added, report.tables["audio_labels"].quarantined) == (1, 2)
    labels = scan(home, "audio_labels").collect()
    assert labels["instruments"].to_list() == [["piano", "bass"]]
    assert labels["source"].to_list() == ["vinyl"]


@pytest.mark.soak
def test_hours_of_sound_are_taken_in_bounded_memory(tmp_path: Path) -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    peaks = []
    for minutes in (11, 25):  # longer than the metered part and than one block of the beat tracker
        with soundfile.SoundFile(tmp_path / f"{minutes}.flac", "w", 2_000, 1) as file:
            for _ in range(minutes):
                file.write(0.1 * rng.normal(size=60 * 2_000))
        tracemalloc.start()
        track = listen(tmp_path / f"{minutes}.flac", metered=60.0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert track.analysis.seconds == pytest.approx(60 * minutes, rel=1e-3)
    assert peaks[1] - peaks[0] < 15_000_000  # onsets and pitch classes of 14 minutes, whose samples are 74 MB
