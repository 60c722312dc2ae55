"""The statistics of experiments, compared with libraries, simulations and published figures."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from feature_repo.experiments import Guardrail
from training.experiments import cuped, fixed, guardrails, sequential
from training.experiments.metrics import linearised
from training.experiments.power import listeners
from training.experiments.sample_ratio import sample_ratio
from training.experiments.segments import LESS, MORE, NEW, compare_by_segment


@pytest.fixture(scope="module")
def cookie_cats(real_data: Path) -> dict[str, dict[str, np.ndarray]]:
    """Arm → metric → one value per player."""
    file = real_data / "cookie-cats-ab" / "cookie_cats.csv"
    if not file.is_file():
        pytest.skip(f"no {file}")
    with file.open() as handle:
        rows = list(csv.DictReader(handle))
    return {
        arm: {
            metric: np.array([float(row[metric] == "TRUE") for row in rows if row["version"] == arm])
            for metric in ("retention_1", "retention_7")
        }
        | {"rounds": np.array([min(float(row["sum_gamerounds"]), 1_000) for row in rows if row["version"] == arm])}
        for arm in ("gate_30", "gate_40")
    }


def test_cookie_cats_as_it_was_published(cookie_cats: dict[str, dict[str, np.ndarray]]) -> None:
    """44,700 and 45,489 players; retention .4482/.4423 after one day, .1902/.1820 after seven."""
    control, treated = cookie_cats["gate_30"], cookie_cats["gate_40"]
    sizes = [len(control["retention_1"]), len(treated["retention_1"])]
    assert sizes == [44_700, 45_489]
    ratio = sample_ratio(sizes, [1, 1])
    assert ratio.p_value == pytest.approx(0.0086, abs=0.0001)
    assert ratio.verdict == "suspicious"
    day = fixed.compare(control["retention_1"], treated["retention_1"])
    assert (round(day.control, 4), round(day.treated, 4)) == (0.4482, 0.4423)
    assert day.p_value == pytest.approx(0.0744, abs=0.001)
    week = fixed.compare(control["retention_7"], treated["retention_7"])
    assert (round(week.control, 4), round(week.treated, 4)) == (0.1902, 0.1820)
    assert week.p_value == pytest.approx(0.0016, abs=0.0001)
    assert week.relative_low < week.relative < week.relative_high < 0
    always_valid = sequential.compare(control["retention_7"], treated["retention_7"], tuned=sum(sizes))
    assert always_valid.low < week.low < week.high < always_valid.high


@pytest.mark.parametrize(
    ("metric", "low", "high", "p_value", "digits"),
    [
        ("retention_1", -0.012392439449445217, 0.0005820998747623016, 0.07440786052349997, 5),
        ("retention_7", -0.013281552418885545, -0.0031210442115262808, 0.0015558255737072547, 5),
        ("rounds", -1.373259353253136, 1.1603974016728422, 0.8692071756754725, 12),
    ],
)
def test_it_says_what_spotify_confidence_says(
    cookie_cats: dict[str, dict[str, np.ndarray]], metric: str, low: float, high: float, p_value: float, digits: int
) -> None:
    """Figures of spotify-confidence 4.1.0 (ZTest for shares, with a normal distribution; else StudentsTTest)."""
    comparison = fixed.compare(cookie_cats["gate_30"][metric], cookie_cats["gate_40"][metric])
    assert (comparison.low, comparison.high, comparison.p_value) == pytest.approx((low, high, p_value), abs=10**-digits)


@pytest.mark.parametrize("sizes", [(500, 500), (400, 900)])
def test_shares_agree_with_the_library(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    control, treated = (rng.random(size) < chance for size, chance in zip(sizes, (0.3, 0.37), strict=True))
    comparison = fixed.compare(control.astype(float), treated.astype(float))
    low, high = confint_proportions_2indep(
        treated.sum(), len(treated), control.sum(), len(control), method="wald", compare="diff", correction=False
    )
    assert (comparison.low, comparison.high) == pytest.approx((low, high), abs=5e-4)


def test_the_relative_interval_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(600):
        control, treated = rng.exponential(2.0, 400), rng.exponential(2.2, 500)
        comparison = fixed.compare(control, treated)
        covered += comparison.relative_low <= 0.1 <= comparison.relative_high
    assert 0.93 <= covered / 600 <= 0.97


def test_a_control_that_may_be_zero_has_no_relative_interval() -> None:
    rng = np.random.default_rng(3)
    comparison = fixed.compare(rng.normal(0, 1, 50), rng.normal(1, 1, 50))
    assert np.isnan(comparison.relative_low)
    assert comparison.p_value < 0.01


def test_constant_values_are_no_error() -> None:
    with np.errstate(all="ignore"):
        comparison = fixed.compare(np.zeros(40), np.zeros(40))
    assert (comparison.p_value, comparison.difference) == (1.0, 0.0)
    sequential_comparison = sequential.compare(np.ones(40), np.ones(40))
    assert (sequential_comparison.low, sequential_comparison.high, sequential_comparison.p_value) == (0.0, 0.0, 1.0)


@pytest.mark.soak
def test_looking_every_day_finds_nothing_that_is_not_there() -> None:
    """With 60 looks and no effect, Welch's test finds an effect in more than a fifth of the experiments."""
    rng = np.random.default_rng(4)
    false_positives = {"fixed": 0, "sequential": 0}
    for _ in range(200):
        control, treated = rng.normal(10, 3, 3_000), rng.normal(10, 3, 3_000)
        sample_sizes = range(50, 3_001, 50)
        false_positives["sequential"] += any(
            not (comparison.low <= 0 <= comparison.high)
            for comparison in (sequential.compare(control[:n], treated[:n], tuned=3_000) for n in sample_sizes)
        )
        false_positives["fixed"] += any(stats.ttest_ind(control[:n], treated[:n]).pvalue < 0.05 for n in sample_sizes)
    assert false_positives["sequential"] <= 0.05 * 200 + 5
    assert false_positives["fixed"] > 0.2 * 200


