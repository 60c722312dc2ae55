"""Incidents as one HTML page that needs nothing else: each with its metrics, what was unusual, and why."""

import html
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from inference.anomaly.detector import Detections, Observation, ToldIncident

WIDTH, HEIGHT = 720, 110
MOST_INCIDENTS, MOST_METRICS = 50, 4
_HOUR = timedelta(hours=1)
AROUND = 0.5
"""Of an incident's length, shown before and after it; at least an hour."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem; color: #1a1a1a }
svg { width: 100%; height: auto; background: #f7f7f5 } figure { margin: .6rem 0 } figcaption { color: #555 }
h2 { margin: 2rem 0 .2rem; font-size: 1.1rem } .causes { color: #444 }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #eee } svg { background: #222 }
  figcaption, .causes { color: #bbb } }
"""


def page(observations: Sequence[Observation], found: Detections, incidents: Sequence[ToldIncident]) -> str:
    """The page.

    Args:
        observations: what was looked at, as it was given.
        found: of the same observations.
        incidents: all of them, oldest first.
    """
    told = [_incident(one, observations, found) for one in incidents[:MOST_INCIDENTS]]
    more = f"<p>and {len(incidents) - MOST_INCIDENTS} more</p>" if len(incidents) > MOST_INCIDENTS else ""
    title = f"{len(incidents)} incident{'' if len(incidents) == 1 else 's'} by {html.escape(found.model)}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"
        f"<p>{len(observations):,} observations. Shaded: from the first to the last alarm; dots are alarms.</p>"
        f"{''.join(told)}{more}</html>\n"
    )


def _incident(incident: ToldIncident, observations: Sequence[Observation], found: Detections) -> str:
    room = max((incident.end - incident.start) * AROUND, _HOUR)
    low, high = incident.start - room, incident.end + room
    here = [
        (one, told)
        for one, told in zip(observations, found.detections, strict=True)
        if one.entity == incident.entity and low <= told.at <= high
    ]
    metrics = [name for name in incident.causes if any(_is_number(one.values.get(name)) for one, _ in here)]
    causes = ", ".join(f"{html.escape(name)} {share:.0%}" for name, share in incident.causes.items())
    times = [told.at for _, told in here]
    alarms = [told.alarm for _, told in here]
    drawn = "".join(
        _figure(name, times, [one.values.get(name) for one, _ in here], alarms, incident)
        for name in metrics[:MOST_METRICS]
    )
    return (
        f"<h2>{html.escape(incident.entity)} · {incident.start:%Y-%m-%d %H:%M} – {incident.end:%H:%M} UTC</h2>"
        f"<p class=causes>{incident.alarms} alarm{'' if incident.alarms == 1 else 's'}, p {incident.p_value:.1e}: "
        f"{causes}</p>{drawn}"
    )


def _figure(
    name: str, times: Sequence[datetime], values: Sequence[Any], alarms: Sequence[bool], incident: ToldIncident
) -> str:
    numbers = np.array([value if _is_number(value) else np.nan for value in values], np.float64)
    seconds = np.array([at.timestamp() for at in times])
    known = np.isfinite(numbers)
    low, high = float(numbers[known].min()), float(numbers[known].max())
    span = (seconds[0], max(seconds[-1], seconds[0] + 1))

    def across(at: float) -> float:
        return round((at - span[0]) / (span[1] - span[0]) * (WIDTH - 10) + 5, 1)

    def up(value: float) -> float:
        return round(HEIGHT - 8 - (value - low) / max(high - low, 1e-12) * (HEIGHT - 16), 1)

    line = " ".join(f"{across(at)},{up(value)}" for at, value in zip(seconds[known], numbers[known], strict=True))
    dots = "".join(
        f"<circle cx={across(at)} cy={up(value)} r=3.5 fill='#c0392b'/>"
        for at, value, alarm in zip(seconds, numbers, alarms, strict=True)
        if alarm and np.isfinite(value)
    )
    left, right = across(incident.start.timestamp()), across(incident.end.timestamp())
    shade = f"<rect x={left} y=0 width={max(right - left, 2):.1f} height={HEIGHT} fill='#c0392b' opacity='.12'/>"
    label = f"{html.escape(name)}, {low:,.6g} to {high:,.6g}"
    return (
        f"<figure><svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{label}'>{shade}"
        f"<polyline points='{line}' fill=none stroke='#1f6fb2' stroke-width=1.3 />{dots}</svg>"
        f"<figcaption>{label}</figcaption></figure>"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
