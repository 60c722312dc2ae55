"""Anomaly detectors: trained bundles, metrics and online features; live and batch detection give the same result."""

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


def normal_observations(count: int, entity: str = "h", level: float = 300.0, seed: int = 0) -> list[Observation]:
    rng = np.random.default_rng(seed)
    return [
        Observation(
            entity, START + timedelta(minutes=minute), {"cpu": level + rng.normal(0, 10), "memory": 500.0 + minute % 7}
        )
        for minute in range(count)
    ]


def broken_observation(minute: int, entity: str = "h") -> Observation:
    return Observation(entity, START + timedelta(minutes=minute), {"cpu": 990.0, "memory": 503.0})


def test_a_broken_host_is_told_with_its_cause_and_as_one_incident() -> None:
    report = AnomalyDetector().detect(
        [*normal_observations(600), *(broken_observation(600 + minute) for minute in range(20))]
    )
    first_alarm = next(detection for detection in report.detections[600:] if detection.alarm)
    assert next(iter(first_alarm.causes)) == "cpu"
    assert first_alarm.at <= START + timedelta(minutes=605)
    assert first_alarm.p_value is not None
    assert first_alarm.p_value < 1e-3
    assert report.incidents[-1].start == first_alarm.at
    assert report.incidents[-1].id.startswith("h@")
    assert report.model == "untrained"


def test_one_by_one_is_the_same_as_all_at_once() -> None:
    observations = [
        observation
        for minute in range(300)
        for observation in (normal_observations(300)[minute], normal_observations(300, "g", seed=1)[minute])
    ] + [broken_observation(300)]
    batch_detections = AnomalyDetector().detect(observations).detections
    detector = AnomalyDetector()
    assert [detector.detect([observation]).detections[0] for observation in observations] == batch_detections


def test_a_restart_forgets_nothing(in_telemetry: Home) -> None:
    observations = [
        *normal_observations(400),
        *(broken_observation(400 + minute) for minute in range(5)),
        *normal_observations(20, seed=2),
    ]
    expected = SystemAnomalyDetector.load().detect(observations)
    detector = SystemAnomalyDetector.load()
    before = detector.detect(observations[:402])
    restarted = SystemAnomalyDetector.load()
    restarted.restore(detector.snapshot())
    after = restarted.detect(observations[402:])
    assert [*before.detections, *after.detections] == expected.detections
    assert [incident.id for incident in after.incidents] in ([], [incident.id for incident in expected.incidents])
    with pytest.raises(InputError, match="snapshot"):
        restarted.restore(b"nothing of the kind")


def test_the_memory_is_left_to_the_next_process(in_telemetry: Home) -> None:
    first = SystemAnomalyDetector.load(remember=True)
    first.detect(normal_observations(50, entity="remembered"))
    first.save()
    second = SystemAnomalyDetector.load(remember=True)
    repeated = second.detect(normal_observations(50, entity="remembered")[-1:]).detections[0]
    assert repeated.verdict == "duplicate"
    state_file = next((in_telemetry.root / "anomaly").rglob("system*.npz"))
    state_file.write_bytes(b"damaged")
    assert SystemAnomalyDetector.load(remember=True).detect(normal_observations(1)).detections[0].verdict == ""
    state_file.unlink()


@pytest.mark.parametrize(
    "name", ["system_anomaly_detector_v1.0", "system_anomaly_detector:1", "system_anomaly_detector"]
)
def test_the_quick_start_names_a_version(in_telemetry: Home, name: str) -> None:
    detector = AnomalyDetector.load(name)
    assert isinstance(detector, SystemAnomalyDetector)
    assert detector.model == "system_anomaly_detector:1"


def test_what_is_not_promoted_says_how(in_telemetry: Home) -> None:
    with pytest.raises(BundleError, match="model run"):
        DETECTORS["user_behavior"].load()
    with pytest.raises(BundleError):
        AnomalyDetector.load("system_anomaly_detector_v9.0")


def test_a_bundle_scores_rows_as_it_was_trained_to(in_telemetry: Home) -> None:
    """Offline features passed as observations: serving gives the p-values that training measured."""
    spine = moments(in_telemetry, ["logins"], "client_ip").tail(60)
    data = training_set("security_anomaly_v1", spine, home=in_telemetry).data
    detector = DETECTORS["security"].load()
    rows = RowDetector.from_bytes((in_telemetry.bundles(detector.name) / "1" / "rows.npz").read_bytes())
    trained_p_values = rows.score({name: to_numpy(data[name]) for name in rows.columns.names}).p_value
    observations = [
        Observation(row["client_ip"], row["event_timestamp"], {name: row[name] for name in rows.columns.names})
        for row in data.iter_rows(named=True)
    ]
    served_p_values = [detection.p_value for detection in detector.detect(observations).detections]
    np.testing.assert_allclose(served_p_values, trained_p_values, rtol=1e-6)


def test_features_are_looked_up_where_none_are_given(in_telemetry: Home) -> None:
    detector = DETECTORS["audio_quality"].load()
    silent_master = "master-silent_master-000"
    report = detector.detect([Observation(silent_master, datetime.now(UTC)), Observation("nobody", datetime.now(UTC))])
    assert report.detections[0].alarm
    assert report.detections[0].causes
    assert report.detections[1].p_value is None
    assert report.note is not None
    assert "no features online" in report.note
    past_report = detector.detect([Observation(silent_master, START, {"unknown": 1.0})])
    assert past_report.detections[0].p_value is None  # online features do not apply to a past time


