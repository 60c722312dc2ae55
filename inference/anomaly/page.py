"""Renders incidents as one self-contained HTML page: metrics, alarms and causes of each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from inference.anomaly.observation import Detections, IncidentReport, Observation
from transforms.pure import svg

WIDTH, HEIGHT = 720, 110
MAX_INCIDENTS, MAX_METRICS = 50, 4
_HOUR = timedelta(hours=1)
MARGIN_SHARE = 0.5
"""Share of an incident's length that is shown before and after it; at least an hour."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem; color: #1a1a1a }
svg { width: 100%; height: auto; background: #f7f7f5 } figure { margin: .6rem 0 } figcaption { color: #555 }
h2 { margin: 2rem 0 .2rem; font-size: 1.1rem } .causes { color: #444 }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #eee } svg { background: #222 }
  figcaption, .causes { color: #bbb } }
"""


def page(observations: Sequence[Observation], detections: Detections, incidents: Sequence[IncidentReport]) -> str:
    """Render the page.

    Args:
        observations: the scored observations, in the order in which they were given.
        detections: result for the same observations.
        incidents: all incidents, oldest first.
    """
    sections = [_incident(incident, observations, detections) for incident in incidents[:MAX_INCIDENTS]]
    remainder = f"<p>and {len(incidents) - MAX_INCIDENTS} more</p>" if len(incidents) > MAX_INCIDENTS else ""
    title = f"{len(incidents)} incident{'' if len(incidents) == 1 else 's'} by {svg.escape(detections.model)}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"
        f"<p>{len(observations):,} observations. Shaded: from the first to the last alarm; dots are alarms.</p>"
        f"{''.join(sections)}{remainder}</html>\n"
    )


def _incident(incident: IncidentReport, observations: Sequence[Observation], result: Detections) -> str:
    margin = max((incident.end - incident.start) * MARGIN_SHARE, _HOUR)
    start, end = incident.start - margin, incident.end + margin
    visible = [
        (observation, detection)
        for observation, detection in zip(observations, result.detections, strict=True)
        if observation.entity == incident.entity and start <= detection.at <= end
    ]
    metrics = [
        name for name in incident.causes if any(_is_number(observation.values.get(name)) for observation, _ in visible)
    ]
    causes = ", ".join(f"{svg.escape(name)} {share:.0%}" for name, share in incident.causes.items())
    times = [detection.at for _, detection in visible]
    alarms = [detection.alarm for _, detection in visible]
    figures = "".join(
        _figure(name, times, [observation.values.get(name) for observation, _ in visible], alarms, incident)
        for name in metrics[:MAX_METRICS]
    )
    return (
        f"<h2>{svg.escape(incident.entity)} · {incident.start:%Y-%m-%d %H:%M} – {incident.end:%H:%M} UTC</h2>"
        f"<p class=causes>{incident.alarms} alarm{'' if incident.alarms == 1 else 's'}, p {incident.p_value:.1e}: "
        f"{causes}</p>{figures}"
    )


def _figure(
    name: str, times: Sequence[datetime], values: Sequence[Any], alarms: Sequence[bool], incident: IncidentReport
) -> str:
    numbers = np.array([value if _is_number(value) else np.nan for value in values], np.float64)
    seconds = np.array([at.timestamp() for at in times])
    is_finite = np.isfinite(numbers)
    low, high = float(numbers[is_finite].min()), float(numbers[is_finite].max())
    span = (seconds[0], max(seconds[-1], seconds[0] + 1))

    def x(at: float) -> float:
        return round((at - span[0]) / (span[1] - span[0]) * (WIDTH - 10) + 5, 1)

    def y(value: float) -> float:
        return round(HEIGHT - 8 - (value - low) / max(high - low, 1e-12) * (HEIGHT - 16), 1)

    line = " ".join(f"{x(at)},{y(value)}" for at, value in zip(seconds[is_finite], numbers[is_finite], strict=True))
    dots = "".join(
        f"<circle cx={x(at)} cy={y(value)} r=3.5 fill='#c0392b'/>"
        for at, value, alarm in zip(seconds, numbers, alarms, strict=True)
        if alarm and np.isfinite(value)
    )
    left, right = x(incident.start.timestamp()), x(incident.end.timestamp())
    shade = f"<rect x={left} y=0 width={max(right - left, 2):.1f} height={HEIGHT} fill='#c0392b' opacity='.12'/>"
    label = f"{svg.escape(name)}, {low:,.6g} to {high:,.6g}"
    return (
        f"<figure><svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{label}'>{shade}"
        f"<polyline points='{line}' fill=none stroke='#1f6fb2' stroke-width=1.3 />{dots}</svg>"
        f"<figcaption>{label}</figcaption></figure>"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
