"""Monitoring: drift is reported only where it exists, quality joins late labels, and failures do not stop serving."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.home import REPOSITORY, Home
from inference.__main__ import app as command
from inference.api.app import create_app
from inference.features import OnlineFeatures
from inference.monitoring import background_log, background_thread, report
from inference.monitoring.lookups import LookupLog
from inference.monitoring.predictions import PredictionLog
from inference.monitoring.process_metrics import forget_ended_processes
from inference.monitoring.watch import watch
from tests import worlds
from transforms.raw.read import scan

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def own_world(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the whole small world, events included."""
    yield from worlds.copied(world, Home(tmp_path / "world"), monkeypatch)


def _write_answers(home: Home, at: datetime, count: int, family: str = "texts", seed: int = 0, **fields: Any) -> None:
    rng = np.random.default_rng(seed)
    folder = home.predictions / f"family={family}" / f"date={at.date()}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{seed}.jsonl").open("a") as file:
        for number in range(count):
            answer = {"positive": float(rng.beta(2, 2)), "language": ["en", "de"][number % 2], "words": 10}
            moment = at + timedelta(seconds=number)
            file.write(json.dumps({"at": round(moment.timestamp() * 1e6), "model": "m:1", **answer, **fields}) + "\n")


def test_answers_that_drift_are_told_and_others_not(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for days in range(2, 6):
        _write_answers(home, NOW - timedelta(days=days), 300, seed=days)
    _write_answers(home, NOW - timedelta(hours=6), 300, seed=1)
    assert watch(home, now=NOW).alarms == []
    _write_answers(home, NOW - timedelta(hours=5), 600, seed=9, positive=0.99, language="tlh")
    monitoring = watch(home, now=NOW)
    drifts = {drift.name: drift for drift in monitoring.answers[0].drifts}
    assert drifts["positive"].verdict == "drifted"
    assert drifts["language"].new == {"tlh": 600}
    assert drifts["words"].verdict == "stable"
    assert {alarm.split(":")[1].split()[0] for alarm in monitoring.alarms} == {"positive", "language"}
    html = report.page(monitoring)
    assert "drifted" in html
    assert "tlh ×600" in html
    assert "<script" not in html


def test_what_was_said_cannot_write_into_the_page(tmp_path: Path) -> None:
    home = Home(tmp_path)
    _write_answers(home, NOW - timedelta(days=2), 100, language="en")
    _write_answers(home, NOW - timedelta(hours=2), 100, language="<img src=x onerror=alert(1)>")
    assert "<img" not in report.page(watch(home, now=NOW))


def test_too_little_says_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    _write_answers(home, NOW - timedelta(hours=2), 30)
    monitoring = watch(home, now=NOW)
    assert monitoring.answers[0].baseline == ""
    assert monitoring.alarms == []
    assert "too few to compare" in "\n".join(report.lines(monitoring))
    empty = watch(Home(tmp_path / "other"), now=NOW)
    assert (empty.answers, empty.services, empty.quality) == ([], [], [])
    assert "too little was logged to compare (texts: 30 rows with 0 before them" in monitoring.gaps[0]
    assert "no answer and no lookup was logged in 1 days" in empty.gaps[0]
    assert "the online store does not answer" in empty.gaps[1]
    assert "Nothing drifted" not in report.page(empty)
    assert "None were logged" in report.page(empty)


def test_answers_that_are_late_are_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    _write_answers(home, NOW - timedelta(hours=3), 100, "recommendations", milliseconds=12.0)
    assert watch(home, now=NOW).alarms == []
    _write_answers(home, NOW - timedelta(hours=2), 5, "recommendations", milliseconds=400.0, seed=1)
    monitoring = watch(home, now=NOW)
    assert monitoring.latency["2026-03-10"][0] == 105
    assert "within 100 ms" in monitoring.alarms[0]
    assert watch(home, now=NOW, goal=500).alarms == []


def test_features_that_were_served_beside_those_that_were_trained_on(own_world: Home, running_clock: None) -> None:
    """Features served for an unknown user lack nearly everything that the ranker was trained on."""
    features = OnlineFeatures("recommendation_v1", own_world)
    log = LookupLog(own_world, 1.0)
    tracks = [f"t{number:06}" for number in range(100)]
    keys = {"user_id": ["stranger"], "track_id": tracks, "artist_id": ["nobody"], "platform_id": ["default"]}
    log.put(keys, {}, features.get(keys))
    log.flush()
    monitoring = watch(own_world)
    (service,) = monitoring.services
    assert service.name == "recommendation_v1"
    assert service.baseline.startswith("training set")
    drifts = {drift.name: drift for drift in service.drifts}
    assert drifts["user_listening__plays_28d"].verdict == "drifted"
    assert drifts["user_listening__plays_28d"].missing_after == 1.0
    assert monitoring.freshness
    assert "user_listening__plays_28d" in report.page(monitoring)


def test_quality_joins_what_was_played_later(own_world: Home) -> None:
    """Of two answers, one has its second track played within the hour; the hour of the other is not over."""
    plays = scan(own_world, "plays").collect()
    play = plays.filter(~pl.col("skipped").fill_null(True)).sort("event_timestamp").row(-1, named=True)
    answer_time = play["event_timestamp"] - timedelta(minutes=5)
    folder = own_world.impressions / f"date={answer_time.date()}"
    folder.mkdir(parents=True)
    slots = [
        {"track_id": track, "score": 1.0, "source": "taste", "propensity": 1.0, "explored": False}
        for track in ("t-none", play["track_id"], "t-other")
    ]
    lines = []
    for number, moment in enumerate((answer_time, answer_time + timedelta(hours=2))):
        answer = {"answer_id": f"a{number}", "at": round(moment.timestamp() * 1e6), "user_id": play["user_id"]}
        lines.append(json.dumps({**answer, "model": "m:1", "strategy": "hybrid", "slots": slots}))
    (folder / "x.jsonl").write_text("\n".join(lines))
    qualities = watch(own_world, now=answer_time + timedelta(hours=2, minutes=10), days=2).quality
    assert sum(quality.shown for quality in qualities) == 3
    assert sum(quality.played for quality in qualities) == 1
    assert sum(quality.open for quality in qualities) == 1
    with_plays = next(quality for quality in qualities if quality.played)
    assert with_plays.precision == pytest.approx(1 / 3)
    assert with_plays.ndcg == pytest.approx(1 / np.log2(3))


def test_the_commands(tmp_path: Path) -> None:
    home, env = Home(tmp_path), {"REFRAIN_HOME": str(tmp_path)}
    now = datetime.now(UTC)
    _write_answers(home, now - timedelta(days=2), 100)
    _write_answers(home, now - timedelta(hours=2), 100, positive=0.01)
    page = tmp_path / "page.html"
    result = CliRunner().invoke(command, ["monitor", "report", "--html", str(page), "--fail"], env=env)
    assert result.exit_code == 1
    assert "LOOK  texts: positive drifted" in result.output
    assert page.read_text().startswith("<!doctype html>")
    assert "packed 200 answers" in CliRunner().invoke(command, ["monitor", "pack"], env=env).output
    repeated = CliRunner().invoke(command, ["monitor", "report", "--html", str(page), "--fail"], env=env)
    assert repeated.output.splitlines()[:2] != []
    assert repeated.exit_code == 1


def test_nothing_logged_and_stale_features_are_failures(
    in_world: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is green for lack of data: not without a log, and not on features that nobody refreshed."""
    arguments = ["monitor", "report", "--html", str(tmp_path / "page.html")]
    monitoring = watch(in_world)
    assert monitoring.stale == []
    assert len(monitoring.gaps) == 1
    result = CliRunner().invoke(command, [*arguments, "--fail"])
    assert result.exit_code == 1
    assert "UNKNOWN  no answer and no lookup was logged" in result.output
    assert CliRunner().invoke(command, arguments).exit_code == 0
    monkeypatch.setenv("REFRAIN_NOW", (clock.now() + timedelta(days=287)).isoformat())
    stale = CliRunner().invoke(command, [*arguments, "--fail"])
    assert "LOOK  features are stale; age of the newest event" in stale.output
    assert "(28" in stale.output
    assert "track_catalogue" not in stale.output
    tolerant = CliRunner().invoke(command, [*arguments, "--stale-after", "9999"])
    assert "features are stale" not in tolerant.output


def test_counters_are_there_before_the_first_event(in_world: Home) -> None:
    """An increase compares two samples: a series that begins with the first event hides it."""
    with TestClient(create_app(home=in_world)) as client:
        text = client.get("/metrics").text
    for sample in (
        'refrain_swaps_total{outcome="refused",serves="recommendations"}',
        'refrain_http_failures_total{cause="store"}',
        'refrain_log_left_out_total{log="acts"}',
        'refrain_refusals_total{reason="quota"}',
        'refrain_stream_events_total{outcome="refused"}',
    ):
        assert f"{sample} 0.0\n" in text, sample
    assert re.search(r"process_resident_memory_bytes\{pid=\"\d+\"\} [1-9]", text)


def test_a_model_that_was_never_promoted_is_no_failure(in_world: Home) -> None:
    with TestClient(create_app("unknown", in_world)) as client:
        assert client.post("/v1/recommendations", json={"user_id": "u000007"}).status_code == 503
        text = client.get("/metrics").text
    assert 'refrain_http_failures_total{cause="not promoted"} 1.0' in text
    assert 'refrain_http_failures_total{cause="model"} 0.0' in text


def test_gauges_of_ended_processes_disappear(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f"gauge_livemax_{ended.pid}.db", f"gauge_livemax_{os.getpid()}.db", f"counter_{ended.pid}.db"):
        (tmp_path / name).touch()
    forget_ended_processes(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        f"gauge_livemax_{os.getpid()}.db",
        f"counter_{ended.pid}.db",
    }


def test_a_full_disk_costs_lines_and_not_answers(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_LOG_PREDICTIONS", "1")

    def full(path: Path, line: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(background_log, "append_line", full)
    with TestClient(create_app(home=in_world)) as client:
        for _ in range(5):
            assert client.post("/v1/recommendations", json={"user_id": "u000007"}).status_code == 200
        for log in client.app.state.logs:  # type: ignore[attr-defined]
            log.flush()
        assert 'refrain_log_left_out_total{log="predictions"} 5.0' in client.get("/metrics").text


def test_a_log_that_cannot_keep_up_leaves_lines_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_thread.BackgroundThread, "_start", lambda self: None)  # nothing is written
    log = PredictionLog(Home(tmp_path), 1.0)
    for _ in range(background_thread.MAX_QUEUED + 7):
        log.put("texts", "m:1")
    assert log.left_out == 7


def test_a_share_of_the_answers(tmp_path: Path) -> None:
    log = PredictionLog(Home(tmp_path), 0.1)
    for _ in range(900):
        log.put("texts", "m:1", x=1)
    log.flush()
    count = sum(len(file.read_bytes().splitlines()) for file in Home(tmp_path).predictions.rglob("*.jsonl"))
    assert 45 < count < 150
    assert PredictionLog(Home(tmp_path))._share == 0


def _metric_names(in_world: Home) -> set[str]:
    with TestClient(create_app(home=in_world)) as client:
        text = client.get("/metrics").text
    kinds = dict(re.findall(r"# TYPE (\S+) (\S+)", text))
    names = set(kinds)
    names |= {f"{name}_bucket" for name, kind in kinds.items() if kind == "histogram"}
    return names | {f"{name}_count" for name, kind in kinds.items() if kind == "histogram"}


def test_the_dashboard_and_the_alerts_ask_for_metrics_that_are_there(in_world: Home) -> None:
    dashboard = json.loads((REPOSITORY / "deploy" / "grafana" / "serving.json").read_text())
    rule_file = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "alerts.yaml").read_text())
    settings = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "prometheus.yaml").read_text())
    assert settings["rule_files"] == ["alerts.yaml"]
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    all_rules = [rule for group in rule_file["groups"] for rule in group["rules"]]
    expressions += [rule["expr"] for rule in all_rules]
    recorded_metrics = {rule["record"] for rule in all_rules if "record" in rule}
    queried_metrics = {name for expr in expressions for name in re.findall(r"\brefrain[:_][\w:]+", expr)}
    assert queried_metrics - recorded_metrics <= _metric_names(in_world)
    assert {panel["id"] for panel in dashboard["panels"]} == set(range(1, len(dashboard["panels"]) + 1))
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in all_rules if "alert" in rule)
    assert all(expr.count("(") == expr.count(")") for expr in expressions)
