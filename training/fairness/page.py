"""The figures of fairness on a model's card: the section "By group"."""

from collections.abc import Sequence

from training.fairness.figure import TOO_SMALL, Figure
from training.fairness.rates import gaps, rates
from training.validation.bootstrap import Interval
from transforms.pure import svg

_OF_LISTS = {
    "exposure": "share of the exposure of all lists",
    "attention": "exposure divided by the share of what was played afterwards",
    "exposure_to_catalogue": "exposure divided by the share of all tracks",
    "coverage": "share of the tracks that anybody is shown",
    "gini": "Gini coefficient of the exposure of tracks: 0 for equal, 1 for one track alone",
}


def section(figures: Sequence[Figure]) -> str:
    """Draws the gaps of all divisions, then the figures by group; empty if no division is known."""
    compared = [figure for figure in figures if figure.is_gap]
    overall = [figure for figure in figures if not figure.division]
    if not compared and not any(figure.metric in _OF_LISTS for figure in overall):
        return ""
    html = "<h2>By group</h2><p>Gaps between groups, with 95 % bounds that hold for all pairs of groups at once.</p>"
    rows = [
        (figure.division, _words(figure.metric), *_cells(figure.interval), ", ".join(figure.left_out))
        for figure in compared
    ]
    html += svg.table(["division", "gap", "", "from", "to", "too small to tell"], rows, numbers=(2, 3, 4))
    for division in dict.fromkeys(figure.division for figure in figures if not figure.is_crossed):
        group_rows = [
            (figure.group, _words(figure.metric), *_cells(figure.interval), f"{figure.clusters:,}")
            for figure in figures
            if figure.division == division and not figure.is_gap
        ]
        html += f"<h3>{svg.escape(division) or 'All'}</h3>"
        html += svg.table(["group", "figure", "", "from", "to", "clusters"], group_rows, numbers=(2, 3, 4, 5))
    used = dict.fromkeys(figure.metric for figure in figures)
    about = {**{name: rate.about for name, rate in rates().items()}, **_OF_LISTS}
    about |= {name: gap.about for name, gap in gaps().items()}
    notes = "; ".join(f"{_words(name)}: {about[name]}" for name in used if name in about)
    return f"{html}<p>{svg.escape(notes)}.</p>"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cells(interval: Interval | None) -> tuple[str, str, str]:
    if interval is None:
        return TOO_SMALL, "", ""
    return f"{interval.mean:.4g}", f"{interval.low:.4g}", f"{interval.high:.4g}"
