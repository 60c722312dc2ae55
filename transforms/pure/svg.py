"""Small pictures as SVG, for pages that need nothing else: lines over time, bars, two histograms.

Every picture carries its meaning as a label, so that a screen reader tells it, too.
"""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 640, 160
COLOURS = ("#1f6fb2", "#c2410c", "#2e7d32", "#6a4c93", "#8a6d00")
PAGE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem; color: #1a1a1a;
  background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { padding: .3rem .6rem; text-align: left; white-space: nowrap }
th { border-bottom: 2px solid #8886 } td { border-bottom: 1px solid #8883 } td.n, th.n { text-align: right }
.wide { overflow-x: auto } figure { margin: .5rem 0 } svg { width: 100%; height: auto } figcaption { font-size: .85rem }
.bad { color: #b00020; font-weight: 600 } .good { color: #1b6e2b; font-weight: 600 } .note { color: #555 }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e6e6e6 } .bad { color: #ff8a80 } .good { color: #8fd19e } .note { color: #aaa }
}
"""
"""Style of a page: readable on a phone, by day and by night."""


def page(title: str, body: str) -> str:
    """A whole page; ``body`` is HTML, ``title`` a text."""
    told = html.escape(title)
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{told}</title><style>{PAGE}</style></head><body><h1>{told}</h1>{body}</body></html>\n"
    )


def write(path: Path, content: str) -> Path:
    """Write a page, whole or not at all; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.tmp")
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)
    return path


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[int] = ()) -> str:
    """A table; cells are texts and are escaped, but for those that are ``Html``."""
    kinds = [" class=n" if place in numbers else "" for place in range(len(heads))]
    head = "".join(f"<th{kind}>{html.escape(told)}" for kind, told in zip(kinds, heads, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{_cell(told)}" for kind, told in zip(kinds, row, strict=True)) for row in rows
    )
    return f"<div class=wide tabindex=0 role=region><table><tr>{head}{body}</table></div>"


def escape(told: object) -> str:
    """A text as HTML, fit to stand between quotes, too."""
    return html.escape(str(told), quote=True)


class Html(str):
    """A text that is HTML already."""


def _cell(told: object) -> str:
    return told if isinstance(told, Html) else html.escape(str(told))


def lines(
    label: str,
    values: Sequence[Sequence[float | None]],
    names: Sequence[str] = (),
    *,
    marks: Sequence[int] = (),
    goal: float | None = None,
) -> str:
    """One or several series side by side, each from left to right; None is a gap.

    Args:
        label: what the picture shows.
        values: of each series.
        names: of the series.
        marks: places of the first series that stand out.
        goal: a level to draw.
    """
    series = [np.array([np.nan if value is None else float(value) for value in one]) for one in values]
    known = np.concatenate([one[np.isfinite(one)] for one in series] or [np.zeros(0)])
    if not len(known):
        return _figure(f"{label}: nothing yet", "")
    low, high = min(float(known.min()), goal or np.inf), max(float(known.max()), goal or -np.inf)
    longest = max(map(len, series))

    def point(place: int, value: float) -> tuple[float, float]:
        across = 5 + place / max(longest - 1, 1) * (WIDTH - 10)
        return round(across, 1), round(HEIGHT - 8 - (value - low) / max(high - low, 1e-12) * (HEIGHT - 16), 1)

    drawn = []
    for one, colour in zip(series, COLOURS * len(series), strict=False):
        places = np.flatnonzero(np.isfinite(one))
        points = " ".join("{},{}".format(*point(int(place), float(one[place]))) for place in places)
        drawn.append(f"<polyline points='{points}' fill=none stroke='{colour}' stroke-width=1.5 />")
    for place in marks:
        if np.isfinite(series[0][place]):
            x, y = point(place, float(series[0][place]))
            drawn.append(f"<circle cx={x} cy={y} r=4 fill='#c0392b' />")
    if goal is not None:
        _, y = point(0, goal)
        drawn.append(f"<line x1=0 x2={WIDTH} y1={y} y2={y} stroke='#888' stroke-dasharray='4 4' />")
    legend = ", ".join(f"{name}" for name in names)
    return _figure(f"{label}{f' ({legend})' if legend else ''}, {low:,.4g} to {high:,.4g}", "".join(drawn))


def histograms(label: str, before: np.ndarray, after: np.ndarray) -> str:
    """Shares of two samples over the same 30 bins: the first as a shape, the second as a line."""
    samples = [values[np.isfinite(values)] for values in (before, after)]
    together = np.concatenate(samples)
    if not len(together):
        return _figure(f"{label}: nothing yet", "")
    low, high = np.quantile(together, [0.005, 0.995])
    bins = np.linspace(low, high if high > low else low + 1, 31)
    shares = [np.histogram(np.clip(one, bins[0], bins[-1]), bins)[0] / max(len(one), 1) for one in samples]
    top = max(float(max(share.max() for share in shares)), 1e-12)
    width = (WIDTH - 10) / 30
    bars = "".join(
        f"<rect x={5 + place * width:.1f} y={HEIGHT - 8 - share / top * (HEIGHT - 16):.1f} width={width - 1:.1f} "
        f"height={share / top * (HEIGHT - 16):.1f} fill='#9aa5b1' opacity=.7 />"
        for place, share in enumerate(shares[0])
    )
    steps = " ".join(
        f"{5 + (place + side) * width:.1f},{HEIGHT - 8 - share / top * (HEIGHT - 16):.1f}"
        for place, share in enumerate(shares[1])
        for side in (0, 1)
    )
    line = f"<polyline points='{steps}' fill=none stroke='{COLOURS[1]}' stroke-width=1.5 />"
    return _figure(f"{label}: before (grey), after (line), {bins[0]:,.4g} to {bins[-1]:,.4g}", bars + line)


def intervals(label: str, rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Estimates with their intervals, one a row, beside zero: name, low, estimate, high."""
    values = [value for _, *three in rows for value in three if np.isfinite(value)] or [0.0]
    low, high = min(*values, 0.0), max(*values, 0.0)
    span = max(high - low, 1e-12)

    def across(value: float) -> float:
        return round(150 + (min(max(value, low), high) - low) / span * (WIDTH - 170), 1)

    height = 28 * len(rows) + 16
    drawn = [f"<line x1={across(0)} x2={across(0)} y1=0 y2={height} stroke='#888' stroke-dasharray='4 4' />"]
    for place, (name, least, middle, most) in enumerate(rows):
        y = 20 + 28 * place
        colour = "#1b6e2b" if least > 0 else "#b00020" if most < 0 else "#555"
        drawn.append(f"<text x=4 y={y + 5} font-size=13 fill='currentColor'>{html.escape(name[:20])}</text>")
        drawn.append(f"<line x1={across(least)} x2={across(most)} y1={y} y2={y} stroke='{colour}' stroke-width=3 />")
        drawn.append(f"<circle cx={across(middle)} cy={y} r=5 fill='{colour}' />")
    return _figure(f"{label}, {low:,.3g} to {high:,.3g}", "".join(drawn), height)


def _figure(label: str, drawn: str, height: int = HEIGHT) -> str:
    told = escape(label)
    picture = f"<svg viewBox='0 0 {WIDTH} {height}' role=img aria-label='{told}'>{drawn}</svg>" if drawn else ""
    return f"<figure>{picture}<figcaption>{told}</figcaption></figure>"
