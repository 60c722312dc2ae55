"""Training/serving skew: the audit finds none where values agree, and sizes and explains it where they differ."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.packed.address import Address
from feature_repo.version import version
from inference.features import OnlineFeatures
from inference.monitoring.lookups import LookupLog
from tests.live import server_of
from tests.processes import run_python
from tests.worlds import apply
from training.__main__ import app
from training.audit import report
from training.audit.replay import LATER, OLDER, OTHER, audit, same
from transforms import feature_tables, parquet
from transforms.logged.lookups import served
from transforms.pure import drift

SERVICE = "recommendation_v1"


def look_up(home: Home, service: str = SERVICE, rows: int = 60) -> None:
    """Makes a few lookups with the log of serving."""
    log = LookupLog(home, 1.0)
    features = OnlineFeatures(service, home, log=log)
    tracks = feature_tables.scan(home, "track_catalogue").select("track_id", "artist_id").collect().sort("track_id")
    for user in ("u000007", "u000042", "nobody"):
        sample = tracks.sample(rows, seed=len(user))
        request = {"user_id": [user], "platform_id": [home.tenant], **sample.to_dict(as_series=False)}
        join_keys = {key: request[key] for key in features.service.join_keys}
        features.get({name: column * (rows if len(column) == 1 else 1) for name, column in join_keys.items()})
    log.flush()
    assert not log.left_out


@pytest.mark.parametrize("service", [SERVICE, "listener_v1", "track_display_v1", "session_v1"])
def test_what_was_served_is_what_a_training_set_has(own_world: Home, service: str) -> None:
    look_up(own_world, service)
    result = audit(service, home=own_world)
    assert result.rows >= 180
    assert {feature.name: feature.causes for feature in result.features if feature.different} == {}
    assert len(result.features) == len(load_service(own_world, service).features)


def test_a_wrong_value_online_is_found_and_sized(own_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The online store has more plays than the feature table under the same event time."""
    from feature_repo.packed import entity_key
    from feature_repo.packed.encode import encode
    from feature_repo.packed.schema import Schema
    from feature_repo.packed.write import Writer
    from tests.music import WINDOWED

    table = WINDOWED["user_listening"]
    rows = feature_tables.scan(own_world, table.name).collect().sort("event_timestamp").unique("user_id", keep="last")
    rows = rows.filter(pl.col("user_id") == "u000042").with_columns(plays_28d=pl.col("plays_28d") + 7)
    schema = Schema.of(table.name, table.fields)
    arrow = rows.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    columns = {name: arrow[name].combine_chunks() for name, _ in table.fields}
    values = encode(
        schema, columns, *(arrow[name].combine_chunks() for name in ("event_timestamp", "created_timestamp"))
    )
    key = entity_key.prefix(own_world.project, table.name) + b"u000042}"
    Writer(server_of(own_world), own_world.project, schema).write([key], values)
    look_up(own_world)
    features = {feature.name: feature for feature in audit(SERVICE, home=own_world).features}
    plays = features["user_listening__plays_28d"]
    assert (plays.different, plays.causes) == (60, {OTHER: 60})
    assert (plays.mean_difference, plays.largest_difference) == (7, 7)
    assert features["affinity_share__share_28d"].causes == {"computed": features["affinity_share__share_28d"].different}
    assert not features["user_listening__skip_rate_28d"].different


@pytest.mark.journeys
def test_an_online_store_that_lags_behind_is_told_from_a_wrong_one(own_world: Home, running_clock: None) -> None:
    look_up(own_world)
    later = datetime.now(UTC) - timedelta(hours=1)
    for user, created in (("u000007", later), ("u000042", datetime.now(UTC) + timedelta(days=1))):
        rows = feature_tables.scan(own_world, "user_listening").collect().sort("event_timestamp")
        row = rows.filter(pl.col("user_id") == user).tail(1)
        row = row.with_columns(
            pl.lit(later).dt.cast_time_unit("us").alias("event_timestamp"),
            pl.lit(created).dt.cast_time_unit("us").alias("created_timestamp"),
            plays_28d=pl.col("plays_28d") + 1,
        )
        folder = own_world.features("user_listening") / f"date={later:%Y-%m-%d}"
        parquet.write_whole(row.select(rows.columns), folder / f"{user}.parquet")
    features = {feature.name: feature for feature in _audit_in_process(own_world).features}
    assert features["user_listening__plays_28d"].causes == {OLDER: 60, LATER: 60}


def _audit_in_process(home: Home) -> Any:
    """Runs the audit in a process whose Feast definitions point to the files of this home."""
    import os
    import pickle

    script = (
        "import pickle, sys; from feature_repo.__main__ import app; from training.audit.replay import audit; "
        f"print(pickle.dumps(audit({SERVICE!r})).hex())"
    )
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    apply(home)
    completed = run_python("-c", script, environment=environment, check=True)
    return pickle.loads(bytes.fromhex(completed.stdout))


