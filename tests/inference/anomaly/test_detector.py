"""Detections: from bundles that were trained, by metrics and by features online, the same live and in batches."""

import json
import math
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from inference import AnomalyDetector, Observation, SystemAnomalyDetector
from inference.anomaly.detector import DETECTORS
from inference.anomaly.observation import Detection
from training.datasets import training_set
from training.datasets.columns import to_numpy
from training.datasets.telemetry import ENDPOINT_METRICS, endpoint_points, incidents, moments
from transforms.pure.anomaly.rows import RowDetector

START = datetime(2026, 1, 5, tzinfo=UTC)


def minutes(count: int, entity: str = "h", level: float = 300.0, seed: int = 0) -> list[Observation]:
    rng = np.random.default_rng(seed)
    return [
        Observation(entity, START + timedelta(minutes=at), {"cpu": level + rng.normal(0, 10), "memory": 500.0 + at % 7})
        for at in range(count)
    ]


def broken(at: int, entity: str = "h") -> Observation:
    return Observation(entity, START + timedelta(minutes=at), {"cpu": 990.0, "memory": 503.0})


def test_a_broken_host_is_told_with_its_cause_and_as_one_incident() -> None:
    found = AnomalyDetector().detect([*minutes(600), *(broken(600 + at) for at in range(20))])
    last = next(one for one in found.detections[600:] if one.alarm)
    assert next(iter(last.causes)) == "cpu"
    assert last.at <= START + timedelta(minutes=605)
    assert last.p_value is not None
    assert last.p_value < 1e-3
    assert found.incidents[-1].start == last.at
    assert found.incidents[-1].id.startswith("h@")
    assert found.model == "untrained"


def test_one_by_one_is_the_same_as_all_at_once() -> None:
    told = [one for at in range(300) for one in (minutes(300)[at], minutes(300, "g", seed=1)[at])] + [broken(300)]
    whole = AnomalyDetector().detect(told).detections
    single = AnomalyDetector()
    assert [single.detect([one]).detections[0] for one in told] == whole


def test_a_restart_forgets_nothing(in_telemetry: Home) -> None:
    told = [*minutes(400), *(broken(400 + at) for at in range(5)), *minutes(20, seed=2)]
    whole = SystemAnomalyDetector.load().detect(told)
    first = SystemAnomalyDetector.load()
    before = first.detect(told[:402])
    second = SystemAnomalyDetector.load()
    second.restore(first.snapshot())
    after = second.detect(told[402:])
    assert [*before.detections, *after.detections] == whole.detections
    assert [one.id for one in after.incidents] in ([], [one.id for one in whole.incidents])
    with pytest.raises(InputError, match="snapshot"):
        second.restore(b"nothing of the kind")


def test_the_memory_is_left_to_the_next_process(in_telemetry: Home) -> None:
    first = SystemAnomalyDetector.load(remember=True)
    first.detect(minutes(50, entity="remembered"))
    first.save()
    second = SystemAnomalyDetector.load(remember=True)
    again = second.detect(minutes(50, entity="remembered")[-1:]).detections[0]
    assert again.verdict == "duplicate"
    memory = next((in_telemetry.root / "anomaly").rglob("system*.npz"))
    memory.write_bytes(b"damaged")
    assert SystemAnomalyDetector.load(remember=True).detect(minutes(1)).detections[0].verdict == ""
    memory.unlink()


@pytest.mark.parametrize(
    "name", ["system_anomaly_detector_v1.0", "system_anomaly_detector:1", "system_anomaly_detector"]
)
def test_the_quick_start_names_a_version(in_telemetry: Home, name: str) -> None:
    found = AnomalyDetector.load(name)
    assert isinstance(found, SystemAnomalyDetector)
    assert found.model == "system_anomaly_detector:1"


def test_what_is_not_promoted_says_how(in_telemetry: Home) -> None:
    with pytest.raises(BundleError, match="training run"):
        DETECTORS["user_behavior"].load()
    with pytest.raises(BundleError):
        AnomalyDetector.load("system_anomaly_detector_v9.0")


def test_a_bundle_scores_rows_as_it_was_trained_to(in_telemetry: Home) -> None:
    """Offline features given by name: what training measured is what serving says."""
    spine = moments(in_telemetry, ["logins"], "client_ip").tail(60)
    data = training_set("security_anomaly_v1", spine, home=in_telemetry).data
    detector = DETECTORS["security"].load()
    rows = RowDetector.from_bytes((in_telemetry.bundles(detector.name) / "1" / "rows.npz").read_bytes())
    trained = rows.score({name: to_numpy(data[name]) for name in rows.columns.names}).p_value
    told = [
        Observation(row["client_ip"], row["event_timestamp"], {name: row[name] for name in rows.columns.names})
        for row in data.iter_rows(named=True)
    ]
    served = [one.p_value for one in detector.detect(told).detections]
    np.testing.assert_allclose(served, trained, rtol=1e-6)


def test_features_are_looked_up_where_none_are_given(in_telemetry: Home) -> None:
    detector = DETECTORS["audio_quality"].load()
    labelled = "master-silent_master-000"
    found = detector.detect([Observation(labelled, datetime.now(UTC)), Observation("nobody", datetime.now(UTC))])
    assert found.detections[0].alarm
    assert found.detections[0].causes
    assert found.detections[1].p_value is None
    assert found.note is not None
    assert "no features online" in found.note
    past = detector.detect([Observation(labelled, START, {"unknown": 1.0})])
    assert past.detections[0].p_value is None  # what is online says nothing of the past


