"""Formats a monitoring report as an HTML page and as lines for a terminal."""

from collections.abc import Iterator
from pathlib import Path

from feature_repo import clock
from feature_repo.home import Home
from inference.monitoring.freshness import cells
from inference.monitoring.watch import Comparison, MonitoringReport
from transforms.pure import svg
from transforms.pure.drift import Drift
from transforms.pure.svg import Html

MAX_HISTOGRAMS = 12
_CLASS = {"stable": "good", "moved": "note", "drifted": "bad"}


def lines(report: MonitoringReport) -> Iterator[str]:
    """Yield the lines of a summary: what was compared, and the alarms."""
    yield f"the {report.days:g} days up to {report.at:%Y-%m-%d %H:%M} UTC"
    for comparison in (*report.answers, *report.services):
        if not comparison.baseline:
            yield f"{comparison.name:32}{comparison.after:>9,} rows, too few to compare (with {comparison.before:,})"
            continue
        counts = [sum(drift.verdict == verdict for drift in comparison.drifts) for verdict in _CLASS]
        yield (
            f"{comparison.name:32}{comparison.after:>9,} rows beside {comparison.before:,} of {comparison.baseline}: "
            + ", ".join(f"{count} {verdict}" for count, verdict in zip(counts, _CLASS, strict=True))
        )
    for day in report.quality:
        yield f"{day.day}  {day.model:24}{day.shown:>9,} shown, {day.precision:.2%} played within the hour"
    yield from (f"LOOK  {alarm}" for alarm in report.alarms)
    yield from (f"UNKNOWN  {gap}" for gap in report.gaps)


def write(report: MonitoringReport, home: Home, path: Path | None = None) -> Path:
    """Write the page atomically; return its path."""
    path = path or home.reports / f"monitor-{report.at:%Y%m%dT%H%M%S}.html"
    return svg.write(path, page(report))


def page(report: MonitoringReport) -> str:
    """Render a self-contained HTML page."""
    lists = {"look at": report.alarms, "not known": report.gaps}
    verdict = "".join(
        svg.table([title], [[Html(f"<span class=bad>{svg.escape(message)}</span>")] for message in messages])
        for title, messages in lists.items()
        if messages
    )
    verdict = verdict or "<p class=good>Nothing drifted, answers were in time, and features are fresh.</p>"
    body = [
        f"<p>The {report.days:g} days up to {report.at:%Y-%m-%d %H:%M} UTC, "
        f"beside the {report.reference:g} days before.</p>",
        verdict,
        "<h2>Answers</h2>",
        *(_comparison_section(comparison) for comparison in report.answers),
        "" if report.answers else "<p>None were logged; set REFRAIN_LOG_PREDICTIONS=0.1 where it is served.</p>",
        "<h2>Features as they were served</h2>",
        *(_comparison_section(comparison) for comparison in report.services),
        "" if report.services else "<p>None were logged; set REFRAIN_LOG_LOOKUPS=0.01 where it is served.</p>",
        "<h2>Live quality</h2>",
        _quality_section(report),
        "<h2>Time to answer</h2>",
        _latency_section(report),
        "<h2>Freshness of features</h2>",
        _freshness_section(report),
        "<p class=note>Population stability index: below 0.1 beyond chance stable, above 0.25 drifted; a change of "
        "more than 20 points of missing values is drift, too. Wasserstein is in standard deviations of before.</p>",
    ]
    return svg.page("Refrain: monitoring", "".join(body))


def _comparison_section(comparison: Comparison) -> str:
    title = f"<h3>{svg.escape(comparison.name)}</h3>"
    if not comparison.baseline:
        return f"{title}<p>{comparison.after:,} rows, too few to compare (with {comparison.before:,}).</p>"
    summary = f"<p>{comparison.after:,} rows beside {comparison.before:,} of {svg.escape(comparison.baseline)}.</p>"
    heads = ["name", "verdict", "PSI", "by chance", "KS", "Wasserstein", "missing", "new", "why"]
    rows = [_drift_row(drift) for drift in comparison.drifts]
    histogram_columns = [drift.name for drift in comparison.drifts if drift.name in comparison.samples][:MAX_HISTOGRAMS]
    histograms = "".join(svg.histograms(name, *comparison.samples[name]) for name in histogram_columns)
    return (
        f"{title}{summary}{svg.table(heads, rows, numbers=(2, 3, 4, 5))}"
        f"<details><summary>Distributions</summary>{histograms}</details>"
    )


def _drift_row(drift: Drift) -> list[object]:
    new_values = ", ".join(f"{value} ×{count}" for value, count in drift.new.items())
    return [
        drift.name,
        Html(f"<span class={_CLASS[drift.verdict]}>{drift.verdict}</span>"),
        f"{drift.psi:.3f}",
        f"{drift.chance:.3f}",
        "" if drift.ks is None else f"{drift.ks:.3f}",
        "" if drift.wasserstein is None else f"{drift.wasserstein:.3f}",
        f"{drift.missing_before:.1%} → {drift.missing_after:.1%}",
        new_values,
        "; ".join(drift.reasons),
    ]


def _quality_section(report: MonitoringReport) -> str:
    if not report.quality:
        return "<p>No recommendations were logged; set REFRAIN_LOG_IMPRESSIONS=1 where it is served.</p>"
    rows = [
        [
            day_quality.day,
            day_quality.model,
            f"{day_quality.shown:,}",
            f"{day_quality.played:,}",
            f"{day_quality.precision:.2%}",
            "" if day_quality.ndcg is None else f"{day_quality.ndcg:.3f}",
            f"{day_quality.open:,}",
        ]
        for day_quality in report.quality
    ]
    heads = ["day", "model", "shown", "played", "precision", "NDCG", "answers still open"]
    picture = svg.lines("Precision by day", [[day_quality.precision for day_quality in report.quality]])
    return picture + svg.table(heads, rows, numbers=(2, 3, 4, 5, 6))


def _latency_section(report: MonitoringReport) -> str:
    if not report.latency:
        return "<p>No answers were logged.</p>"
    rows = [
        [day, f"{count:,}", f"{p50:.1f}", f"{p99:.1f}", f"{within:.2%}"]
        for day, (count, p50, p99, within) in report.latency.items()
    ]
    p99s = [p99 for _, _, p99, _ in report.latency.values()]
    picture = svg.lines("p99 by day, ms; dashed: the goal", [p99s], goal=report.goal)
    return picture + svg.table(["day", "answers", "p50 ms", "p99 ms", "in time"], rows, numbers=(1, 2, 3, 4))


def _freshness_section(report: MonitoringReport) -> str:
    if report.freshness is None:
        return "<p class=bad>The online store does not answer.</p>"
    rows = cells(report.freshness, clock.seconds(), report.at.timestamp())
    return svg.table(["view", "age", "written", "rows"], rows, numbers=(1, 2, 3))