@pytest.mark.journeys
def test_the_command_reports_and_fails_above_a_threshold(own_world: Home, tmp_path: Path) -> None:
    look_up(own_world)
    page = tmp_path / "audit.html"
    passing = CliRunner().invoke(app, ["audit", SERVICE, "--html", str(page)])
    assert passing.exit_code == 0, passing.output
    assert "user_listening__plays_28d" in passing.output
    html = page.read_text()
    assert html.count("<svg") > 5
    assert "<script" not in html
    assert "<link" not in html
    failing = CliRunner().invoke(app, ["audit", SERVICE, "--psi", "0.0001", "--html", str(page)])
    assert failing.exit_code == 1
    assert "FAILED" in failing.output
    document = json.loads(page.with_suffix(".json").read_text())
    assert document["failures"]
    assert document["refrain"] == version()
    assert f"Refrain {version()}" in page.read_text()


def test_a_log_that_is_not_there_leads_to_the_next_command(own_world: Home) -> None:
    with pytest.raises(StoreError, match="REFRAIN_LOG_LOOKUPS"):
        served(own_world, load_service(own_world, "session_v1"))


def test_the_log_of_the_environment(own_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LookupLog.from_env(own_world) is None
    monkeypatch.setenv("REFRAIN_LOG_LOOKUPS", "1")
    features = OnlineFeatures("listener_v1", own_world)
    features.get({"user_id": ["u000007"]}, {"device": "phone"})
    features.get({"user_id": ["u000007", None]}, fill=True)
    log = LookupLog.from_env(own_world)
    assert log is not None
    log.flush()
    rows = served(own_world, features.service)
    assert rows.height == 3
    assert rows["device"].to_list().count("phone") == 1
    for invalid_rate in ("many", "2", "-1", "nan"):
        monkeypatch.setenv("REFRAIN_LOG_LOOKUPS", invalid_rate)
        with pytest.raises(InputError, match="REFRAIN_LOG_LOOKUPS"):
            LookupLog.from_env(own_world)


def test_a_log_that_cannot_be_written_stops_nothing(own_world: Home, caplog: pytest.LogCaptureFixture) -> None:
    (own_world.root / "lookups").write_text("a file where a folder should be")
    log = LookupLog(own_world, 1.0)
    features = OnlineFeatures("listener_v1", own_world, log=log)
    for _ in range(3):
        assert len(features.get({"user_id": ["u000007"]})) == 1
    log.flush()
    assert log.left_out == 3
    assert caplog.text.count("lookups are not logged") == 1


def test_half_a_line_and_lookups_of_an_older_service_are_passed_over(own_world: Home) -> None:
    look_up(own_world, "track_display_v1", rows=5)
    service = load_service(own_world, "track_display_v1")
    file = next(own_world.lookups(service.name).rglob("*.jsonl"))
    lines = file.read_bytes().splitlines()
    other_fingerprint = {**json.loads(lines[0]), "fingerprint": "another"}
    file.write_bytes(b"\n".join([*lines, json.dumps(other_fingerprint).encode(), lines[0][:50]]))
    assert served(own_world, service).height == 15
    assert served(own_world, service, most=7).height == 7
    with pytest.raises(StoreError):
        served(own_world, service, since=datetime.now(UTC) + timedelta(hours=1))


def test_distances_of_samples() -> None:
    rng = np.random.default_rng(3)
    reference, shifted = rng.normal(size=4_000), rng.normal(0.5, 1.2, size=3_000)
    assert drift.ks(reference, shifted) == pytest.approx(stats.ks_2samp(reference, shifted).statistic)
    assert drift.psi(reference, rng.permutation(reference)) == 0
    assert drift.psi(reference, rng.normal(size=4_000)) < 0.02
    assert drift.psi(reference, shifted) > 0.1
    with_missing = reference.copy()
    with_missing[:2_000] = np.nan
    assert drift.psi(reference, with_missing) > 1
    assert drift.ks(reference, np.full(5, np.nan)) == 0
    assert drift.psi_of_texts(["a"] * 50 + ["b"] * 50, ["b"] * 50 + ["a"] * 50) == 0
    assert drift.psi_of_texts(["a"] * 50 + ["b"] * 50, ["c"] * 100) > 1


def test_what_is_the_same() -> None:
    floats = pl.Series([1.0, None, 2.0, 3.0]), pl.Series([1.0 + 1e-12, None, None, 3.1])
    assert same(*floats).tolist() == [True, True, False, False]
    lists = pl.Series([["a"], [], None]), pl.Series([["a"], None, None])
    assert same(*lists).tolist() == [True, False, True]
    vectors = (
        pl.Series(values, dtype=pl.List(pl.Float32))
        for values in ([[1.0, 2.0], [1.0], None], [[1.0, 2.0], [1.0, 2.0], None])
    )
    assert same(*vectors).tolist() == [True, False, True]


def test_the_report_of_nothing_wrong_says_so(own_world: Home) -> None:
    look_up(own_world, "track_display_v1", rows=3)
    result = audit("track_display_v1", home=own_world)
    assert result.failures(0.0, None) == []
    assert "Nothing is above a limit" in report._page(result, [])
    assert Address.from_env().is_embedded