def test_features_that_are_left_out_are_looked_up_and_not_taken_for_missing(in_telemetry: Home) -> None:
    detector = DETECTORS["audio_quality"].load()
    usual = "master-001-0003"
    plain = detector.detect([Observation(usual, datetime.now(UTC))]).detections[0]
    assert detector._rows is not None
    some = detector.detect([Observation(usual, datetime.now(UTC), {"audio_quality__peak": 60.0})]).detections[0]
    old = detector.detect([Observation(usual, START, {"audio_quality__peak": 60.0})]).detections[0]
    assert plain.p_value is not None
    assert some.p_value is not None
    assert some.p_value < min(plain.p_value, 0.01)
    assert next(iter(some.causes), "audio_quality__peak") == "audio_quality__peak"
    assert old.p_value is None


def test_a_detector_that_cannot_look_up_says_so_and_goes_on(
    in_telemetry: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFRAIN_REDIS", "")
    detector = SystemAnomalyDetector.load()
    assert detector._lookup is not None
    monkeypatch.setattr("inference.features.lookup.get", _gone)
    found = detector.detect([Observation("host-00", datetime.now(UTC), {"cpu_permille": 300})])
    assert found.note is not None
    assert "could not be looked up" in found.note
    assert found.detections[0].verdict == ""


def _gone(*given: object) -> None:
    from feature_repo.errors import OnlineUnavailable

    raise OnlineUnavailable(expected="Redis", found="nothing", next_command="start it")


def test_simulated_incidents_are_found_by_what_is_served(in_telemetry: Home) -> None:
    """Rows of features of all hosts in the days with incidents, through the served detector."""
    told = incidents(in_telemetry, "host_id").filter(pl.col("kind") == "saturation")
    spine = moments(in_telemetry, ["host_metrics"], "host_id", every=120_000_000)
    spine = spine.filter(pl.col("event_timestamp").dt.timestamp("us") >= told["start"].min() - 3_600_000_000)
    data = training_set("system_anomaly_v1", spine, home=in_telemetry).data
    detector = SystemAnomalyDetector.load()
    assert detector._rows is not None
    rows = [
        Observation(row["host_id"], row["event_timestamp"], {name: row[name] for name in detector._rows.columns.names})
        for row in data.iter_rows(named=True)
    ]
    found = detector.detect(rows).incidents
    hit = [
        any(
            one.entity == entity and one.start.timestamp() * 1e6 <= end and one.end.timestamp() * 1e6 >= start
            for one in found
        )
        for entity, start, end in told.select("entity_id", "start", "end").iter_rows()
    ]
    assert sum(hit) >= 2
    assert len(found) < 20


def test_requests_that_do_not_come_are_noticed_by_what_is_served(in_telemetry: Home) -> None:
    """Metrics by the minute through a bundle as training wrote it: every drop of traffic, and its cause."""
    drops = incidents(in_telemetry, "endpoint").filter(pl.col("kind") == "traffic_drop")
    points = endpoint_points(in_telemetry)
    two_days = 2 * 86_400_000_000
    points = points.filter(pl.col("event_timestamp").dt.timestamp("us") > drops["start"].min() - two_days)
    seen = [
        Observation(row["endpoint"], row["event_timestamp"], {name: row[name] for name in ENDPOINT_METRICS})
        for row in points.iter_rows(named=True)
    ]
    detector = DETECTORS["performance"].load()
    before = detector.detect(seen[: len(seen) // 2])
    again = DETECTORS["performance"].load()
    again.restore(detector.snapshot())
    after = again.detect(seen[len(seen) // 2 :])
    assert detector.detect(seen[len(seen) // 2 :]) == after
    told = [one for one in (*before.detections, *after.detections) if one.alarm and "requests" in one.causes]
    for entity, start, end in drops.select("entity_id", "start", "end").iter_rows():
        assert any(one.entity == entity and start <= one.at.timestamp() * 1e6 <= end for one in told)


@pytest.mark.parametrize("value", ["many", [1], True])
def test_what_is_no_number_is_an_error_that_names_it(value: object) -> None:
    with pytest.raises(InputError, match="cpu"):
        AnomalyDetector().detect([Observation("h", START, {"cpu": value})])


def test_odd_numbers_are_missing_and_nothing_breaks() -> None:
    odd = [None, float("nan"), float("inf"), -float("inf"), 10**400, 1e308, -1e308, 0]
    told = [Observation("h", START + timedelta(minutes=at), {"cpu": value}) for at, value in enumerate(odd * 10)]
    found: list[Detection] = AnomalyDetector().detect(told).detections
    assert found[0].verdict == found[1].verdict == found[2].verdict == "missing"
    assert all(one.p_value is None or math.isfinite(one.p_value) for one in found)
    json.dumps([one.p_value for one in found], allow_nan=False)


def test_no_observations_are_fine_and_times_without_a_zone_are_utc() -> None:
    assert AnomalyDetector().detect([]).detections == []
    found = AnomalyDetector().detect([Observation("h", datetime(2026, 1, 1), {"x": 1})])
    assert found.detections[0].at == datetime(2026, 1, 1, tzinfo=UTC)


def test_detecting_is_safe_between_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    detector = AnomalyDetector()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: detector.detect(minutes(40, name)), [f"h{number}" for number in range(12)]))
    assert len(detector._metric_detectors["series"].detector) == 24
    assert time.monotonic() > 0
