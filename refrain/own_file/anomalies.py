"""Anomalies of the series of a file, by the detector that finds most with the fewest false alarms.

All detectors score a value by its series' own past, so that nothing is fitted ahead. They are judged on stretches of
the newer half of every series: the third quarter chooses, the last quarter measures the choice once, beside a plain
rule (far from the mean of the values before). Where a column says which rows are anomalies, these are to be found; else
incidents are planted into a copy, one a stretch, of known kinds: a spike, another level, values that stand still. What
planted incidents show is whether a detector sees such changes in these series, not how it does on the real ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import erfc

from feature_repo.command_line import Progress, silent
from refrain.own_file.observations import Observations
from refrain.own_file.result import Result, Section, Table, Verdict, figures_table, verdict_of
from training.validation.evidence import MODEL_KEY, Evidence
from transforms.pure import svg
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.counts import CountDetector
from transforms.pure.anomaly.incidents import Alarm, Incident, merge
from transforms.pure.anomaly.series import SeriesDetector

PLAIN = "far from the recent mean"
"""Name of the plain rule."""
DEFAULT = "series"
"""Detector that answers where nothing can be measured."""
WINDOW, PLAIN_POLICY = 200, AlarmPolicy(threshold=5.0)
"""Values of the recent mean; the plain rule's alarms, from five standard deviations on."""
STRETCH, PLANTED, LEAST_STRETCHES = 150, 40, 4
"""Values of a stretch, and of a planted incident; fewest stretches of the choice and of the test."""
COPIES, MOST_COPIED = 4, 500_000
"""Copies over which planted incidents are spread, as an alarm raises the threshold for a while; values up to which."""
FALSE_ALARM = 0.11
"""Cost of a false alarm, in incidents that are found; that of NAB's standard profile."""
PICTURES, SHOWN = 8, 2_000
FARTHEST = 37.0
"""Standard deviations at which the tail of a normal distribution is no longer a number."""

Detect = Callable[[Observations], tuple[np.ndarray, np.ndarray]]
"""Observations → (m,) scores, -log10 of how rare a value is, and (m,) alarms."""


@dataclass(frozen=True)
class Stretch:
    """A part of a series that is judged as one.

    Attributes:
        series: the series.
        rows: its rows.
        incident: rows of the incident in it; empty if there is none.
        is_test: whether it measures, and does not choose.
    """

    series: str
    rows: np.ndarray
    incident: np.ndarray
    is_test: bool


def find_anomalies(
    path: Path, observations: Observations, *, seed: int = 0, progress: Progress = silent
) -> tuple[Result, list[Incident]]:
    """Chooses a detector, and finds the anomalies of a file.

    Args:
        path: the file, for titles.
        observations: its values.
        seed: seed of the planted incidents.
        progress: callback of the progress.

    Returns:
        The result, whose answers have ``series``, ``time``, ``value``, ``score`` and ``alarm`` of every value; and the
        incidents, oldest first.
    """
    detectors = _detectors(observations)
    stretches, judged, how = _stretches(observations, seed)
    choosing = [stretch for stretch in stretches if not stretch.is_test]
    testing = [stretch for stretch in stretches if stretch.is_test]
    lines = list(observations.lines)
    sections: list[Section] = []
    if min(len(choosing), len(testing)) < LEAST_STRETCHES or not any(len(each.incident) for each in testing):
        chosen = DEFAULT
        why = (
            f"{len(choosing)} and {len(testing)} stretches of {STRETCH} values in the third and the last quarter of "
            f"the series; {LEAST_STRETCHES} with an incident are needed in each"
        )
        verdict = Verdict("undecided", why)
        lines.append(f"not measured: {why}")
    else:
        worth: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        figures = {}
        for number, (name, detect) in enumerate(detectors.items()):
            progress(number, len(detectors) + 1, f"{name} on {len(stretches)} stretches")
            _, alarms = detect(judged)
            worth[name] = (_worth(alarms, choosing), _worth(alarms, testing))
            figures[name] = _figures(alarms, testing, worth[name][1])
        chosen = max(worth, key=lambda name: worth[name][0].mean())
        names = [f"{stretch.series} {stretch.rows[0]}" for stretch in testing]
        evidence = Evidence.of(
            "incidents found less false alarms",
            names,
            {MODEL_KEY: worth[chosen][1], PLAIN: worth[PLAIN][1]},
            higher_is_better=True,
        )
        verdict = verdict_of(evidence, PLAIN, is_baseline=chosen == PLAIN)
        lines.append(
            f"chosen on {len(choosing)} stretches: {chosen}; measured once on {len(testing)} later ones, {how}"
        )
        text = (
            f"Share of the incidents that were found, false alarms a thousand values, and the worth: incidents found "
            f"less {FALSE_ALARM:g} for every false alarm, by stretch. {how[0].upper()}{how[1:]}."
        )
        sections.append(Section("Detectors on the test", (text,), figures_table(figures, chosen)))
    progress(len(detectors), len(detectors) + 1, f"{chosen} on the file")
    scores, alarms = detectors[chosen](observations)
    incidents = _incidents(observations, scores, alarms)
    lines.append(f"{int(alarms.sum()):,} alarms in {len(incidents):,} incidents")
    sections.append(_incident_section(incidents))
    sections.append(Section("Series", figures=_pictures(observations, alarms)))
    answers = pl.DataFrame(
        {
            "series": observations.names,
            "time": observations.times,
            "value": observations.values,
            "score": scores,
            "alarm": alarms,
        }
    ).with_columns(pl.from_epoch("time", time_unit="us").dt.replace_time_zone("UTC"), pl.col("series").cast(pl.String))
    return Result(f"Anomalies in {path.name}", lines, verdict, sections, answers), incidents


