"""No model that learned nothing, or what nobody knows, becomes champion in any family; honest good ones do."""

from collections.abc import Callable

import numpy as np
import pytest

from training.models.base import Gates
from training.models.find import models
from training.validation.check import Check
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from training.validation.gates import Decision, decide

UNITS = 120
LOSS, SCORE = False, True
FAMILIES: dict[str, tuple[bool, dict[str, float]]] = {
    "skip_model": (LOSS, {"constant": 0.60, "linear": 0.52, PERMUTED: 0.62}),
    "recommendation": (SCORE, {"popularity_28d": 0.20, "ials": 0.19, "random": 0.01}),
    "trend_forecaster": (LOSS, {"seasonal_naive": 1.0, "mean_28d": 1.1, PERMUTED: 1.15}),
    "user_behavior_forecaster": (LOSS, {"base_rate": 0.24, "rate_by_idle_days": 0.20}),
    "chart_forecaster": (LOSS, {"last_value": 9.0, PERMUTED: 30.0}),
    "capacity_forecaster": (LOSS, {"seasonal_naive": 1.0, "seasonal_mean": 0.9, PERMUTED: 1.2}),
    "sentiment_model": (LOSS, {"vader": 0.60, "more_frequent_class": 0.69, PERMUTED: 0.70}),
    "emotion_model": (LOSS, {"words_that_name_one": 1.4, "most_frequent_class": 2.0, PERMUTED: 2.0}),
    "text_embedder": (SCORE, {"words_alone": 0.30, "chance": 0.05, PERMUTED: 0.20}),
    "metadata_tagger": (SCORE, {"goes_together": 0.25, "most_frequent": 0.12}),
    "sequence_model": (LOSS, {"how_often": 5.0, PERMUTED: 5.05}),
    "audio_classifier": (LOSS, {"lightgbm": 0.9, "frequent": 2.0}),
    "system_anomaly_detector": (SCORE, {"largest_deviation": 0.60, "random_alarms": 0.10}),
}
"""Model → whether higher is better, and the figures of what stands beside it in its test."""
every_family = pytest.mark.parametrize("name", FAMILIES)


def judge(
    name: str, figures: np.ndarray | float, *, units: int = UNITS, seed: int = 0, spread: float = 0.2
) -> Decision:
    """Return the decision on a model with these figures: a mean, or one a unit, beside its family's baselines."""
    is_score, means = FAMILIES[name]
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, spread, units)
    values = {beside: mean * (1 + difficulty) for beside, mean in means.items()}
    if not isinstance(figures, np.ndarray):
        figures = figures * (1 + difficulty + rng.normal(0, 0.05, units))
    evidence = Evidence.of("metric", range(units), {MODEL_KEY: figures, **values}, higher_is_better=is_score)
    return decide(evidence, models()[name].gates)


def best_of(name: str) -> float:
    is_score, means = FAMILIES[name]
    return max(means.values()) if is_score else min(means.values())


def weakest_to_beat(name: str) -> str:
    """Return the baseline nearest to the model that must surely be beaten."""
    is_score, means = FAMILIES[name]
    plain = models()[name].gates.plain
    required = {beside: mean for beside, mean in means.items() if plain.get(beside, 0.0) == 0.0 and beside != PERMUTED}
    return (max if is_score else min)(required, key=lambda beside: required[beside])


def improved(name: str, mean: float, share: float) -> float:
    return mean * (1 + share) if FAMILIES[name][0] else mean * (1 - share)


def test_every_family_is_judged_here() -> None:
    declared = models()
    assert {declared[name].family for name in FAMILIES} == {model.family for model in declared.values()}


@every_family
def test_a_good_model_passes(name: str) -> None:
    decision = judge(name, improved(name, best_of(name), 0.15))
    assert decision.may_serve, decision.reasons
    assert decision.answer == "pass"


@every_family
def test_a_model_worse_than_its_baseline_is_refused_in_words(name: str) -> None:
    decision = judge(name, improved(name, FAMILIES[name][1][weakest_to_beat(name)], -0.3))
    assert decision.answer == "fail"
    assert f"worse than {weakest_to_beat(name)} by " in "".join(decision.reasons)


@every_family
def test_a_model_that_answers_as_the_trivial_baseline_is_refused(name: str) -> None:
    """A constant predictor in every family; random lists, random alarms."""
    is_score, means = FAMILIES[name]
    trivial = (min if is_score else max)(means, key=lambda beside: means[beside])
    difficulty = np.random.default_rng(0).normal(0, 0.2, UNITS)
    assert judge(name, means[trivial] * (1 + difficulty)).answer == "fail"


@every_family
def test_a_barely_better_model_is_not_promoted(name: str) -> None:
    baseline = FAMILIES[name][1][weakest_to_beat(name)]
    noise = np.random.default_rng(1).normal(0, 0.5, UNITS)
    difficulty = np.random.default_rng(0).normal(0, 0.2, UNITS)
    figures = improved(name, baseline, 0.005) * (1 + difficulty + noise - noise.mean())
    assert not judge(name, figures).may_serve


@every_family
def test_a_tiny_test_decides_nothing(name: str) -> None:
    for units in (1, 2, 5):
        decision = judge(name, improved(name, best_of(name), 0.3), units=units)
        assert decision.answer == "undecided", (units, decision.reasons)


