"""A page of curves: one chart an attack, with its 95 % band, and all figures as a table."""

from collections.abc import Sequence

import numpy as np

from training.robustness.curve import Curve
from training.robustness.report import HEADS, table_rows
from transforms.pure import svg

WIDTH, HEIGHT, EDGE = 320, 170, 34


def page(title: str, curves: Sequence[Curve]) -> str:
    """Returns a complete HTML page."""
    judged = "".join(f"<p>{svg.escape(one)}</p>" for one in dict.fromkeys(curve.judged for curve in curves) if one)
    details = "".join(f"<h3>{svg.escape(one.title)}</h3>{_figures(one)}" for one in curves)
    body = judged + section(curves) + details
    return svg.page(title, body)


def section(curves: Sequence[Curve]) -> str:
    """Draws all charts, then a row for each curve at its worst; empty without curves."""
    if not curves:
        return ""
    return "".join(chart(curve) for curve in curves) + svg.table(HEADS, table_rows(curves), numbers=(2, 4))


def chart(curve: Curve) -> str:
    """Draws one curve as SVG: strengths are equally far apart, from none on the left; the band is the interval."""
    figures = [curve.clean, *(point.figure for point in curve.points)]
    low, mean, high = (np.array([getattr(one, end) for one in figures], float) for end in ("low", "mean", "high"))
    low, high = np.where(np.isfinite(low), low, mean), np.where(np.isfinite(high), high, mean)
    if not np.isfinite(mean).any():
        return f"<figure><figcaption>{svg.escape(curve.title)}: nothing to measure</figcaption></figure>"
    bottom, top = min(float(np.nanmin(low)), 0.0), float(np.nanmax(high))
    span = max(top - bottom, 1e-12)
    across = EDGE + np.arange(len(mean)) / max(len(mean) - 1, 1) * (WIDTH - EDGE - 8)

    def up(values: np.ndarray) -> np.ndarray:
        return np.asarray(HEIGHT - 22 - (values - bottom) / span * (HEIGHT - 34))

    def points(values: np.ndarray, places: np.ndarray) -> str:
        pairs = zip(places, up(values), strict=True)
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs if np.isfinite(y))

    band = points(np.concatenate([high, low[::-1]]), np.concatenate([across, across[::-1]]))
    names = ["none", *(f"{point.strength:g}" for point in curve.points)]
    ticks = "".join(
        f"<text x={x:.1f} y={HEIGHT - 6} font-size=10 text-anchor=middle fill='currentColor'>{name}</text>"
        for x, name in zip(across, names, strict=True)
    )
    ticks += "".join(
        f"<text x=2 y={float(up(np.array(level))) + 4:.1f} font-size=10 fill='currentColor'>{level:.3g}</text>"
        for level in (bottom, top)
    )
    label = svg.escape(f"{curve.title}: {curve.metric} against {curve.unit}")
    return (
        f"<figure style='display:inline-block;width:20rem'>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{label}'>"
        f"<polygon points='{band}' fill='#1f77b4' opacity=.2 />"
        f"<polyline points='{points(mean, across)}' fill=none stroke='#1f77b4' stroke-width=2 />{ticks}</svg>"
        f"<figcaption>{label}</figcaption></figure>"
    )


def _figures(curve: Curve) -> str:
    rows = [("none", str(curve.clean), "")]
    rows += [(f"{point.strength:g}", str(point.figure), point.change.signed) for point in curve.points]
    return f"<p>{svg.escape(curve.about)}</p>" + svg.table([curve.unit, curve.metric, "change"], rows)
