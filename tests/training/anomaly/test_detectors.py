"""Training a detector: what it may see, how its thresholds are chosen, what it finds, and what it hands on."""

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


def truth(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    schema = {"entity_id": pl.String, "kind": pl.String, "start": pl.Int64, "end": pl.Int64}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def test_incidents_are_found_soon_late_or_not_and_others_are_false() -> None:
    labelled = truth(
        ("a", "leak", 1_000 * MINUTE, 1_100 * MINUTE),
        ("a", "leak", 5_000 * MINUTE, 5_100 * MINUTE),
        ("b", "leak", 1_000 * MINUTE, 1_100 * MINUTE),
        ("b", "burst", 9_000 * MINUTE, 9_010 * MINUTE),
    )
    said = [
        Incident("a", 1_000 * MINUTE + SOON, 1_050 * MINUTE),
        Incident("a", 5_100 * MINUTE + AFTERMATH, 5_200 * MINUTE),  # late, but still about it
        Incident("a", 5_101 * MINUTE + AFTERMATH + 60 * MINUTE, 5_400 * MINUTE),  # too late
        Incident("b", 100 * MINUTE, 120 * MINUTE),
        Incident("b", 8_990 * MINUTE, 9_005 * MINUTE),  # spoke before, and still does
        Incident("c", 1_000 * MINUTE, 1_010 * MINUTE),
    ]
    found = incident_metrics(said, labelled, entity_weeks=3.0)
    assert (found["leak"].found, found["leak"].soon) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (found["burst"].soon, found["burst"].delay) == (1.0, 0.0)
    assert found["all"].false_a_week == pytest.approx(1.0)
    assert found["all"].incidents == 4


def test_quiet_weeks_leave_out_what_is_labelled_once() -> None:
    day = 1_440 * MINUTE
    labelled = truth(("a", "x", day, 2 * day), ("a", "y", day, 2 * day), ("b", "x", 6 * day, 99 * day))
    found = quiet_weeks(labelled, (0, 7 * day), entities=3, aftermath=day)
    assert found * WEEK == 3 * 7 * day - 2 * day - day


def test_silent_and_noisy_detectors_fail_the_measures() -> None:
    labelled = truth(("a", "leak", 1_000 * MINUTE, 1_100 * MINUTE))
    silent = incident_metrics([], labelled, 1.0)["all"]
    noisy = incident_metrics([Incident("a", at * MINUTE, at * MINUTE) for at in range(0, 9_000, 40)], labelled, 1.0)
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
    spoken = [len(find_incidents(policy, *day(seed), gap=30 * MINUTE)) for seed in range(1, 9)]
    assert np.mean(spoken) <= 1.5 * most + 0.5
    if most >= 2:
        assert np.mean(spoken) > 0.05 * most


def test_a_constant_score_never_speaks() -> None:
    scores = np.full(500, 1.0)
    numbers = np.zeros(500, int)
    policy = choose(POLICY, numbers, numbers, np.arange(500), scores, most=1, gap=1, lowest=2.0)
    assert find_incidents(policy, numbers, numbers, np.arange(500), scores, gap=1) == []


def test_the_head_equals_what_was_trained_and_learns_what_was_labelled() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(3_000, 5))
    labels = matrix[:, 2] > 1.5
    content = fit_head(matrix, labels)
    fresh = rng.normal(size=(1_000, 5))
    scores = OnnxBooster(content).predict(fresh.astype(np.float32))
    assert scores[fresh[:, 2] > 1.6].min() > scores[fresh[:, 2] < 1.4].max()
    p_value = calibrated(content, matrix[~labels]).p_value(scores)
    assert p_value[fresh[:, 2] > 1.6].max() < 0.1


def test_the_small_service_is_watched_well(telemetry: Home) -> None:
    manifest = json.loads((telemetry.bundles("system_anomaly_detector") / "1" / "manifest.json").read_text())
    figures = manifest["metrics"]
    assert figures["saturation/detector"]["found"] >= 0.6
    assert figures["all/detector"]["false_a_week"] <= 3
    assert manifest["family"] == "anomaly"
    assert manifest["feature_service"] == "system_anomaly_v1"
    assert set(manifest["extra"]["series"]["thresholds"]) >= {"cpu_permille", "memory_permille"}
    audio = json.loads((telemetry.bundles("audio_quality_anomaly_detector") / "1" / "manifest.json").read_text())
    assert audio["metrics"]["all/detector"]["soon"] >= 0.8


def test_nothing_is_fitted_on_what_comes_later_or_on_incidents(
    in_telemetry: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, np.ndarray] = {}
    fit = running.fit_rows

    def noted(rows: dict[str, np.ndarray], others: dict[str, np.ndarray], **more: int) -> object:
        seen["fit"], seen["held"] = rows["place"], others["place"]
        return fit(rows, others, **more)

    columns = running.columns
    monkeypatch.setattr(running, "fit_rows", noted)
    monkeypatch.setattr(
        running, "columns", lambda data, keys: {**columns(data, keys), "place": np.arange(data.height, dtype=float)}
    )
    monkeypatch.setattr(running, "_register", lambda *more: 1)
    spine = AUDIO_QUALITY.moments(in_telemetry)
    running.run(in_telemetry, AUDIO_QUALITY)
    times = spine["event_timestamp"].dt.timestamp("us").to_numpy()
    span = times.min(), times.max()
    assert times[seen["fit"].astype(int)].max() < span[0] + running.FIT * (span[1] - span[0])
    held = times[seen["held"].astype(int)]
    assert held.min() >= times[seen["fit"].astype(int)].max()
    assert held.max() < span[0] + running.CALIBRATE * (span[1] - span[0]) + 1
    spoiled = spine["track_id"].str.contains("clipped|silent").to_numpy()
    assert not spoiled[np.concatenate([seen["fit"], seen["held"]]).astype(int)].any()


def test_a_head_is_trained_once_incidents_are_labelled(in_telemetry: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[str, object] = {}
    monkeypatch.setattr(running, "_register", lambda *more: taken.setdefault("files", more[2]) and 1)
    labelled = running.incidents(in_telemetry, "track_id")
    early = AUDIO_QUALITY.moments(in_telemetry).head(40)["track_id"].to_list()
    stamps = AUDIO_QUALITY.moments(in_telemetry).head(40)["event_timestamp"].dt.timestamp("us").to_list()
    more = pl.DataFrame(
        [(name, "hum", at - 1, at + 1, at) for name, at in zip(early[:20], stamps, strict=False)],
        schema=labelled.schema,
        orient="row",
    )
    monkeypatch.setattr(running, "incidents", lambda home, key: pl.concat([labelled, more]))
    running.run(in_telemetry, AUDIO_QUALITY)
    assert "head.onnx" in taken["files"]  # type: ignore[operator]


def test_without_events_the_next_command_is_told(home: Home) -> None:
    with pytest.raises(InputError, match="simulate-telemetry"):
        running.run(home, replace(SYSTEM, points=None))
