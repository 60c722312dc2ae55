"""Formats a forecast as text: one line per step, with its intervals as a bar."""

from collections.abc import Iterator

from inference.forecast.forecaster import Forecast, Point

WIDTH = 48


def lines(forecast: Forecast, *, plot: bool) -> Iterator[str]:
    """Format each step; ``plot`` adds a bar from lower_95 to upper_95, the inner 80 % heavier, ● at the median."""
    low = min((point.lower_95 for point in forecast.points), default=0.0)
    high = max((point.upper_95 for point in forecast.points), default=1.0)
    low = 0.0 if low > 0 and low < high / 3 else low
    chance = any(point.chance is not None for point in forecast.points)
    yield f"{'from (UTC)':17}{'mean':>10}{'80 %':>19}{'95 %':>19}{'  chance' if chance else ''}"
    for point in forecast.points:
        inner, outer = (f"{a:,.1f} – {b:,.1f}" for a, b in _intervals(point))
        chance_text = "" if point.chance is None else f"{point.chance:8.1%}"
        bar = f"  {_bar(point, low, high)}" if plot else ""
        yield f"{point.start:%Y-%m-%d %H:%M} {point.mean:10,.1f}{inner:>19}{outer:>19}{chance_text}{bar}"
    if plot:
        scale = f"{low:,.1f}".ljust(WIDTH - len(f"{high:,.1f}")) + f"{high:,.1f}"
        yield " " * (17 + 10 + 19 + 19 + (8 if chance else 0) + 2) + scale


def _intervals(point: Point) -> tuple[tuple[float, float], tuple[float, float]]:
    return (point.lower_80, point.upper_80), (point.lower_95, point.upper_95)


def _bar(point: Point, low: float, high: float) -> str:
    def cell(value: float) -> int:
        return round((value - low) / max(high - low, 1e-9) * (WIDTH - 1))

    cells = [" "] * WIDTH
    for index in range(cell(point.lower_95), cell(point.upper_95) + 1):
        cells[index] = "─"
    for index in range(cell(point.lower_80), cell(point.upper_80) + 1):
        cells[index] = "━"
    cells[cell(point.median)] = "●"
    return "".join(cells)
