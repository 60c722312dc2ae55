"""Figures by group equal those of plain loops, and of Fairlearn where it is installed; gaps keep their bounds."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.fairness.by_group import figures_by_group, figures_of_evidence
from training.fairness.figure import Figure
from training.fairness.rates import Answers
from training.fairness.resampling import largest_difference, resample, smallest_ratio
from training.validation.evidence import MODEL_KEY, Evidence


def answers_of(seed: int, rows: int = 400) -> tuple[Answers, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    outcome = (rng.random(rows) < 0.4).astype(float)
    chance = np.clip(0.3 * outcome + rng.random(rows) * 0.7, 0, 1)
    groups = rng.choice(["f", "m", "x", ""], rows, p=[0.5, 0.3, 0.15, 0.05])
    return Answers("log_loss", rng.random(rows), outcome, chance), groups, np.arange(rows)


def by_name(figures: list[Figure], division: str) -> dict[tuple[str, str], Figure]:
    return {(figure.metric, figure.group): figure for figure in figures if figure.division == division}


def naive_rates(answers: Answers, groups: np.ndarray) -> dict[str, dict[str, float]]:
    """Count in plain loops; the selected have a chance of a half or more."""
    result: dict[str, dict[str, float]] = {}
    for group in sorted({*groups.tolist()} - {""}):
        rows = [row for row in range(len(groups)) if groups[row] == group]
        selected = [row for row in rows if answers.chance[row] >= 0.5]
        positive = [row for row in rows if answers.outcome[row] == 1]
        negative = [row for row in rows if answers.outcome[row] == 0]
        result[group] = {
            "selection_rate": len(selected) / len(rows),
            "true_positive_rate": len([row for row in positive if row in selected]) / len(positive),
            "false_positive_rate": len([row for row in negative if row in selected]) / len(negative),
            "calibration": sum(answers.outcome[row] - answers.chance[row] for row in rows) / len(rows),
            "calibration_of_selected": sum(answers.outcome[row] - answers.chance[row] for row in selected)
            / len(selected),
            "metric": sum(answers.values[row] for row in rows) / len(rows),
        }
    return result


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_rates_and_gaps_are_those_of_plain_loops(seed: int) -> None:
    answers, groups, units = answers_of(seed)
    figures = by_name(list(figures_by_group(answers, {"gender": groups}, units, fewest=2)), "gender")
    naive = naive_rates(answers, groups)
    for group, expected in naive.items():
        for name, value in expected.items():
            interval = figures[name, group].interval
            assert interval is not None
            assert interval.mean == pytest.approx(value)
            assert interval.low <= value <= interval.high

    def spread(name: str) -> float:
        values = [rates[name] for rates in naive.values()]
        return max(values) - min(values)

    def gap(name: str) -> float:
        interval = figures[name, ""].interval
        assert interval is not None
        assert interval.low <= interval.mean <= interval.high
        return interval.mean

    selection = [rates["selection_rate"] for rates in naive.values()]
    assert gap("demographic_parity_difference") == pytest.approx(spread("selection_rate"))
    assert gap("demographic_parity_ratio") == pytest.approx(min(selection) / max(selection))
    assert gap("equal_opportunity_difference") == pytest.approx(spread("true_positive_rate"))
    odds = max(spread("true_positive_rate"), spread("false_positive_rate"))
    assert gap("equalized_odds_difference") == pytest.approx(odds)


def test_the_names_mean_what_fairlearn_means() -> None:
    fairlearn = pytest.importorskip("fairlearn.metrics", reason="compared with fairlearn where it is installed")
    answers, groups, units = answers_of(3)
    known = groups != ""
    figures = by_name(list(figures_by_group(answers, {"gender": groups}, units, fewest=2)), "gender")
    for name in (
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "equal_opportunity_ratio",
        "equalized_odds_difference",
    ):
        function: Callable[..., float] = getattr(fairlearn, name)
        selected = answers.selected[known]
        expected = function(answers.outcome[known], selected, sensitive_features=groups[known])
        interval = figures[name, ""].interval
        assert interval is not None
        assert interval.mean == pytest.approx(expected), name


def test_a_small_group_has_no_number_and_does_not_count() -> None:
    answers, groups, units = answers_of(1)
    groups = groups.copy()
    groups[groups == "x"] = "m"
    groups[:19] = "x"
    figures = by_name(list(figures_by_group(answers, {"gender": groups}, units)), "gender")
    assert figures["selection_rate", "x"].interval is None
    assert figures["selection_rate", "x"].text == "too small to tell"
    assert figures["demographic_parity_difference", ""].left_out == ("x",)
    without = groups.copy()
    without[:19] = ""
    others = by_name(list(figures_by_group(answers, {"gender": without}, units)), "gender")
    interval, other = (each["demographic_parity_difference", ""].interval for each in (figures, others))
    assert interval is not None
    assert other is not None
    assert interval.mean == other.mean
    alone = np.where(groups == "f", "f", "")
    lonely = by_name(list(figures_by_group(answers, {"gender": alone}, units)), "gender")
    assert lonely["demographic_parity_difference", ""].interval is None


def test_people_count_and_not_rows() -> None:
    answers, groups, _ = answers_of(2)
    few_people = np.arange(400) % 10
    figures = by_name(list(figures_by_group(answers, {"gender": groups}, few_people)), "gender")
    assert all(figure.interval is None for figure in figures.values())


def test_divisions_are_crossed() -> None:
    answers, groups, units = answers_of(4)
    plans = np.where(units % 2 == 0, "free", "paid")
    figures = list(figures_by_group(answers, {"gender": groups, "plan": plans}, units))
    crossed = by_name(figures, "gender × plan")
    rows = (groups == "f") & (plans == "paid")
    interval = crossed["selection_rate", "f × paid"].interval
    assert interval is not None
    assert interval.mean == pytest.approx((answers.chance[rows] >= 0.5).mean())
    assert interval.units == rows.sum()
    assert crossed["demographic_parity_difference", ""].is_crossed


def test_bounds_of_the_largest_gap_hold_it() -> None:
    """Of four groups that are equal, and of four with a true gap of .3: in 19 of 20 worlds at the least."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 60)
    belongs = (groups[:, None] == np.arange(4)).astype(float)
    for rates_of_groups in ([0.4] * 4, [0.3, 0.4, 0.5, 0.6]):
        truth = (max(rates_of_groups) - min(rates_of_groups), min(rates_of_groups) / max(rates_of_groups))
        held = np.zeros(2)
        for _ in range(60):
            selected = (rng.random(240) < np.array(rates_of_groups)[groups]).astype(float)
            ratios = resample(selected[:, None] * belongs, belongs, np.arange(240), draws=300)
            difference, ratio = largest_difference([ratios], is_share=[True]), smallest_ratio(ratios)
            held += [difference.low <= truth[0] <= difference.high, ratio.low <= truth[1] <= ratio.high]
        assert (held >= 56).all(), (rates_of_groups, held)