def test_features_that_are_left_out_are_looked_up_and_not_taken_for_missing(in_telemetry: Home) -> None:
    detector = DETECTORS["audio_quality"].load()
    entity = "master-001-0003"
    lookup_detection = detector.detect([Observation(entity, datetime.now(UTC))]).detections[0]
    assert detector._rows is not None
    override_detection = detector.detect(
        [Observation(entity, datetime.now(UTC), {"audio_quality__peak": 60.0})]
    ).detections[0]
    past_detection = detector.detect([Observation(entity, START, {"audio_quality__peak": 60.0})]).detections[0]
    assert lookup_detection.p_value is not None
    assert override_detection.p_value is not None
    assert override_detection.p_value < min(lookup_detection.p_value, 0.01)
    assert next(iter(override_detection.causes), "audio_quality__peak") == "audio_quality__peak"
    assert past_detection.p_value is None


def test_a_detector_that_cannot_look_up_says_so_and_goes_on(
    in_telemetry: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFRAIN_REDIS", "")
    detector = SystemAnomalyDetector.load()
    assert detector._lookup is not None
    monkeypatch.setattr("inference.features.lookup.get", _raise_unavailable)
    report = detector.detect([Observation("host-00", datetime.now(UTC), {"cpu_permille": 300})])
    assert report.note is not None
    assert "could not be looked up" in report.note
    assert report.detections[0].verdict == ""


def _raise_unavailable(*arguments: object) -> None:
    from feature_repo.errors import OnlineUnavailable

    raise OnlineUnavailable(expected="Redis", found="nothing", next_command="start it")


def test_simulated_incidents_are_found_by_what_is_served(in_telemetry: Home) -> None:
    """The served detector scores the feature rows of all hosts for the days with incidents."""
    simulated_incidents = incidents(in_telemetry, "host_id").filter(pl.col("kind") == "saturation")
    spine = moments(in_telemetry, ["host_metrics"], "host_id", every=120_000_000)
    spine = spine.filter(
        pl.col("event_timestamp").dt.timestamp("us") >= simulated_incidents["start"].min() - 3_600_000_000
    )
    data = training_set("system_anomaly_v1", spine, home=in_telemetry).data
    detector = SystemAnomalyDetector.load()
    assert detector._rows is not None
    rows = [
        Observation(row["host_id"], row["event_timestamp"], {name: row[name] for name in detector._rows.columns.names})
        for row in data.iter_rows(named=True)
    ]
    reports = detector.detect(rows).incidents
    hits = [
        any(
            incident.entity == entity
            and incident.start.timestamp() * 1e6 <= end
            and incident.end.timestamp() * 1e6 >= start
            for incident in reports
        )
        for entity, start, end in simulated_incidents.select("entity_id", "start", "end").iter_rows()
    ]
    assert sum(hits) >= 2
    assert len(reports) < 20


def test_requests_that_do_not_come_are_noticed_by_what_is_served(in_telemetry: Home) -> None:
    """A trained bundle, fed with metrics of each minute, finds every drop of traffic and names its cause."""
    drops = incidents(in_telemetry, "endpoint").filter(pl.col("kind") == "traffic_drop")
    points = endpoint_points(in_telemetry)
    one_day = 86_400_000_000
    points = points.filter(pl.col("event_timestamp").dt.timestamp("us") > drops["start"].min() - one_day)
    observations = [
        Observation(row["endpoint"], row["event_timestamp"], {name: row[name] for name in ENDPOINT_METRICS})
        for row in points.iter_rows(named=True)
    ]
    detector = DETECTORS["performance"].load()
    before = detector.detect(observations[: len(observations) // 2])
    restored = DETECTORS["performance"].load()
    restored.restore(detector.snapshot())
    after = restored.detect(observations[len(observations) // 2 :])
    assert detector.detect(observations[len(observations) // 2 :]) == after
    alarms = [
        detection
        for detection in (*before.detections, *after.detections)
        if detection.alarm and "requests" in detection.causes
    ]
    for entity, start, end in drops.select("entity_id", "start", "end").iter_rows():
        assert any(alarm.entity == entity and start <= alarm.at.timestamp() * 1e6 <= end for alarm in alarms)


@pytest.mark.parametrize("value", ["many", [1], True])
def test_what_is_no_number_is_an_error_that_names_it(value: object) -> None:
    with pytest.raises(InputError, match="cpu"):
        AnomalyDetector().detect([Observation("h", START, {"cpu": value})])


def test_odd_numbers_are_missing_and_nothing_breaks() -> None:
    values = [None, float("nan"), float("inf"), -float("inf"), 10**400, 1e308, -1e308, 0]
    observations = [
        Observation("h", START + timedelta(minutes=minute), {"cpu": value}) for minute, value in enumerate(values * 10)
    ]
    detections: list[Detection] = AnomalyDetector().detect(observations).detections
    assert detections[0].verdict == detections[1].verdict == detections[2].verdict == "missing"
    assert all(detection.p_value is None or math.isfinite(detection.p_value) for detection in detections)
    json.dumps([detection.p_value for detection in detections], allow_nan=False)


def test_no_observations_are_fine_and_times_without_a_zone_are_utc() -> None:
    assert AnomalyDetector().detect([]).detections == []
    report = AnomalyDetector().detect([Observation("h", datetime(2026, 1, 1), {"x": 1})])
    assert report.detections[0].at == datetime(2026, 1, 1, tzinfo=UTC)


def test_detecting_is_safe_between_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    detector = AnomalyDetector()
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda name: detector.detect(normal_observations(40, name)), [f"h{number}" for number in range(12)]
            )
        )
    assert len(detector._memory.metric_detectors["series"].detector) == 24
    assert time.monotonic() > 0
