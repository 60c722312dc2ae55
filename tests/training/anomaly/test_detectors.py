"""Training of anomaly detectors: the rows of the fit, the thresholds, the incidents found, and the supervised head."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.evaluate.incidents import AFTERMATH, SOON, WEEK, incident_metrics, quiet_weeks
from training.models.anomaly import run as running
from training.models.anomaly.audio_quality_anomaly_detector import AUDIO_QUALITY
from training.models.anomaly.detector import POLICY
from training.models.anomaly.supervised import calibrated, fit_head
from training.models.anomaly.system_anomaly_detector import SYSTEM
from training.models.anomaly.threshold import choose, find_incidents
from training.models.lightgbm_onnx import OnnxBooster
from transforms.pure.anomaly.incidents import MINUTE, Incident


def incident_labels(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    schema = {"entity_id": pl.String, "kind": pl.String, "start": pl.Int64, "end": pl.Int64}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def test_incidents_are_found_soon_late_or_not_and_others_are_false() -> None:
    labelled = incident_labels(
        ("a", "leak", 1_000 * MINUTE, 1_100 * MINUTE),
        ("a", "leak", 5_000 * MINUTE, 5_100 * MINUTE),
        ("b", "leak", 1_000 * MINUTE, 1_100 * MINUTE),
        ("b", "burst", 9_000 * MINUTE, 9_010 * MINUTE),
    )
    incidents = [
        Incident("a", 1_000 * MINUTE + SOON, 1_050 * MINUTE),
        Incident("a", 5_100 * MINUTE + AFTERMATH, 5_200 * MINUTE),  # late, but within the aftermath
        Incident("a", 5_101 * MINUTE + AFTERMATH + 60 * MINUTE, 5_400 * MINUTE),  # too late
        Incident("b", 100 * MINUTE, 120 * MINUTE),
        Incident("b", 8_990 * MINUTE, 9_005 * MINUTE),  # begins before the labelled incident and overlaps it
        Incident("c", 1_000 * MINUTE, 1_010 * MINUTE),
    ]
    metrics = incident_metrics(incidents, labelled, entity_weeks=3.0)
    assert (metrics["leak"].found, metrics["leak"].soon) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (metrics["burst"].soon, metrics["burst"].delay) == (1.0, 0.0)
    assert metrics["all"].false_a_week == pytest.approx(1.0)
    assert metrics["all"].incidents == 4


def test_quiet_weeks_leave_out_what_is_labelled_once() -> None:
    day = 1_440 * MINUTE
    labelled = incident_labels(("a", "x", day, 2 * day), ("a", "y", day, 2 * day), ("b", "x", 6 * day, 99 * day))
    weeks = quiet_weeks(labelled, (0, 7 * day), entities=3, aftermath=day)
    assert weeks * WEEK == 3 * 7 * day - 2 * day - day


def test_silent_and_noisy_detectors_fail_the_measures() -> None:
    labelled = incident_labels(("a", "leak", 1_000 * MINUTE, 1_100 * MINUTE))
    silent = incident_metrics([], labelled, 1.0)["all"]
    noisy = incident_metrics(
        [Incident("a", minute * MINUTE, minute * MINUTE) for minute in range(0, 9_000, 40)], labelled, 1.0
    )
    assert silent.found == 0
    assert np.isnan(silent.delay)
    assert noisy["all"].false_a_week > 100


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("most", [0.2, 2.0, 40.0])
def test_thresholds_keep_their_budget_on_days_they_have_not_seen(most: float, heavy: bool) -> None:
    def day(seed: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(seed)
        scores = rng.exponential(1.0, 60_000)
        series = rng.integers(0, 10, 60_000)
        return series, series, np.arange(60_000) * MINUTE, np.exp(scores / 3) if heavy else scores

    policy = choose(POLICY, *day(0), most=most, gap=30 * MINUTE, lowest=1.0, heavy=heavy)
    incident_counts = [len(find_incidents(policy, *day(seed), gap=30 * MINUTE)) for seed in range(1, 9)]
    assert np.mean(incident_counts) <= 1.5 * most + 0.5
    if most >= 2:
        assert np.mean(incident_counts) > 0.05 * most


def test_a_constant_score_never_speaks() -> None:
    scores = np.full(500, 1.0)
    numbers = np.zeros(500, int)
    policy = choose(POLICY, numbers, numbers, np.arange(500), scores, most=1, gap=1, lowest=2.0)
    assert find_incidents(policy, numbers, numbers, np.arange(500), scores, gap=1) == []


def test_the_head_equals_what_was_trained_and_learns_what_was_labelled() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3_000, 5))
    labels = matrix[:, 2] > 1.5
    onnx = fit_head(matrix, labels)
    new_rows = rng.normal(size=(1_000, 5))
    scores = OnnxBooster(onnx).predict(new_rows.astype(np.float32))
    assert scores[new_rows[:, 2] > 1.6].min() > scores[new_rows[:, 2] < 1.4].max()
    p_value = calibrated(onnx, matrix[~labels]).p_value(scores)
    assert p_value[new_rows[:, 2] > 1.6].max() < 0.1


def test_the_small_service_is_watched_well(telemetry: Home) -> None:
    manifest = json.loads((telemetry.bundles("system_anomaly_detector") / "1" / "manifest.json").read_text())
    metrics = manifest["metrics"]
    assert metrics["saturation/detector"]["found"] >= 0.6
    assert metrics["all/detector"]["false_a_week"] <= 3
    assert manifest["family"] == "anomaly"
    assert manifest["feature_service"] == "system_anomaly_v1"
    assert set(manifest["extra"]["series"]["thresholds"]) >= {"cpu_permille", "memory_permille"}
    audio = json.loads((telemetry.bundles("audio_quality_anomaly_detector") / "1" / "manifest.json").read_text())
    assert audio["metrics"]["all/detector"]["soon"] >= 0.8


def test_nothing_is_fitted_on_what_comes_later_or_on_incidents(
    in_telemetry: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    positions: dict[str, np.ndarray] = {}
    fit_rows = running.fit_rows

    def recording_fit_rows(rows: dict[str, np.ndarray], others: dict[str, np.ndarray], **options: int) -> object:
        positions["fit"], positions["held"] = rows["place"], others["place"]
        return fit_rows(rows, others, **options)

    columns = running.columns
    monkeypatch.setattr(running, "fit_rows", recording_fit_rows)
    monkeypatch.setattr(
        running, "columns", lambda data, keys: {**columns(data, keys), "place": np.arange(data.height, dtype=float)}
    )
    monkeypatch.setattr(running, "_register", lambda *arguments: 1)
    spine = AUDIO_QUALITY.moments(in_telemetry)
    running.run(in_telemetry, AUDIO_QUALITY)
    times = spine["event_timestamp"].dt.timestamp("us").to_numpy()
    span = times.min(), times.max()
    assert times[positions["fit"].astype(int)].max() < span[0] + running.FIT * (span[1] - span[0])
    calibration_times = times[positions["held"].astype(int)]
    assert calibration_times.min() >= times[positions["fit"].astype(int)].max()
    assert calibration_times.max() < span[0] + running.CALIBRATE * (span[1] - span[0]) + 1
    is_incident = spine["track_id"].str.contains("clipped|silent").to_numpy()
    assert not is_incident[np.concatenate([positions["fit"], positions["held"]]).astype(int)].any()


def test_a_head_is_trained_once_incidents_are_labelled(in_telemetry: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: dict[str, object] = {}
    monkeypatch.setattr(running, "_register", lambda *arguments: registered.setdefault("files", arguments[2]) and 1)
    labelled = running.incidents(in_telemetry, "track_id")
    track_ids = AUDIO_QUALITY.moments(in_telemetry).head(40)["track_id"].to_list()
    times = AUDIO_QUALITY.moments(in_telemetry).head(40)["event_timestamp"].dt.timestamp("us").to_list()
    new_labels = pl.DataFrame(
        [(name, "hum", time - 1, time + 1, time) for name, time in zip(track_ids[:20], times, strict=False)],
        schema=labelled.schema,
        orient="row",
    )
    monkeypatch.setattr(running, "incidents", lambda home, key: pl.concat([labelled, new_labels]))
    running.run(in_telemetry, AUDIO_QUALITY)
    assert "head.onnx" in registered["files"]  # type: ignore[operator]


def test_without_events_the_next_command_is_told(home: Home) -> None:
    with pytest.raises(InputError, match="simulate-telemetry"):
        running.run(home, replace(SYSTEM, points=None))
