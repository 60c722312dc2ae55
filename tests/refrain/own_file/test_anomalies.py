"""Anomalies of a person's own series: real ones are found, the choice is measured, bad input is one error."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.errors import InputError
from refrain.cli import app
from refrain.own_file import anomalies
from refrain.own_file.anomalies import find_anomalies
from refrain.own_file.observations import Request, read_observations
from refrain.own_file.result import Result

START = datetime(2026, 1, 1)


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomalies, "STRETCH", 50)
    monkeypatch.setattr(anomalies, "PLANTED", 20)
    monkeypatch.setattr(anomalies, "LEAST_STRETCHES", 2)


def load(count: int = 520, *, anomaly: int = 470) -> pl.DataFrame:
    """Minutes of a processor's load, with one hour that is far too high."""
    rng = np.random.default_rng(0)
    values = 50 + rng.normal(0, 2, count)
    values[anomaly : anomaly + 40] += 40
    times = [START + timedelta(minutes=minute) for minute in range(count)]
    is_known = (np.arange(count) >= anomaly) & (np.arange(count) < anomaly + 40)
    return pl.DataFrame({"timestamp": times, "cpu": values, "label": is_known.astype(int)})


def find(path: Path, **request: object) -> Result:
    return find_anomalies(path, read_observations(path, Request(**request)))[0]  # type: ignore[arg-type]


def test_an_anomaly_is_found_in_any_table(tmp_path: Path) -> None:
    path = tmp_path / "load.parquet"
    load().drop("label").write_parquet(path)
    result = find(path)
    alarms = result.answers.filter(pl.col("alarm"))["time"].dt.replace_time_zone(None)
    hour = START + timedelta(minutes=470)
    assert alarms.is_between(hour, hour + timedelta(minutes=60)).any()
    assert alarms.len() <= 6
    assert any("planted incident" in line for line in result.lines)
    assert [section.title for section in result.sections] == ["Detectors on the test", "Incidents", "Series"]


def test_known_anomalies_are_what_is_to_be_found(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    load().write_csv(path)
    result = find(path, label="label")
    assert any("the anomalies that the labels name" in line for line in result.lines)
    assert "label" not in " ".join(result.answers["series"].unique().to_list())


def test_a_short_series_is_undecided_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    load(160, anomaly=120).drop("label").write_csv(path)
    result = find(path)
    assert result.verdict.outcome == "undecided"
    assert "stretches of 50 values" in result.verdict.words


@pytest.mark.parametrize("values", [np.full(300, 3.0), np.full(300, 1e300), -np.arange(300.0) % 7])
def test_odd_series_have_an_answer(values: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    pl.DataFrame({"timestamp": [START + timedelta(minutes=n) for n in range(300)], "cpu": values}).write_csv(path)
    result = find(path)
    assert result.answers.height == 300
    assert np.isfinite(result.answers["score"].to_numpy()).all()


@pytest.mark.parametrize(
    ("content", "request_fields", "words"),
    [
        ("", {}, "an empty file"),
        ("cpu\n1\n2\n", {}, "time"),
        ("timestamp,cpu\n2026-01-01,up\n", {}, "no number"),
        ("timestamp,cpu,label\n2026-01-01,1,0\n2026-01-02,2,0\n", {"label": "label"}, "two kinds of labels"),
        ("timestamp,cpu,cpu\n2026-01-01,1,0\n", {"label": "cpu"}, "two columns with the name"),
    ],
)
def test_what_has_no_observations_is_one_error(
    content: str, request_fields: dict[str, str], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "load.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        find(path, **request_fields)


def test_the_command_writes_a_page_and_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(240, anomaly=170).drop("label").write_csv(tmp_path / "load.csv")
    done = CliRunner().invoke(app, ["anomalies", "load.csv", "--out", "a.csv", "--sink", "notices.jsonl"])
    assert done.exit_code == 0, done.output
    assert "verdict: undecided" in done.stdout
    assert pl.read_csv("a.csv").height == 240
    assert (tmp_path / "load.anomalies.html").read_text().count("<svg")
    assert (tmp_path / "notices.jsonl").read_text().count("load/cpu") >= 1
    refused = CliRunner().invoke(app, ["anomalies", "load.csv", "--detector", "none", "--out", "a.csv"])
    assert refused.exit_code == 1
    assert "refrain anomalies load.csv --out a.csv" in refused.stderr
    refused = CliRunner().invoke(app, ["anomalies", "load.csv", "--out", "a.pdf"])
    assert "--out a.csv" in refused.stderr
