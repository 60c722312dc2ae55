"""Targets of detectors: rows of attacks, and metrics with a lasting change; and those of the registered detectors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from feature_repo.bundle import Bundle, open_bundle
from feature_repo.errors import InputError
from training.datasets import training_set
from training.datasets.history import of_kept_history
from training.datasets.telemetry import incidents
from training.models.anomaly.detector import metrics_of
from training.models.anomaly.model import DetectorModel
from training.models.anomaly.run import CALIBRATE, columns
from training.models.anomaly.scores import rows_in_incidents, score_rows, take_rows
from training.robustness.subject import Request, Subject
from training.robustness.target import Target
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration
from transforms.pure.anomaly.rows import RowDetector
from transforms.pure.anomaly.series import SeriesDetector, SeriesSettings

HEIGHT = 8.0
"""Height of a lasting change, in robust standard deviations of a metric."""
LONGEST, TAIL = 4_000, 1_500
"""Most values of a metric that are streamed, and those of them from the change on."""
MOST_STREAMS = 24
NEARBY = 5
"""Values within which two alarms are the same."""
PLANTED, DISTANCE = 3, 8.0
"""Numbers that an invented attack moves, and by how many standard deviations of normal rows."""
Features = Mapping[str, np.ndarray]


def detections_target(
    score: Callable[[Features], np.ndarray],
    attacks: Features,
    normal: Features,
    clusters: np.ndarray,
    judged: str,
) -> Target[dict[str, Any]]:
    """Makes the target of rows of attacks.

    Args:
        score: function of feature → m values to (m,) how far rows are above the alarm threshold.
        attacks: feature → n values of the attacks' rows.
        normal: feature → values of normal rows that the detector did not learn from.
        clusters: (n,) cluster of each row, such as its incident.
        judged: what the detector learned from, and what the rows are.
    """
    inputs = _rows(attacks)

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        if not len(changed):
            return np.empty(0)
        by_feature = {name: _column([row[name] for row in changed]) for name in attacks}
        return score(by_feature)

    extra = {"normal": _rows(normal)}
    return Target(
        "detections", inputs, margins, "attacks_caught", clusters=np.asarray(clusters), judged=judged, extra=extra
    )


def streams_target(
    series: Sequence[tuple[np.ndarray, np.ndarray]],
    policies: Sequence[AlarmPolicy],
    settings: SeriesSettings,
    judged: str,
    *,
    seed: int = 0,
) -> Target[np.ndarray]:
    """Makes the target of metrics that change for good, up or down, some time before their end.

    Args:
        series: times in microseconds and values of each metric.
        policies: alarm policy of each metric.
        settings: settings of the detector, which starts without any memory.
        judged: what the metrics are.
        seed: seed of the directions.
    """
    rng = np.random.default_rng(seed)
    inputs, starts, times_of = [], [], []
    for all_times, all_values in series:
        times, values = all_times[-LONGEST:], all_values[-LONGEST:]
        start = len(values) - min(TAIL, len(values) // 3)
        known = values[:start][np.isfinite(values[:start])]
        low, high = np.quantile(known, [0.25, 0.75]) if len(known) else (0.0, 0.0)
        spread = max(float(high - low) / 1.349, 0.1 * float(known.std()) if len(known) else 0.0, 1e-9)
        added = np.where(np.arange(len(values)) >= start, HEIGHT * spread * rng.choice([-1.0, 1.0]), 0.0)
        inputs.append(np.stack([values, added]))
        starts.append(start)
        times_of.append(times)

    def alarms(streams: Sequence[np.ndarray], units: np.ndarray) -> list[np.ndarray]:
        """Replays all streams together, which takes as long as the longest; returns the places of their alarms."""
        if not len(streams):
            return []
        lengths = [len(stream) for stream in streams]
        names = [str(place) for place, length in enumerate(lengths) for _ in range(length)]
        times = np.concatenate([times_of[unit] for unit in units])
        detector = SeriesDetector(settings, most=len(streams))
        scores = np.nan_to_num(detector.replay(names, times, np.concatenate(list(streams))).score)
        parts = np.split(scores, np.cumsum(lengths)[:-1])
        return [
            np.flatnonzero(policies[unit].replay(np.zeros(len(part), np.int64), part))
            for part, unit in zip(parts, units, strict=True)
        ]

    without = alarms([stream[0] for stream in inputs], np.arange(len(inputs)))

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        """1 if there is an alarm from the change on that is not there without it, nearby, else -1."""
        result = np.full(len(units), -1.0)
        raised = alarms([stream.sum(axis=0) for stream in changed], units)
        for place, (places, unit) in enumerate(zip(raised, units, strict=True)):
            later = places[places >= starts[unit]]
            if any(np.abs(without[unit] - one).min(initial=LONGEST) > NEARBY for one in later):
                result[place] = 1.0
        return result

    return Target("streams", inputs, margins, "attacks_caught", judged=judged, part="metrics")


def targets(request: Request) -> Sequence[Target[Any]]:
    """Returns the rows of incidents after the detector's thresholds were chosen, and its metrics with a change.

    Raises:
        BundleError: there is no version.
        InputError: there are no incidents to ask about, and no metrics.
    """
    model = request.model
    assert isinstance(model, DetectorModel)
    name = model.name if request.version is None else f"{model.name}:{request.version}"
    bundle = open_bundle(name, request.home)
    made = [*_detections(request, model, bundle), *_streams(request, model, bundle)]
    if not made:
        raise InputError(
            expected=f"labelled incidents after the cutoff of {bundle.name_version}, or metrics",
            found="neither",
            next_command="refrain import telemetry PATH && refrain build",
        )
    return made


def _detections(request: Request, model: DetectorModel, bundle: Bundle) -> list[Target[Any]]:
    home, detector, extra = request.home, model.detector, bundle.manifest["extra"]
    spine = of_kept_history(home, detector.service, detector.moments(home)).sort("event_timestamp")
    if spine.is_empty():
        return []
    times, entities = spine["event_timestamp"].dt.timestamp("us").to_numpy(), spine[detector.key].to_numpy()
    first, last = int(times[0]), int(times[-1]) + 1
    known = incidents(home, detector.key)
    is_attack = rows_in_incidents(known, entities, times, 0)
    is_normal = ~rows_in_incidents(known, entities, times, detector.aftermath)
    is_test = times >= first + CALIBRATE * (last - first)
    rng = np.random.default_rng(request.seed)
    attacks = rng.permutation(np.flatnonzero(is_attack & is_test))[: max(request.rows, 1)]
    normal = rng.permutation(np.flatnonzero(is_normal & is_test))[:200]
    chosen = np.sort(np.concatenate([attacks, normal]))
    data = training_set(detector.service, spine[chosen], home=home).data
    pulled = columns(data, [detector.key, "event_timestamp"])
    moments = data["event_timestamp"].dt.timestamp("us").to_numpy()
    names = data[detector.key].to_numpy()
    attacked = rows_in_incidents(known, names, moments, 0)
    row_detector = RowDetector.from_bytes(bundle.read("rows.npz"))
    head = (bundle.read("head.onnx"), Calibration.from_json(extra["head"])) if extra.get("head") else None
    missing = {one: np.full(len(names), None, object) for one in row_detector.columns.names if one not in pulled}
    features = {**pulled, **missing}
    limits = extra["policy"]["threshold"], extra["deviation"]["threshold"]

    def score(rows: Features) -> np.ndarray:
        rarity, deviation = score_rows(row_detector, head, rows, len(next(iter(rows.values()))))
        return np.maximum(rarity / limits[0], deviation / limits[1]) - 1

    normal_rows = take_rows(features, np.flatnonzero(~attacked))
    if attacked.any():
        judged = "Held out by time: rows of incidents after the thresholds were chosen; caught is what reaches one."
        attack_rows = np.flatnonzero(attacked)
        return [detections_target(score, take_rows(features, attack_rows), normal_rows, names[attack_rows], judged)]
    judged = f"No incident was labelled after the thresholds were chosen: normal rows with {PLANTED} numbers moved by "
    judged += f"{DISTANCE:g} standard deviations."
    planted = _planted(normal_rows, request.rows, request.seed)
    return [detections_target(score, planted, normal_rows, names[~attacked][: request.rows], judged)]


def _planted(normal: Features, most: int, seed: int) -> dict[str, np.ndarray]:
    """Moves some numbers of the first normal rows far up or down."""
    rng = np.random.default_rng(seed)
    rows = {name: values[:most].copy() for name, values in normal.items()}
    numeric = [name for name, values in rows.items() if values.dtype.kind == "f" and np.nanstd(normal[name]) > 0]
    for row in range(len(next(iter(rows.values()), []))):
        for name in rng.permutation(numeric)[:PLANTED]:
            rows[name][row] += rng.choice([-1.0, 1.0]) * DISTANCE * np.nanstd(normal[name])
    return rows


def _streams(request: Request, model: DetectorModel, bundle: Bundle) -> list[Target[Any]]:
    detector, extra = model.detector, bundle.manifest["extra"]
    if detector.points is None or "series" not in extra:
        return []
    points = detector.points(request.home).sort(detector.key, "event_timestamp")
    series, policies = [], []
    for (_entity,), part in points.group_by([detector.key], maintain_order=True):
        moments = part["event_timestamp"].dt.timestamp("us").to_numpy()
        for metric in metrics_of(points, detector.key):
            if metric not in extra["series"]["thresholds"]:
                continue
            series.append((moments, part[metric].cast(pl.Float64).fill_null(np.nan).to_numpy()))
            policies.append(
                AlarmPolicy(**{**extra["series"]["policy"], "threshold": extra["series"]["thresholds"][metric]})
            )
    order = np.random.default_rng(request.seed).permutation(len(series))[: min(MOST_STREAMS, request.rows)]
    if not len(order):
        return []
    judged = (
        f"Metrics of the data folder with a lasting change of {HEIGHT:g} robust standard deviations near their end."
    )
    return [
        streams_target(
            [series[place] for place in order],
            [policies[place] for place in order],
            SeriesSettings(**extra["series"]["settings"]),
            judged,
            seed=request.seed,
        )
    ]


def _rows(features: Features) -> list[dict[str, Any]]:
    lists = {name: values.tolist() for name, values in features.items()}
    count = len(next(iter(lists.values()), []))
    return [{name: values[row] for name, values in lists.items()} for row in range(count)]


def _column(values: list[Any]) -> np.ndarray:
    if all(isinstance(value, float | int) and not isinstance(value, bool) for value in values):
        return np.array(values, np.float64)
    return np.array(values, object)


SUBJECT = Subject("detectors", ("detections", "streams"), targets, model_type=DetectorModel)