@every_family
def test_a_near_perfect_test_needs_a_reason(name: str) -> None:
    is_score = FAMILIES[name][0]
    decision = judge(name, np.full(UNITS, 1.0 if is_score else 0.0001))
    has_reason = bool(models()[name].gates.near_perfect)
    assert decision.may_serve is has_reason
    assert has_reason or "near-perfect" in decision.reasons[-1]


@every_family
def test_figures_that_are_no_numbers_never_pass(name: str) -> None:
    good = np.full(UNITS, improved(name, best_of(name), 0.2))
    for broken in (np.nan, np.inf, -np.inf):
        figures = good.copy()
        figures[:3] = broken
        assert "have no figure that is a number" in judge(name, figures).reasons[0]
    assert not judge(name, np.full(UNITS, np.nan)).may_serve
    assert not judge(name, np.where(np.arange(UNITS) % 2, 1e300, -1e300)).may_serve


def noise_passes(name: str, worlds: int) -> int:
    """Count the worlds in which a model passes that is as good as the baseline that must be beaten."""
    baseline = FAMILIES[name][1][weakest_to_beat(name)]
    passed = 0
    for seed in range(worlds):
        rng = np.random.default_rng(1_000 + seed)
        difficulty = np.random.default_rng(seed).normal(0, 0.2, 60)
        passed += judge(name, baseline * (1 + difficulty + rng.normal(0, 0.3, 60)), units=60, seed=seed).may_serve
    return passed


def test_noise_seldom_passes() -> None:
    assert noise_passes("skip_model", 20) <= 2


@pytest.mark.soak
@every_family
def test_noise_passes_in_at_most_five_of_a_hundred_worlds(name: str) -> None:
    assert noise_passes(name, 200) <= 10


def _evidence(model: np.ndarray, **options: object) -> Evidence:
    return Evidence.of("loss", range(len(model)), {MODEL_KEY: model, "constant": np.ones(len(model))}, **options)  # type: ignore[arg-type]


def _check(decision: Decision, name: str) -> Check:
    return next(check for check in decision.checks if check.name == name)


def test_a_test_of_one_person_decides_nothing() -> None:
    evidence = _evidence(np.full(300, 0.5), clusters=["only me"] * 300)
    decision = decide(evidence, Gates())
    assert decision.answer == "undecided"
    assert "1 clusters of 300 units, at least 20 are needed" in decision.reasons[0]


def test_a_baseline_that_could_not_be_fitted_decides_nothing() -> None:
    values = {MODEL_KEY: np.full(100, 0.5), "constant": np.full(100, np.nan)}
    decision = decide(Evidence.of("loss", range(100), values), Gates())
    assert decision.answer == "undecided"
    assert "it was not measured" in decision.reasons[0]
    required = decide(_evidence(np.full(100, 0.5)), Gates(required=("popularity",)))
    assert "baseline popularity" in required.reasons[0]
    nothing_beside = decide(Evidence.of("loss", range(100), {MODEL_KEY: np.full(100, 0.5)}), Gates())
    assert "no baseline" in nothing_beside.reasons[0]


def test_a_plain_model_that_is_as_good_may_serve_itself() -> None:
    rng = np.random.default_rng(0)
    popularity = rng.random(100)
    values = {MODEL_KEY: popularity, "popularity": popularity, "random": popularity * 0.1}
    evidence = Evidence.of("ndcg", range(100), values, higher_is_better=True)
    assert decide(evidence, Gates(plain={"popularity": 0.0})).may_serve
    assert not decide(evidence, Gates()).may_serve  # a tie with what must be beaten
    nearly = Evidence.of("ndcg", range(100), values | {MODEL_KEY: popularity - 0.001}, higher_is_better=True)
    assert not decide(nearly, Gates(plain={"popularity": 0.0})).may_serve
    assert decide(nearly, Gates(plain={"popularity": 0.05})).may_serve


@pytest.mark.parametrize(
    ("floor", "answer"),
    [(lambda good: good + 0.6, "pass"), (lambda good: good + 1e-9 * good, "fail"), (lambda good: good - 0.1, "fail")],
    ids=["above the floor", "as the floor", "below the floor"],
)
def test_what_permuted_labels_reach_must_be_beaten(floor: Callable[[np.ndarray], np.ndarray], answer: str) -> None:
    good = np.random.default_rng(0).normal(0.5, 0.1, 200)
    values = {MODEL_KEY: good, "constant": np.ones(200), PERMUTED: floor(good)}
    decision = decide(Evidence.of("loss", range(200), values), Gates())
    assert _check(decision, "permuted labels").verdict == ("passed" if answer == "pass" else "FAILED")
    assert decision.answer == answer


def test_what_is_gained_by_copies_alone_is_nothing() -> None:
    rng = np.random.default_rng(0)
    is_copy = np.arange(400) % 4 != 0
    memorized = np.where(is_copy, 0.2, 1.0 + rng.normal(0, 0.1, 400))
    kinds = np.where(is_copy, "copy", "entity")
    decision = decide(_evidence(memorized, familiar=kinds), Gates())
    assert "75.0% are copies of training rows; without them" in "".join(decision.reasons)
    honest = decide(_evidence(np.full(400, 0.5), familiar=kinds), Gates())
    assert honest.may_serve
    assert not _check(honest, "known entities").binding


def test_a_decision_is_the_same_after_it_was_kept(tmp_path) -> None:  # type: ignore[no-untyped-def]
    decision = judge("recommendation", 0.2, units=30)
    (tmp_path / "decision.json").write_text(decision.to_json())
    assert Decision.read(tmp_path / "decision.json") == decision
