"""The table of the values under Spotify's names: of two raw tables, each value by the pure function."""

import wave
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from feature_repo.feature_table import FeatureTable
from feature_repo.home import Home
from feature_repo.view_definitions import definition_of
from tests.music import CONTRACT, FORMATS
from transforms import feature_tables
from transforms.batch.build import build
from transforms.batch.features.track_features import TABLE, track_features
from transforms.pure.audio.described import described
from transforms.pure.audio.listen import listen
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.pure.audio.vocabulary.track_features import NAMES
from transforms.pure.audio.vocabulary.track_features import track_features as of_features
from transforms.raw.ingest import ingest

MOMENT = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def features() -> dict[str, Any]:
    times = np.arange(4 * RATE) / RATE
    return described(analyze([(0.3 * np.sin(2 * np.pi * 330 * times) * (times % 0.5 < 0.2)).astype(np.float32)]))


def _analysis(features: dict[str, Any], content: str | None, hour: int) -> dict[str, Any]:
    moment = MOMENT + hour * HOUR
    return {
        **{"track_id": "t", "content": content, "event_timestamp": moment, "created_timestamp": moment},
        **features,
    }


def _measurement(content: str | None, loudness: float, hour: int) -> dict[str, Any]:
    moment = MOMENT + hour * HOUR
    return {
        **{"track_id": "t", "content": content, "event_timestamp": moment, "created_timestamp": moment},
        "loudness": loudness,
    }


def test_a_row_takes_the_loudness_of_its_content_and_is_known_with_it(features: dict[str, Any]) -> None:
    analyses = pl.DataFrame([_analysis(features, content, hour) for hour, content in enumerate(("a", "b", "c"))])
    pairs = (("a", -30.0, 0), ("a", -9.0, 5), ("b", -20.0, 0))
    rows = track_features(analyses, pl.DataFrame([_measurement(*pair) for pair in pairs]))
    assert rows["loudness"].to_list() == [-9.0, -20.0, None]
    assert rows["event_timestamp"].to_list() == [MOMENT, MOMENT + HOUR, MOMENT + 2 * HOUR]
    assert rows["created_timestamp"].to_list() == [MOMENT + 5 * HOUR, MOMENT + HOUR, MOMENT + 2 * HOUR]
    for place, loudness in enumerate((-9.0, -20.0, None)):
        expected = of_features(features, loudness).as_columns()
        assert rows.select(list(expected)).row(place, named=True) == pytest.approx(expected, nan_ok=True)


def test_without_rows_the_table_has_its_columns(features: dict[str, Any]) -> None:
    analyses = pl.DataFrame([_analysis(features, "a", 0)])
    measurements = pl.DataFrame([_measurement("a", -9.0, 0)])
    empty = track_features(analyses.clear(), measurements.clear())
    assert empty.schema == track_features(analyses, measurements).schema
    assert len(empty.columns) == 3 + 2 * len(NAMES)
    assert track_features(analyses, measurements.clear())["energy"].to_list() == [None]


def test_the_view_declares_the_columns_and_the_table_its_weights() -> None:
    view = CONTRACT.feature_tables["track_features"]
    declared = {field.name for field in view.schema} - {"track_id"}
    assert declared == {f"{name}{suffix}" for name in NAMES for suffix in ("", "_confidence")}
    assert TABLE.sources == ("audio_analyses", "audio_measurements")
    assert len(TABLE.settings) == 64


def test_an_imported_file_has_the_values_that_the_file_has(home: Home, tmp_path: Path) -> None:
    """Also after the build: once built, nothing is computed again."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    times = np.arange(6 * RATE) / RATE
    samples = 0.4 * np.sin(2 * np.pi * 220 * times) * np.exp(-4 * (times % 0.5))
    with wave.open(str(folder / "song.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    ingest(home, "audio", FORMATS["audio"].read(folder))
    assert build(home)["track_features"].rebuilt
    assert not build(home)["track_features"].rebuilt
    row = feature_tables.scan(home, "track_features").collect().row(0, named=True)
    sound = listen(folder / "song.wav")
    expected = of_features(described(sound.analysis), sound.loudness.integrated_lufs).as_columns()
    assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_other_weights_are_another_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that rows are computed anew, and models that were trained on the old ones know."""
    view, tables = CONTRACT.feature_tables["track_features"], dict(CONTRACT.computed_tables)

    def definition(table: FeatureTable) -> str:
        monkeypatch.setattr(CONTRACT, "computed_tables", {**tables, "track_features": table})
        return definition_of(view, [], CONTRACT, SimpleNamespace())  # type: ignore[arg-type]

    others = [replace(TABLE, settings="other"), replace(TABLE, settings=""), replace(TABLE, also=())]
    assert len({definition(table) for table in [TABLE, *others]}) == 4
    assert definition(TABLE) == definition(replace(TABLE))
