"""Small charts as inline SVG: lines over time, two histograms, intervals; and the HTML page and tables around them.

Every chart has its meaning as a label, so that a screen reader can read it.
"""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feature_repo.output.plain import inert, shorten
from feature_repo.version import version
from feature_repo.whole_files import write_whole

WIDTH, HEIGHT = 640, 160
LONGEST, LONGEST_CELL = 100_000, 1_000
"""Characters of a text, and of a cell of a table."""
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
    """A complete HTML page; ``body`` is HTML, ``title`` is plain text."""
    escaped_title = escape(title)
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<meta name=generator content='Refrain {version()}'>"
        f"<title>{escaped_title}</title><style>{PAGE}</style></head><body><h1>{escaped_title}</h1>{body}</body></html>\n"
    )


def write(path: Path, content: str) -> Path:
    """Write a page atomically; returns its path."""
    write_whole(path, content)
    return path


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[int] = ()) -> str:
    """An HTML table; cells are escaped, except those of type ``Html``. ``numbers`` are the columns aligned right."""
    classes = [" class=n" if column in numbers else "" for column in range(len(heads))]
    head = "".join(f"<th{css}>{escape(title)}" for css, title in zip(classes, heads, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{css}>{_cell(value)}" for css, value in zip(classes, row, strict=True)) for row in rows
    )
    return f"<div class=wide tabindex=0 role=region><table><tr>{head}{body}</table></div>"


def escape(text: object) -> str:
    r"""Escape a text for HTML, also within quotes; characters that act rather than show are replaced.

    >>> escape("<b title='x'>\x00")
    '&lt;b title=&#x27;x&#x27;&gt;\ufffd'
    """
    return html.escape(inert(shorten(str(text), LONGEST)), quote=True)


class Html(str):
    """A text that is HTML already, and is not escaped."""


def _cell(value: object) -> str:
    return value if isinstance(value, Html) else escape(shorten(str(value), LONGEST_CELL))


def lines(
    label: str,
    values: Sequence[Sequence[float | None]],
    names: Sequence[str] = (),
    *,
    marks: Sequence[int] = (),
    goal: float | None = None,
) -> str:
    """A line chart of one or several series; None is a gap.

    Args:
        label: description of the chart.
        values: values of each series.
        names: names of the series.
        marks: indices of values in the first series to highlight.
        goal: level of a horizontal line.
    """
    series = [np.array([np.nan if value is None else float(value) for value in row]) for row in values]
    finite = np.concatenate([line[np.isfinite(line)] for line in series] or [np.zeros(0)])
    if not len(finite):
        return _figure(f"{label}: nothing yet", "")
    low, high = min(float(finite.min()), goal or np.inf), max(float(finite.max()), goal or -np.inf)
    longest = max(map(len, series))

    def point(index: int, value: float) -> tuple[float, float]:
        x = 5 + index / max(longest - 1, 1) * (WIDTH - 10)
        return round(x, 1), round(HEIGHT - 8 - (value - low) / max(high - low, 1e-12) * (HEIGHT - 16), 1)

    elements = []
    for line, colour in zip(series, COLOURS * len(series), strict=False):
        indices = np.flatnonzero(np.isfinite(line))
        points = " ".join("{},{}".format(*point(int(index), float(line[index]))) for index in indices)
        elements.append(f"<polyline points='{points}' fill=none stroke='{colour}' stroke-width=1.5 />")
    for index in marks:
        if np.isfinite(series[0][index]):
            x, y = point(index, float(series[0][index]))
            elements.append(f"<circle cx={x} cy={y} r=4 fill='#c0392b' />")
    if goal is not None:
        _, y = point(0, goal)
        elements.append(f"<line x1=0 x2={WIDTH} y1={y} y2={y} stroke='#888' stroke-dasharray='4 4' />")
    legend = ", ".join(f"{name}" for name in names)
    return _figure(f"{label}{f' ({legend})' if legend else ''}, {low:,.4g} to {high:,.4g}", "".join(elements))


def histograms(label: str, before: np.ndarray, after: np.ndarray) -> str:
    """Histograms of two samples over the same 30 bins: the first as bars, the second as a line."""
    samples = [values[np.isfinite(values)] for values in (before, after)]
    combined = np.concatenate(samples)
    if not len(combined):
        return _figure(f"{label}: nothing yet", "")
    low, high = np.quantile(combined, [0.005, 0.995])
    bins = np.linspace(low, high if high > low else low + 1, 31)
    shares = [np.histogram(np.clip(sample, bins[0], bins[-1]), bins)[0] / max(len(sample), 1) for sample in samples]
    top = max(float(max(share.max() for share in shares)), 1e-12)
    width = (WIDTH - 10) / 30
    bars = "".join(
        f"<rect x={5 + bin_number * width:.1f} y={HEIGHT - 8 - share / top * (HEIGHT - 16):.1f} width={width - 1:.1f} "
        f"height={share / top * (HEIGHT - 16):.1f} fill='#9aa5b1' opacity=.7 />"
        for bin_number, share in enumerate(shares[0])
    )
    steps = " ".join(
        f"{5 + (bin_number + side) * width:.1f},{HEIGHT - 8 - share / top * (HEIGHT - 16):.1f}"
        for bin_number, share in enumerate(shares[1])
        for side in (0, 1)
    )
    line = f"<polyline points='{steps}' fill=none stroke='{COLOURS[1]}' stroke-width=1.5 />"
    return _figure(f"{label}: before (grey), after (line), {bins[0]:,.4g} to {bins[-1]:,.4g}", bars + line)


def intervals(label: str, rows: Sequence[tuple[str, float, float, float]]) -> str:
    """A chart of estimates with intervals relative to zero, one per row: name, low, estimate, high."""
    values = [value for _, *bounds in rows for value in bounds if np.isfinite(value)] or [0.0]
    low, high = min(*values, 0.0), max(*values, 0.0)
    span = max(high - low, 1e-12)

    def across(value: float) -> float:
        return round(150 + (min(max(value, low), high) - low) / span * (WIDTH - 170), 1)

    height = 28 * len(rows) + 16
    elements = [f"<line x1={across(0)} x2={across(0)} y1=0 y2={height} stroke='#888' stroke-dasharray='4 4' />"]
    for row, (name, least, middle, most) in enumerate(rows):
        y = 20 + 28 * row
        colour = "#1b6e2b" if least > 0 else "#b00020" if most < 0 else "#555"
        elements.append(f"<text x=4 y={y + 5} font-size=13 fill='currentColor'>{escape(name[:20])}</text>")
        elements.append(f"<line x1={across(least)} x2={across(most)} y1={y} y2={y} stroke='{colour}' stroke-width=3 />")
        elements.append(f"<circle cx={across(middle)} cy={y} r=5 fill='{colour}' />")
    return _figure(f"{label}, {low:,.3g} to {high:,.3g}", "".join(elements), height)


def _figure(label: str, content: str, height: int = HEIGHT) -> str:
    escaped_label = escape(label)
    picture = (
        f"<svg viewBox='0 0 {WIDTH} {height}' role=img aria-label='{escaped_label}'>{content}</svg>" if content else ""
    )
    return f"<figure>{picture}<figcaption>{escaped_label}</figcaption></figure>"
