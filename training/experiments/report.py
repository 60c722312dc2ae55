"""An analysis as lines for a terminal, and as one page."""

from collections.abc import Iterator
from pathlib import Path

from feature_repo.home import Home
from training.experiments.analysis import ALPHA, Analysis, Comparison
from training.experiments.fixed import Effect
from training.experiments.segments import SegmentEffects
from transforms.pure import svg


def lines(analysis: Analysis) -> Iterator[str]:
    """Yields the analysis as lines for a terminal."""
    experiment, measured = analysis.experiment, analysis.measured
    sizes = ", ".join(f"{arm} {count:,}" for arm, count in measured.sizes.items())
    yield (
        f"{experiment.name} ({experiment.state}, {experiment.mode}): {sizes}; "
        f"sizes {analysis.ratio.verdict}, p {analysis.ratio.p_value:.2g}"
    )
    if measured.mixed:
        yield f"{measured.mixed:,} listeners saw more than one arm and are left out"
    if measured.misdated:
        yield f"{measured.misdated:,} listeners were exposed before the start (a clock went back) and are left out"
    if measured.waiting:
        yield f"{measured.waiting:,} listeners have not completed their seven days"
    yield f"{'metric':16}{'arm':16}{'control':>12}{'arm':>12}{'change':>9}  {'95 %':22}{'p':>9}  verdict"
    for row in analysis.comparisons:
        effect = row.adjusted or row.effect
        interval = f"{effect.relative_low:+.1%} to {effect.relative_high:+.1%}"
        yield (
            f"{row.metric:16}{row.variant:16}{row.effect.control:12.4g}{row.effect.treated:12.4g}"
            f"{effect.relative:+9.1%}  {interval:22}{row.p_adjusted:9.2g}  {row.verdict}"
            + (f" ({row.role})" if row.role else "")
        )
    for arm, effects in analysis.segments.items():
        shares = ", ".join(f"{name} {effect.difference:+.4g}" for name, effect in effects.effects.items())
        yield f"{experiment.metric} of {arm} by listeners: {shares}; {_differ(effects)}"
    if analysis.needed is not None:
        yield f"to find a change of 2 % of {experiment.metric}: {analysis.needed:,} listeners in each arm"
    yield analysis.verdict


def write(analysis: Analysis, home: Home, path: Path | None = None) -> Path:
    """Writes the page atomically and returns its path."""
    path = path or home.reports / f"experiment-{analysis.experiment.name}.html"
    return svg.write(path, page(analysis))


def page(analysis: Analysis) -> str:
    """Draws the analysis as one self-contained page."""
    experiment, measured = analysis.experiment, analysis.measured
    sizes = [
        [arm, f"{count:,}", f"{expected:,.0f}"]
        for (arm, count), expected in zip(measured.sizes.items(), analysis.ratio.expected, strict=True)
    ]
    charts = []
    for arm in dict.fromkeys(row.variant for row in analysis.comparisons):
        rows = [(row.metric, *_relative(row)) for row in analysis.comparisons if row.variant == arm]
        charts.append(svg.intervals(f"{arm} beside {experiment.variants[0].name}: relative change, 95 %", rows))
    needed = "" if analysis.needed is None else f"{analysis.needed:,} listeners in each arm find a change of 2 %. "
    body = [
        f"<p><strong>{svg.escape(analysis.verdict)}</strong></p>",
        f"<p>{svg.escape(experiment.state)}, {svg.escape(experiment.mode)}; "
        f"decided by {svg.escape(experiment.metric)}. {needed}</p>",
        "<h2>Sizes</h2>",
        svg.table(["arm", "listeners", "expected"], sizes, numbers=(1, 2)),
        f"<p>p {analysis.ratio.p_value:.2g}: {analysis.ratio.verdict}. {measured.mixed:,} saw more than one arm and "
        f"are left out, as are {measured.misdated:,} who were exposed before the start; of {measured.waiting:,} the "
        "seven days have not passed.</p>",
        "<h2>Changes</h2>",
        *charts,
        svg.table(
            ["metric", "arm", "listeners", "control", "arm's mean", "change", "95 %", "variance gone", "p", "verdict"],
            [_row(row) for row in analysis.comparisons],
            numbers=(2, 3, 4, 5, 7, 8),
        ),
        "<h2>At any time</h2>",
        "<p>These intervals are valid at all times at once: use them to decide with daily looks.</p>",
        svg.table(
            ["metric", "arm", "difference", "95 % at any time", "p"],
            [
                [
                    row.metric,
                    row.variant,
                    f"{row.always.difference:+.4g}",
                    f"{row.always.low:+.4g} to {row.always.high:+.4g}",
                    f"{row.always.p_value:.2g}",
                ]
                for row in analysis.comparisons
            ],
            numbers=(2, 4),
        ),
        *_segment_tables(analysis),
        "<p class=note>Welch's test on one number a listener, who is the unit that was randomized, so that repeated "
        "answers of one listener do not count as independent; a ratio is linearised by the delta method. CUPED where "
        "something was known before. Holm over the arms of the metric that decides; all other metrics but guardrails "
        "are corrected together (Benjamini and Hochberg). Fieller's interval of the relative change. Guardrails are "
        "judged by an interval that is valid at any time: kept where it leaves out changes for the worse beyond the "
        "margin.</p>",
    ]
    return svg.page(f"Experiment {experiment.name}", "".join(body))


def _segment_tables(analysis: Analysis) -> Iterator[str]:
    if analysis.segments:
        yield f"<h2>By listeners</h2><p>Of {svg.escape(analysis.experiment.metric)}, by what was known before.</p>"
    for arm, effects in analysis.segments.items():
        rows = [
            [name, f"{effect.difference:+.4g}", f"{effect.low:+.4g} to {effect.high:+.4g}"]
            for name, effect in effects.effects.items()
        ]
        yield svg.table([f"listeners, {arm}", "difference", "95 %"], rows, numbers=(1,))
        yield f"<p>{_differ(effects)}</p>"


def _differ(effects: SegmentEffects) -> str:
    verdict = "the effects differ" if effects.p_value < ALPHA else "no difference between them was found"
    return f"{verdict} (Cochran's Q, p {effects.p_value:.2g})"


def _relative(row: Comparison) -> tuple[float, float, float]:
    effect: Effect = row.adjusted or row.effect
    return effect.relative_low, effect.relative, effect.relative_high


def _row(row: Comparison) -> list[object]:
    effect = row.adjusted or row.effect
    return [
        row.metric + (f" ({row.role})" if row.role else ""),
        row.variant,
        f"{row.control_count:,} / {row.count:,}",
        f"{row.effect.control:.4g}",
        f"{row.effect.treated:.4g}",
        f"{effect.relative:+.2%}",
        f"{effect.relative_low:+.2%} to {effect.relative_high:+.2%}",
        f"{row.removed:.0%}",
        f"{row.p_adjusted:.2g}",
        row.verdict,
    ]
