"""The values under Spotify's names are one, whichever way: a file, its bytes, the table, a training set, online."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from typer.testing import CliRunner

from feature_repo.home import Home
from inference.audio.analyzer import AudioAnalysisModel
from inference.audio.console_output import as_lines, plain
from inference.features import OnlineFeatures
from refrain.cli import app
from refrain.folder_analysis.rows import SCHEMA, row
from training.datasets import training_set
from transforms.feature_tables import scan
from transforms.pure.audio.vocabulary.track_features import NAMES
from transforms.raw.simulate.sound.song import compose

SERVICE, VIEW = "track_features_v1", "track_features"


def _file(home: Home, track: str) -> Path:
    return next((home.root / "simulated" / "sound").rglob(f"{track}.*"))


def test_a_file_the_table_the_training_set_and_online_agree(in_sounding: Home) -> None:
    table = scan(in_sounding, VIEW).sort("track_id").collect()
    tracks = table["track_id"].to_list()[::40]
    assert len(tracks) == 3
    spine = table.select("track_id", event_timestamp=pl.col("event_timestamp") + pl.duration(days=1))
    offline = {
        values["track_id"]: values
        for values in training_set(SERVICE, spine, home=in_sounding).data.iter_rows(named=True)
    }
    online = OnlineFeatures(SERVICE, home=in_sounding).get({"track_id": [*tracks, "nobody"]}).values
    for place, track in enumerate(tracks):
        stored = table.row(by_predicate=pl.col("track_id") == track, named=True)
        from_file = AudioAnalysisModel().analyze(_file(in_sounding, track)).track_features.as_columns()
        assert len(from_file) == 2 * len(NAMES)
        for name, value in from_file.items():
            assert stored[name] == pytest.approx(value, abs=1e-6), name
            assert offline[track][f"{VIEW}__{name}"] == stored[name], name
            assert online[f"{VIEW}__{name}"][place] == stored[name], name
    assert online[f"{VIEW}__energy"][len(tracks)] is None


@pytest.fixture
def song(tmp_path: Path) -> Path:
    file = tmp_path / "song.wav"
    soundfile.write(file, compose("rock", 8.0, 5, np.random.default_rng(5)).samples, 22_050)
    return file


def test_pages_json_and_tables_have_them(song: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    analysis = AudioAnalysisModel().analyze(song)
    values = analysis.track_features
    assert values.energy is not None
    lines = list(as_lines(analysis))
    assert any(line.startswith("learned") and f"energy {values.energy:.2f}" in line for line in lines)
    assert any(line.startswith("proxies") and "liveness" in line for line in lines)
    shown = json.loads(CliRunner().invoke(app, ["analyze", str(song), "--json"]).output)["track_features"]
    assert shown == plain(analysis)["track_features"]
    assert shown["energy"] == values.energy
    assert set(shown["confidence"]) == set(NAMES)
    columns = row(analysis)
    assert columns[f"{VIEW}__energy"] == values.energy
    assert columns[f"{VIEW}__energy_confidence"] == values.confidence["energy"]
    assert set(columns) <= set(SCHEMA)


def test_silence_and_a_moment_are_told_plainly(tmp_path: Path) -> None:
    sounds = {"silence": np.zeros(44_100), "moment": np.full(1_600, 0.1), "nan": np.full(9_000, np.nan)}
    for name, samples in sounds.items():
        file = tmp_path / f"{name}.wav"
        soundfile.write(file, samples, 8_000, subtype="FLOAT")
        analysis = AudioAnalysisModel().analyze(file)
        assert analysis.track_features.energy is None
        assert analysis.track_features.key == -1
        assert not any(line.startswith(("learned", "proxies")) for line in as_lines(analysis))
        json.dumps(plain(analysis), allow_nan=False)