def test_nobody_selected_is_not_surely_equal() -> None:
    belongs = np.repeat(np.eye(2), 25, axis=0)
    ratios = resample(np.zeros((50, 2)), belongs, np.arange(50))
    difference, ratio = largest_difference([ratios], is_share=[True]), smallest_ratio(ratios)
    assert difference.mean == 0
    assert difference.high > 0.05
    assert ratio.mean == 1
    assert ratio.low < 0.5


def test_evidence_of_any_family_has_its_metric_by_group() -> None:
    rng = np.random.default_rng(0)
    evidence = Evidence.of(
        "absolute_error", range(100), {MODEL_KEY: rng.random(100)}, segments={"country": ["SE", "NO"] * 50}
    )
    names = {figure.metric for figure in figures_of_evidence(evidence)}
    assert names == {"metric", "metric_difference", "metric_ratio"}


def test_empty_and_missing_figures_are_no_error() -> None:
    assert list(figures_by_group(Answers("loss", np.empty(0)), {"plan": np.empty(0, "U1")}, np.empty(0))) == []
    values = np.full(60, np.nan)
    figures = list(figures_by_group(Answers("loss", values), {"plan": np.repeat(["a", "b"], 30)}, np.arange(60)))
    assert all(figure.interval is None for figure in figures)