def test_the_sequence_is_the_papers() -> None:
    """At the tuned sample size it is 1.4 to 1.6 times as wide as a fixed interval (figure 2 of the paper)."""
    parameter = sequential.rho(5_000, 0.05)
    width = sequential.half_width(1.0, 5_000, 0.05, parameter)
    ratio = width / (1.96 / np.sqrt(5_000))
    assert 1.35 < ratio < 1.65
    for factor in (0.3, 3):
        assert sequential.half_width(1.0, 5_000, 0.05, factor * parameter) > width


def test_the_p_value_is_where_the_interval_reaches_zero() -> None:
    rng = np.random.default_rng(5)
    control, treated = rng.normal(0, 1, 900), rng.normal(0.2, 1, 900)
    comparison = sequential.compare(control, treated)
    assert 0 < comparison.p_value < 1
    count = 1_800
    deviation = np.sqrt(count * (control.var(ddof=1) / 900 + treated.var(ddof=1) / 900))
    parameter = sequential.rho(sequential.TUNED, 0.05)
    assert sequential.half_width(deviation, count, comparison.p_value, parameter) == pytest.approx(
        abs(comparison.difference)
    )


def test_what_was_known_takes_variance_out_and_no_effect() -> None:
    rng = np.random.default_rng(6)
    effects, plain = [], []
    for _ in range(200):
        before = [rng.gamma(2, 3, 400) for _ in range(2)]
        values = [0.8 * x + rng.normal(0, 1, 400) + shift for x, shift in zip(before, (0.0, 0.5), strict=True)]
        before[1][::9] = np.nan
        adjusted, removed = cuped.adjusted(values, before)
        assert removed > 0.5
        effects.append(adjusted[1].mean() - adjusted[0].mean())
        plain.append(values[1].mean() - values[0].mean())
    assert np.mean(effects) == pytest.approx(0.5, abs=0.03)
    assert np.std(effects) < 0.75 * np.std(plain)


@pytest.mark.parametrize("before", [np.full(50, np.nan), np.zeros(50)])
def test_where_nothing_was_known_nothing_changes(before: np.ndarray) -> None:
    values = [np.arange(50.0), np.arange(50.0) + 1]
    adjusted, removed = cuped.adjusted(values, [before, before])
    assert removed == 0
    for original, adjusted_values in zip(values, adjusted, strict=True):
        assert (original == adjusted_values).all()


def test_a_ratio_has_the_spread_of_a_ratio() -> None:
    """Compares the standard error with the spread over many samples of listeners."""
    rng = np.random.default_rng(7)
    ratios, standard_errors = [], []
    for _ in range(500):
        impressions = rng.integers(1, 40, 300)
        clicks = rng.binomial(impressions, rng.beta(2, 8, 300))
        values = linearised(clicks, impressions)
        assert values.mean() == pytest.approx(clicks.sum() / impressions.sum())
        ratios.append(values.mean())
        standard_errors.append(values.std(ddof=1) / np.sqrt(300))
    assert np.mean(standard_errors) == pytest.approx(np.std(ratios), rel=0.1)


