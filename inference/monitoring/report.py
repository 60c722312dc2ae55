"""What was watched, as one page and as lines for a terminal."""

from collections.abc import Iterator
from pathlib import Path

from feature_repo import clock
from feature_repo.home import Home
from inference.monitoring.freshness import cells
from inference.monitoring.watch import Compared, Watched
from transforms.pure import svg
from transforms.pure.drift import Drift
from transforms.pure.svg import Html

MOST_PICTURES = 12
_CLASS = {"stable": "good", "moved": "note", "drifted": "bad"}


def lines(found: Watched) -> Iterator[str]:
    """The shortest form: what was compared, and what somebody should look at."""
    yield f"the {found.days:g} days up to {found.at:%Y-%m-%d %H:%M} UTC"
    for part in (*found.answers, *found.services):
        if not part.against:
            yield f"{part.name:32}{part.after:>9,} rows, too few to compare (with {part.before:,})"
            continue
        counts = [sum(one.verdict == verdict for one in part.found) for verdict in _CLASS]
        yield (
            f"{part.name:32}{part.after:>9,} rows beside {part.before:,} of {part.against}: "
            + ", ".join(f"{count} {verdict}" for count, verdict in zip(counts, _CLASS, strict=True))
        )
    for one in found.quality:
        yield f"{one.day}  {one.model:24}{one.shown:>9,} shown, {one.precision:.2%} played within the hour"
    yield from (f"LOOK  {alarm}" for alarm in found.alarms)


def write(found: Watched, home: Home, path: Path | None = None) -> Path:
    """Write the page, whole or not at all; returns its path."""
    path = path or home.reports / f"monitor-{found.at:%Y%m%dT%H%M%S}.html"
    return svg.write(path, page(found))


def page(found: Watched) -> str:
    """One page that needs nothing else."""
    alarms = found.alarms
    verdict = (
        svg.table(["look at"], [[Html(f"<span class=bad>{svg.escape(one)}</span>")] for one in alarms])
        if alarms
        else "<p class=good>Nothing drifted, and answers were in time.</p>"
    )
    body = [
        f"<p>The {found.days:g} days up to {found.at:%Y-%m-%d %H:%M} UTC, "
        f"beside the {found.reference:g} days before.</p>",
        verdict,
        "<h2>Answers</h2>",
        *(_compared(part) for part in found.answers),
        "" if found.answers else "<p>None were logged; set REFRAIN_LOG_PREDICTIONS=0.1 where it is served.</p>",
        "<h2>Features as they were served</h2>",
        *(_compared(part) for part in found.services),
        "" if found.services else "<p>None were logged; set REFRAIN_LOG_LOOKUPS=0.01 where it is served.</p>",
        "<h2>Live quality</h2>",
        _quality(found),
        "<h2>Time to answer</h2>",
        _latency(found),
        "<h2>Freshness of features</h2>",
        _freshness(found),
        "<p class=note>Population stability index: below 0.1 beyond chance stable, above 0.25 drifted; a change of "
        "more than 20 points of missing values is drift, too. Wasserstein is in standard deviations of before.</p>",
    ]
    return svg.page("Refrain: monitoring", "".join(body))


def _compared(part: Compared) -> str:
    title = f"<h3>{svg.escape(part.name)}</h3>"
    if not part.against:
        return f"{title}<p>{part.after:,} rows, too few to compare (with {part.before:,}).</p>"
    told = f"<p>{part.after:,} rows beside {part.before:,} of {svg.escape(part.against)}.</p>"
    heads = ["name", "verdict", "PSI", "by chance", "KS", "Wasserstein", "missing", "new", "why"]
    rows = [_row(one) for one in part.found]
    drawn = [one.name for one in part.found if one.name in part.samples][:MOST_PICTURES]
    pictures = "".join(svg.histograms(name, *part.samples[name]) for name in drawn)
    return (
        f"{title}{told}{svg.table(heads, rows, numbers=(2, 3, 4, 5))}"
        f"<details><summary>Distributions</summary>{pictures}</details>"
    )


def _row(one: Drift) -> list[object]:
    new = ", ".join(f"{value} ×{count}" for value, count in one.new.items())
    return [
        one.name,
        Html(f"<span class={_CLASS[one.verdict]}>{one.verdict}</span>"),
        f"{one.psi:.3f}",
        f"{one.chance:.3f}",
        "" if one.ks is None else f"{one.ks:.3f}",
        "" if one.wasserstein is None else f"{one.wasserstein:.3f}",
        f"{one.missing_before:.1%} → {one.missing_after:.1%}",
        new,
        "; ".join(one.reasons),
    ]


def _quality(found: Watched) -> str:
    if not found.quality:
        return "<p>No recommendations were logged; set REFRAIN_LOG_IMPRESSIONS=1 where it is served.</p>"
    rows = [
        [
            one.day,
            one.model,
            f"{one.shown:,}",
            f"{one.played:,}",
            f"{one.precision:.2%}",
            "" if one.ndcg is None else f"{one.ndcg:.3f}",
            f"{one.open:,}",
        ]
        for one in found.quality
    ]
    heads = ["day", "model", "shown", "played", "precision", "NDCG", "answers still open"]
    picture = svg.lines("Precision by day", [[one.precision for one in found.quality]])
    return picture + svg.table(heads, rows, numbers=(2, 3, 4, 5, 6))


def _latency(found: Watched) -> str:
    if not found.latency:
        return "<p>No answers were logged.</p>"
    rows = [
        [day, f"{count:,}", f"{p50:.1f}", f"{p99:.1f}", f"{within:.2%}"]
        for day, (count, p50, p99, within) in found.latency.items()
    ]
    p99s = [p99 for _, _, p99, _ in found.latency.values()]
    picture = svg.lines("p99 by day, ms; dashed: the goal", [p99s], goal=found.goal)
    return picture + svg.table(["day", "answers", "p50 ms", "p99 ms", "in time"], rows, numbers=(1, 2, 3, 4))


def _freshness(found: Watched) -> str:
    if found.freshness is None:
        return "<p class=bad>The online store does not answer.</p>"
    rows = cells(found.freshness, clock.seconds(), found.at.timestamp())
    return svg.table(["view", "age", "written", "rows"], rows, numbers=(1, 2, 3))
