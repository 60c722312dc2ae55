"""Splits without leakage from the future, intervals with their stated coverage, and gates that stop bad models."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from training.datasets import Sample, sample
from training.datasets.sample import samples_from_bytes
from training.models.base import Gates
from training.validation import training_data
from training.validation.bootstrap import interval
from training.validation.check import Check
from training.validation.cross_validation import forward, grouped, last
from training.validation.evidence import MODEL_KEY, Evidence, combine
from training.validation.gates import Decision, decide
from training.validation.leaks import label_association

TIMES = st.lists(st.integers(0, 1_000), min_size=5, max_size=80).map(lambda values: np.array(values, np.int64))


@given(times=TIMES, horizon=st.integers(0, 200), folds=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_nothing_that_is_learned_was_unknown_when_it_is_asked(times: np.ndarray, horizon: int, folds: int) -> None:
    test_counts = np.zeros(len(times), int)
    for train_rows, test_rows in forward(times, horizon, folds):
        assert (times[train_rows] + horizon).max() <= times[test_rows].min()
        test_counts[test_rows] += 1
    assert test_counts.max(initial=0) <= 1  # no row is in two test sets
    train_rows, test_rows = last(times, horizon, 0.2)
    assert len(test_rows)
    assert not len(train_rows) or (times[train_rows] + horizon).max() <= times[test_rows].min()
    assert times[test_rows].min() >= np.delete(times, test_rows).max(initial=-1)


@given(groups=st.lists(st.integers(0, 9), min_size=2, max_size=60).map(np.array), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_a_group_is_on_one_side(groups: np.ndarray, seed: int) -> None:
    test_counts = np.zeros(len(groups), int)
    for train_rows, test_rows in grouped(groups, 3, seed=seed):
        assert not set(groups[train_rows]) & set(groups[test_rows])
        test_counts[test_rows] += 1
    assert test_counts.max(initial=0) <= 1


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for number in range(200):
        means = rng.normal(size=40)  # rows of one cluster are correlated
        values = np.repeat(means, 5) + 0.1 * rng.normal(size=200)
        bounds = interval(values, np.repeat(np.arange(40), 5), draws=300, seed=number)
        covered += bounds.low <= 0 <= bounds.high
    assert 0.88 <= covered / 200 <= 0.99
    unclustered = interval(np.repeat(rng.normal(size=40), 5), draws=300)
    clustered = interval(np.repeat(rng.normal(size=40), 5), np.repeat(np.arange(40), 5), draws=300)
    assert clustered.high - clustered.low > 1.5 * (unclustered.high - unclustered.low)


def _evidence(loss: float, units: range, spread: float = 0.1, seed: int = 0, **options: object) -> Evidence:
    rng = np.random.default_rng(seed)
    base = rng.normal(1.0, spread, len(units))
    return Evidence.of("log_loss", list(units), {MODEL_KEY: base + loss - 1, "constant": base + 0.2}, **options)  # type: ignore[arg-type]


def test_evidence_is_the_same_after_it_was_kept() -> None:
    evidence = _evidence(
        1.0,
        range(50),
        clusters=[number // 2 for number in range(50)],
        segments={"plan": ["free", None] * 25},
        outcome=np.ones(50),
        chance=np.full(50, 0.7),
    )
    restored = Evidence.from_bytes(evidence.to_bytes())
    assert restored.metric == evidence.metric
    assert restored.figure() == evidence.figure()
    assert restored.by_segment("plan").keys() == {"free"}
    assert restored.gain("constant") == evidence.gain("constant")
    combined = combine([evidence, restored])
    assert combined is not None
    assert combined.figure().units == 100


def test_a_worse_challenger_is_refused_and_a_better_one_is_not() -> None:
    champion = _evidence(1.0, range(100))
    better, worse = _evidence(0.9, range(50, 150), seed=0), _evidence(1.05, range(100))
    better = Evidence.of(
        "log_loss", range(100), {MODEL_KEY: champion.values[MODEL_KEY] - 0.1, "constant": champion.values["constant"]}
    )
    assert decide(better, Gates(), champion=champion, version=3).may_serve
    decision = decide(worse, Gates(), champion=champion, version=3)
    assert not decision.may_serve
    assert "champion" in decision.reasons[0]
    assert decide(champion, Gates(), champion=champion, version=3).may_serve  # no worse than itself


def test_a_challenger_that_may_be_much_worse_is_refused() -> None:
    rng = np.random.default_rng(0)
    champion = _evidence(1.0, range(60))
    noisy = champion.values[MODEL_KEY] - 0.001 + rng.normal(0, 1.0, 60)
    challenger = Evidence.of("log_loss", range(60), {MODEL_KEY: noisy - noisy.mean() + 0.999, "constant": noisy + 1})
    assert not decide(challenger, Gates(), champion=champion, version=1).may_serve


def test_other_units_are_compared_as_such() -> None:
    champion, challenger = _evidence(1.0, range(100)), _evidence(1.2, range(500, 600))
    decision = decide(challenger, Gates(), champion=champion, version=2)
    assert not decision.may_serve
    assert "on other units" in decision.reasons[0]


def test_a_constant_predictor_fails_its_gates() -> None:
    evidence = Evidence.of("log_loss", range(80), {MODEL_KEY: np.full(80, 0.7), "constant": np.full(80, 0.7)})
    assert not decide(evidence, Gates()).may_serve


def test_chances_that_do_not_mean_what_they_say_fail() -> None:
    rng = np.random.default_rng(0)
    outcome = (rng.random(400) < 0.5).astype(float)
    values = {MODEL_KEY: np.zeros(400), "constant": np.ones(400)}
    overconfident = Evidence.of("log_loss", range(400), values, outcome=outcome, chance=np.full(400, 0.9))
    assert any("calibration" in reason for reason in decide(overconfident, Gates()).reasons)
    calibrated = Evidence.of("log_loss", range(400), values, outcome=outcome, chance=np.full(400, 0.5))
    assert "calibration" not in "".join(decide(calibrated, Gates()).reasons)


def test_nothing_measured_means_that_a_person_decides(tmp_path: object) -> None:
    decision = decide(None, Gates())
    assert not decision.may_serve
    path = tmp_path / "decision.json"  # type: ignore[operator]
    path.write_text(decision.to_json())
    assert Decision.read(path) == decision


def test_a_segment_that_is_far_behind_is_told() -> None:
    values = np.concatenate([np.full(300, 0.1), np.full(60, 1.0)])
    names = ["many"] * 300 + ["few"] * 60
    evidence = Evidence.of(
        "log_loss", range(360), {MODEL_KEY: values, "constant": values + 1}, segments={"plan": names}
    )
    decision = decide(evidence, Gates())
    segment_check = next(check for check in decision.checks if check.name == "segments of plan")
    assert not segment_check.passed
    assert "few" in segment_check.summary
    assert decision.may_serve  # a weak segment is a warning, no refusal


def _features(count: int = 800, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < 0.3).astype(float)
    kinds = np.array(["a", "b", None], object)[rng.integers(0, 3, count)]
    return {"v__noise": rng.normal(size=count), "v__kind": kinds}, labels


def _training_set_checks(
    features: dict[str, np.ndarray], labels: np.ndarray, before: dict[str, dict[str, np.ndarray]] | None = None
) -> list[Check]:
    return training_data.check_training_sets([Sample({"feature_service": "v1"}, features, labels)], Gates(), before)


def test_a_feature_that_is_the_label_in_disguise_is_found() -> None:
    features, labels = _features()
    checks = _training_set_checks(features, labels)
    assert all(check.passed for check in checks)
    association = label_association(features["v__kind"], labels, "binary")
    assert association < 0.6  # the mean of a category leaves out the row's own label
    leaking = features | {"v__after": labels * 3 + np.random.default_rng(1).normal(0, 0.1, len(labels))}
    leak_check = _training_set_checks(leaking, labels)[0]
    assert not leak_check.passed
    assert "v__after" in leak_check.summary
    leaking_text = features | {"v__word": np.where(labels > 0, "yes", "no").astype(object)}
    assert not _training_set_checks(leaking_text, labels)[0].passed


def test_a_text_that_says_nothing_is_no_leak_where_labels_alternate() -> None:
    labels = np.tile([0.0, 1.0], 200)
    assert label_association(np.full(400, "same", object), labels, "binary") < 0.6


def test_drift_and_missing_values_are_told() -> None:
    features, labels = _features()
    shifted = {"v__noise": features["v__noise"] + 3, "v__kind": features["v__kind"].copy()}
    restored = samples_from_bytes(sample.samples_to_bytes([Sample({"feature_service": "v1"}, features)]))
    drift_check = _training_set_checks(shifted, labels, restored)[-1]
    assert not drift_check.passed
    assert "v__noise" in drift_check.summary
    shifted["v__noise"][:790] = np.nan
    missing_check = _training_set_checks(shifted, labels)[-1]
    assert not missing_check.passed
    assert not missing_check.binding  # binding only for models whose features can be left out by name
    assert len(_training_set_checks(shifted, np.empty(0))) == 1  # without labels there is no leak check


@pytest.mark.parametrize(
    ("labels", "times", "kind", "message"),
    [
        (np.ones(10), np.arange(10), "binary", "at least 50 labelled rows"),
        (np.r_[np.full(30, np.nan), np.arange(60) % 2], np.arange(90), "binary", "a label in every row"),
        (np.full(80, np.nan), np.arange(80), "binary", "at least 50 labelled rows"),
        (np.ones(80), np.arange(80), "binary", "both classes"),
        (np.full(80, 3.5), np.arange(80), "number", "that differ"),
        (np.arange(80) % 3, np.arange(80), "binary", "0 or 1"),
        (np.arange(80) % 2, np.arange(80) + 10_000, "binary", "a clock was wrong"),
    ],
    ids=["10 rows", "some missing", "all missing", "one class", "constant", "three classes", "future"],
)
def test_labels_that_teach_nothing_are_an_error(labels: np.ndarray, times: np.ndarray, kind: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        training_data.refuse("m", labels.astype(float), times, 5_000, kind)  # type: ignore[arg-type]
    assert message in str(error.value)
    assert "refrain " in error.value.next_command or "rows()" in error.value.next_command


def test_a_feature_that_is_nowhere_is_an_error() -> None:
    missing = np.full(5, np.nan)
    with pytest.raises(InputError, match="values of view__gone, other__all") as error:
        training_data.refuse_empty("m", {"view__there": np.ones(5), "view__gone": missing, "other__all": missing})
    assert error.value.next_command == "refrain model run m --set without=view__gone,other"
