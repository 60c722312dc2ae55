"""Splits that let no future speak, intervals that mean what they say, and gates that stop what should be stopped."""

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
from training.validation.cross_validation import forward, grouped, last
from training.validation.evidence import MODEL_KEY, Evidence, combine
from training.validation.gates import Check, Decision, decide

TIMES = st.lists(st.integers(0, 1_000), min_size=5, max_size=80).map(lambda told: np.array(told, np.int64))


@given(times=TIMES, horizon=st.integers(0, 200), folds=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_nothing_that_is_learned_was_unknown_when_it_is_asked(times: np.ndarray, horizon: int, folds: int) -> None:
    asked_of = np.zeros(len(times), int)
    for learned, asked in forward(times, horizon, folds):
        assert (times[learned] + horizon).max() <= times[asked].min()
        asked_of[asked] += 1
    assert asked_of.max(initial=0) <= 1  # no row is asked about twice
    learned, asked = last(times, horizon, 0.2)
    assert len(asked)
    assert not len(learned) or (times[learned] + horizon).max() <= times[asked].min()
    assert times[asked].min() >= np.delete(times, asked).max(initial=-1)


@given(groups=st.lists(st.integers(0, 9), min_size=2, max_size=60).map(np.array), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_a_group_is_on_one_side(groups: np.ndarray, seed: int) -> None:
    seen = np.zeros(len(groups), int)
    for learned, asked in grouped(groups, 3, seed=seed):
        assert not set(groups[learned]) & set(groups[asked])
        seen[asked] += 1
    assert seen.max(initial=0) <= 1


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for number in range(200):
        means = rng.normal(size=40)  # rows of one cluster are alike
        values = np.repeat(means, 5) + 0.1 * rng.normal(size=200)
        told = interval(values, np.repeat(np.arange(40), 5), draws=300, seed=number)
        held += told.low <= 0 <= told.high
    assert 0.88 <= held / 200 <= 0.99
    rows = interval(np.repeat(rng.normal(size=40), 5), draws=300)
    of_clusters = interval(np.repeat(rng.normal(size=40), 5), np.repeat(np.arange(40), 5), draws=300)
    assert of_clusters.high - of_clusters.low > 1.5 * (rows.high - rows.low)


def _evidence(loss: float, units: range, spread: float = 0.1, seed: int = 0, **more: object) -> Evidence:
    rng = np.random.default_rng(seed)
    base = rng.normal(1.0, spread, len(units))
    return Evidence.of("log_loss", list(units), {MODEL_KEY: base + loss - 1, "constant": base + 0.2}, **more)  # type: ignore[arg-type]


def test_evidence_is_the_same_after_it_was_kept() -> None:
    kept = _evidence(
        1.0,
        range(50),
        clusters=[number // 2 for number in range(50)],
        segments={"plan": ["free", None] * 25},
        outcome=np.ones(50),
        chance=np.full(50, 0.7),
    )
    again = Evidence.from_bytes(kept.to_bytes())
    assert again.metric == kept.metric
    assert again.figure() == kept.figure()
    assert again.by_segment("plan").keys() == {"free"}
    assert again.gain("constant") == kept.gain("constant")
    joined = combine([kept, again])
    assert joined is not None
    assert joined.figure().units == 100


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
    assert decide(champion, Gates(), champion=champion, version=3).may_serve  # as good as itself


def test_a_challenger_that_may_be_much_worse_is_refused() -> None:
    rng = np.random.default_rng(0)
    champion = _evidence(1.0, range(60))
    noisy = champion.values[MODEL_KEY] - 0.001 + rng.normal(0, 1.0, 60)
    unsure = Evidence.of("log_loss", range(60), {MODEL_KEY: noisy - noisy.mean() + 0.999, "constant": noisy + 1})
    assert not decide(unsure, Gates(), champion=champion, version=1).may_serve


def test_other_units_are_compared_as_such() -> None:
    champion, other = _evidence(1.0, range(100)), _evidence(1.2, range(500, 600))
    decision = decide(other, Gates(), champion=champion, version=2)
    assert not decision.may_serve
    assert "on other units" in decision.reasons[0]


def test_a_constant_predictor_fails_its_gates() -> None:
    evidence = Evidence.of("log_loss", range(80), {MODEL_KEY: np.full(80, 0.7), "constant": np.full(80, 0.7)})
    assert not decide(evidence, Gates()).may_serve


def test_chances_that_do_not_mean_what_they_say_fail() -> None:
    rng = np.random.default_rng(0)
    outcome = (rng.random(400) < 0.5).astype(float)
    values = {MODEL_KEY: np.zeros(400), "constant": np.ones(400)}
    sure = Evidence.of("log_loss", range(400), values, outcome=outcome, chance=np.full(400, 0.9))
    assert any("calibration" in reason for reason in decide(sure, Gates()).reasons)
    fair = Evidence.of("log_loss", range(400), values, outcome=outcome, chance=np.full(400, 0.5))
    assert decide(fair, Gates()).may_serve


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
    told = next(check for check in decision.checks if check.name == "segments of plan")
    assert not told.passed
    assert "few" in told.summary
    assert decision.may_serve  # a person is to look, nothing more


def _features(count: int = 800, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < 0.3).astype(float)
    kinds = np.array(["a", "b", None], object)[rng.integers(0, 3, count)]
    return {"v__noise": rng.normal(size=count), "v__kind": kinds}, labels


def _looked_at(
    features: dict[str, np.ndarray], labels: np.ndarray, before: dict[str, dict[str, np.ndarray]] | None = None
) -> list[Check]:
    return training_data.check_training_sets([Sample({"feature_service": "v1"}, features, labels)], Gates(), before)


def test_a_feature_that_is_the_label_in_disguise_is_found() -> None:
    features, labels = _features()
    plain = _looked_at(features, labels)
    assert all(check.passed for check in plain)
    told = training_data.label_association(features["v__kind"], labels, "binary")
    assert told < 0.6  # a kind's mean must not be told by the row's own label
    disguised = features | {"v__after": labels * 3 + np.random.default_rng(1).normal(0, 0.1, len(labels))}
    leak = _looked_at(disguised, labels)[0]
    assert not leak.passed
    assert "v__after" in leak.summary
    texts = features | {"v__word": np.where(labels > 0, "yes", "no").astype(object)}
    assert not _looked_at(texts, labels)[0].passed


def test_drift_and_missing_values_are_told() -> None:
    features, labels = _features()
    moved = {"v__noise": features["v__noise"] + 3, "v__kind": features["v__kind"].copy()}
    restored = samples_from_bytes(sample.samples_to_bytes([Sample({"feature_service": "v1"}, features)]))
    drift = _looked_at(moved, labels, restored)[-1]
    assert not drift.passed
    assert "v__noise" in drift.summary
    moved["v__noise"][:790] = np.nan
    missing = _looked_at(moved, labels)[1]
    assert not missing.passed
    assert not missing.binding  # only a model whose features can be left out by name is stopped
    assert len(_looked_at(moved, np.empty(0))) == 1  # without labels nobody looks for a leak


@pytest.mark.parametrize(
    ("labels", "times", "kind", "told"),
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
def test_labels_that_teach_nothing_are_an_error(labels: np.ndarray, times: np.ndarray, kind: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        training_data.refuse("m", labels.astype(float), times, 5_000, kind)  # type: ignore[arg-type]
    assert told in str(error.value)
    assert "python -m" in error.value.next_command or "rows()" in error.value.next_command


def test_a_feature_that_is_nowhere_is_an_error() -> None:
    nothing = np.full(5, np.nan)
    with pytest.raises(InputError, match="values of view__gone, other__all") as error:
        training_data.refuse_empty("m", {"view__there": np.ones(5), "view__gone": nothing, "other__all": nothing})
    assert error.value.next_command == "python -m training run m --set without=view__gone,other"