def test_sizes_that_chance_does_not_make() -> None:
    assert sample_ratio([5_000, 5_060], [1, 1]).verdict == "matches"
    assert sample_ratio([5_000, 5_400], [1, 1]).verdict == "mismatch"
    assert sample_ratio([1_000, 9_050], [1, 9]).verdict == "matches"
    assert sample_ratio([0, 0], [1, 1]).verdict == "matches"


def test_listeners_that_are_needed_find_what_they_should() -> None:
    count = listeners(10.0, 5.0, 0.05)
    rng = np.random.default_rng(8)
    significant = [
        fixed.compare(rng.normal(10, 5, count), rng.normal(10.5, 5, count)).p_value < 0.05 for _ in range(300)
    ]
    assert 0.74 <= np.mean(significant) <= 0.86


def test_new_listeners_cost_no_power() -> None:
    """Half of the listeners are new, and play less: their other mean is known before, and is no noise."""
    rng = np.random.default_rng(9)
    before = [rng.gamma(2, 3, 2_000) for _ in range(2)]
    values = [0.9 * x + 4 + rng.normal(0, 1, 2_000) for x in before]
    for arm_values, x in zip(values, before, strict=True):
        x[::2] = np.nan
        arm_values[::2] = rng.normal(1, 1, 1_000)
    adjusted, removed = cuped.adjusted(values, before)
    assert removed > 0.95
    imputed = [np.where(np.isnan(x), np.nanmean(np.concatenate(before)), x) for x in before]
    assert cuped.adjusted(values, imputed)[1] < 0.35
    assert adjusted[1].mean() - adjusted[0].mean() == pytest.approx(0, abs=0.1)


def _false_verdicts(runs: int, looks: int, size: int, seed: int) -> dict[str, int]:
    """Count runs of which a look finds an effect that is not there, or keeps or breaks a guardrail at its margin."""
    rng = np.random.default_rng(seed)
    found = {"effect": 0, "kept": 0, "broken": 0}
    rail = Guardrail("plays", "down", 0.02)
    sizes = np.linspace(size / looks, size, looks).astype(int)
    for _ in range(runs):
        control, same, at_margin = (rng.normal(mean, 3, size) for mean in (10.0, 10.0, 9.8))
        found["effect"] += any(sequential.compare(control[:n], same[:n]).p_value < 0.05 for n in sizes)
        verdicts = {guardrails.judge(rail, control[:n], at_margin[:n]) for n in sizes}
        for verdict in ("kept", "broken"):
            found[verdict] += verdict in verdicts
    return found


def test_looks_at_an_experiment_without_effect_seldom_find_one() -> None:
    found = _false_verdicts(runs=60, looks=20, size=2_000, seed=10)
    assert max(found.values()) <= 5, found


@pytest.mark.soak
@pytest.mark.parametrize("size", [600, 2_000, 20_000])
def test_at_most_five_of_a_hundred_experiments_mislead_in_twenty_looks(size: int) -> None:
    """1,000 A/A runs for effects, and 1,000 in which a guardrail is exactly at its margin."""
    found = _false_verdicts(runs=1_000, looks=20, size=size, seed=size)
    assert found["effect"] <= 50, found
    assert found["kept"] + found["broken"] <= 50, found


@pytest.mark.parametrize("worse", ["down", "up"])
def test_a_guardrail_is_kept_broken_or_open(worse: str) -> None:
    rng = np.random.default_rng(11)
    sign = 1 if worse == "down" else -1
    control = rng.normal(10, 1, 4_000)
    rail = Guardrail("plays", worse, 0.05)  # type: ignore[arg-type]
    assert guardrails.judge(rail, control, rng.normal(10, 1, 4_000)) == "kept"
    assert guardrails.judge(rail, control, rng.normal(10 - sign * 1.0, 1, 4_000)) == "broken"
    assert guardrails.judge(rail, control, rng.normal(10 - sign * 0.5, 1, 4_000)) == "open"
    assert guardrails.judge(rail, -control, rng.normal(-10 - sign * 1.0, 1, 4_000)) == "broken"


def test_effects_that_differ_between_segments_are_found() -> None:
    rng = np.random.default_rng(12)
    segments = np.array([NEW, LESS, MORE])[np.arange(1_500) % 3]
    control, alike = rng.normal(0, 1, 1_500), rng.normal(0.5, 1, 1_500)
    same = compare_by_segment(control, alike, segments, segments)
    assert same is not None
    assert same.p_value > 0.05
    only_new = compare_by_segment(control, alike - 0.5 * (segments != NEW), segments, segments)
    assert only_new is not None
    assert only_new.p_value < 0.001
    assert only_new.effects[NEW].difference > 0.3
    assert compare_by_segment(control, alike, np.full(1_500, NEW), segments) is None