def _detectors(observations: Observations) -> dict[str, Detect]:
    """The detectors that fit the values; counts only where all are whole numbers of 0 or more."""

    def series(given: Observations) -> tuple[np.ndarray, np.ndarray]:
        scores = SeriesDetector().replay(given.names.tolist(), given.times, given.values)
        return np.nan_to_num(scores.score), scores.alarm

    def counts(given: Observations) -> tuple[np.ndarray, np.ndarray]:
        scores = CountDetector().replay(given.names.tolist(), given.times, given.values)
        return np.nan_to_num(scores.score) / np.log(10), scores.alarm  # of nats

    finite = observations.values[np.isfinite(observations.values)]
    are_counts = bool(np.all((finite >= 0) & (finite == np.floor(finite))))
    return {DEFAULT: series, **({"counts": counts} if are_counts else {}), PLAIN: _plain}


def _plain(given: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the mean of the values before, in their standard deviations."""
    value = pl.col("value").fill_nan(None).clip(-1e100, 1e100)
    past = value.shift(1)
    table = pl.DataFrame({"series": given.names.astype(str), "value": given.values}).select(
        distance=(
            (value - past.rolling_mean(WINDOW, min_samples=20)).abs()
            / pl.max_horizontal(past.rolling_std(WINDOW, min_samples=20), pl.lit(1e-9))
        ).over("series")
    )
    distances = table["distance"].fill_null(0.0).fill_nan(0.0).to_numpy()
    entities = np.unique(given.names, return_inverse=True)[1]
    return -np.log10(erfc(np.minimum(distances, FARTHEST) / np.sqrt(2))), PLAIN_POLICY.replay(entities, distances)


def _stretches(observations: Observations, seed: int) -> tuple[list[Stretch], Observations, str]:
    """The stretches, the observations with what is to be found in them, and how that came in, in words."""
    rng = np.random.default_rng(seed)
    labels, count = observations.labels, len(observations.values)
    copies = COPIES if labels is None and count <= MOST_COPIED else 1
    values = np.tile(observations.values, copies)
    stretches: list[Stretch] = []
    for name in dict.fromkeys(observations.names.tolist()):
        rows = np.flatnonzero(observations.names == name)
        first, middle = len(rows) // 2, len(rows) * 3 // 4
        spread = _spread(observations.values[rows[:first]])
        for begin in range(first, len(rows) - STRETCH + 1, STRETCH):
            part = rows[begin : begin + STRETCH]
            if begin < middle < begin + STRETCH:
                continue  # on both sides of the border
            if labels is not None:
                incident = part[labels[part]]
            else:
                part = part + len(stretches) % copies * count
                start = int(rng.integers(STRETCH // 4, STRETCH - PLANTED))
                incident = part[start : start + PLANTED]
                _plant(values, incident, len(stretches) % 3, spread, float(rng.choice([-1.0, 1.0])))
            stretches.append(Stretch(name, part, incident, begin >= middle))
    how = (
        "with the anomalies that the labels name"
        if labels is not None
        else "with one planted incident each (a spike, another level, values that stand still)"
    )
    names = np.concatenate([(f"{copy} " * (copy > 0)) + observations.names.astype(object) for copy in range(copies)])
    planted = Observations(names, np.tile(observations.times, copies), values)
    return stretches, planted, how


def _spread(values: np.ndarray) -> float:
    """A robust standard deviation of values."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 1.0
    quarter = float(np.subtract(*np.quantile(finite, [0.75, 0.25]))) / 1.35
    return quarter or float(np.abs(finite).max()) * 0.05 or 1.0


def _plant(values: np.ndarray, rows: np.ndarray, kind: int, spread: float, sign: float) -> None:
    match kind:
        case 0:
            values[rows[:3]] += sign * 8 * spread
        case 1:
            values[rows] += sign * 4 * spread
        case _:
            values[rows] = values[rows[0]]


def _worth(alarms: np.ndarray, stretches: list[Stretch]) -> np.ndarray:
    """(stretches,) 1 for an incident that is found, less the cost of alarms elsewhere in the stretch."""
    hits = np.array([float(alarms[each.incident].any()) for each in stretches])
    false = np.array([int(alarms[each.rows].sum()) - int(alarms[each.incident].sum()) for each in stretches])
    return hits - FALSE_ALARM * false


def _figures(alarms: np.ndarray, stretches: list[Stretch], worth: np.ndarray) -> dict[str, float]:
    with_incident = [each for each in stretches if len(each.incident)]
    share = np.mean([alarms[each.incident].any() for each in with_incident])
    false = sum(int(alarms[each.rows].sum()) - int(alarms[each.incident].sum()) for each in stretches)
    count = sum(len(each.rows) - len(each.incident) for each in stretches)
    return {"found": float(share), "false alarms per 1,000": 1_000 * false / count, "worth": float(worth.mean())}


def _incidents(observations: Observations, scores: np.ndarray, alarms: np.ndarray) -> list[Incident]:
    return merge(
        Alarm(
            str(observations.names[row]),
            int(observations.times[row]),
            float(scores[row]),
            10 ** -min(float(scores[row]), 300.0),
            {str(observations.names[row]).rpartition("/")[2]: 1.0},
        )
        for row in np.flatnonzero(alarms)
    )


def moment(micros: int) -> datetime:
    """A time of an incident, UTC."""
    return datetime.fromtimestamp(micros / 1e6, UTC)


def _incident_section(incidents: list[Incident]) -> Section:
    worst = sorted(incidents, key=lambda incident: -incident.worst)[:100]
    rows = [
        [
            each.entity,
            f"{moment(each.start):%Y-%m-%d %H:%M}",
            f"{moment(each.end):%Y-%m-%d %H:%M}",
            each.alarms,
            f"{each.worst:.1f}",
        ]
        for each in sorted(worst, key=lambda incident: incident.start)
    ]
    text = f"{len(incidents):,} incidents" + (f", the {len(worst)} with the highest scores" if rows[100:] else "")
    return Section(
        "Incidents", (text,), Table(["series", "first alarm", "last alarm", "alarms", "score"], rows, (3, 4))
    )


def _pictures(observations: Observations, alarms: np.ndarray) -> list[str]:
    """Charts of the series with most alarms; long ones show the values around their newest alarm."""
    rows_of = {name: np.flatnonzero(observations.names == name) for name in dict.fromkeys(observations.names.tolist())}
    counts = {name: int(alarms[rows].sum()) for name, rows in rows_of.items()}
    pictures = []
    for name in sorted(counts, key=lambda name: -counts[name])[:PICTURES]:
        rows = rows_of[name]
        places = np.flatnonzero(alarms[rows])
        last = min((int(places[-1]) if len(places) else len(rows)) + SHOWN // 4, len(rows))
        newest = rows[max(last - SHOWN, 0) : last]
        values = [value if np.isfinite(value) else None for value in observations.values[newest].tolist()]
        marks = np.flatnonzero(alarms[newest]).tolist()
        pictures.append(svg.lines(f"{name}; dots are alarms", [values], marks=marks))
    return pictures
