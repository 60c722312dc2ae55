"""Curves as lines for a terminal, and as a table of a model card."""

from collections.abc import Iterator, Mapping, Sequence

from training.robustness.curve import Curve


def lines(curves: Sequence[Curve], left_out: Mapping[str, str]) -> Iterator[str]:
    """Yields lines for a terminal: each curve from no attack to the strongest, then the attacks that do not apply."""
    for judged in dict.fromkeys(curve.judged for curve in curves):
        if judged:
            yield judged
    for curve in curves:
        better = "higher" if curve.higher_is_better else "lower"
        yield f"{curve.title}: {curve.about} {curve.metric}, {better} is better; strength: {curve.unit}."
        yield f"  {'none':>10}  {curve.clean}  ({curve.clean.units:,} units)"
        for point in curve.points:
            yield f"  {point.strength:>10g}  {point.figure}  change {point.change.signed}"
    for name, reason in left_out.items():
        yield f"{name}: does not apply, {reason}"


def table_rows(curves: Sequence[Curve]) -> list[list[str]]:
    """Returns a row for each curve: attack, measure, clean, then strength, figure and change at its worst."""
    return [
        [
            curve.title,
            curve.metric,
            f"{curve.clean.mean:.4g}",
            f"{curve.worst.strength:g} {curve.unit}",
            f"{curve.worst.figure.mean:.4g}",
            f"{curve.worst.change.mean:+.4g} ({curve.worst.change.low:+.4g} to {curve.worst.change.high:+.4g})",
        ]
        for curve in curves
    ]


HEADS = ("attack", "measure", "no attack", "worst at", "there", "change (95 %)")
"""Heads of the columns of ``table_rows``."""
