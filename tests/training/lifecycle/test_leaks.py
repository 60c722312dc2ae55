"""Models of rows on made-up worlds: what learned from a leak, from nothing, or from too little is never promoted."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets.tabular import TabularSet
from training.models.tabular import TabularModel
from training.validation.gates import Decision, decide
from training.validation.leaks import joint_association
from training.validation.suspicions import describe_near_perfect
from training.validation.training_data import check_training_sets
from transforms.pure.tabular.layout import Layout

ROWS, ENTITIES, HOUR = 900, 150, 3_600_000_000
MODEL = TabularModel(
    name="made_up",
    family="behavior",
    about="A model of made-up rows.",
    services=("made_up_v1",),
    rows=lambda home: NotImplemented,
    kind="binary",
    cluster="entity",
    horizon=timedelta(hours=1),
    parameters={"trees": 40, "min_data_in_leaf": 10},
)
BY_ENTITY = replace(MODEL, horizon=None)


def world(seed: int = 0, rows: int = ROWS, signal: float = 1.2) -> TabularSet:
    """Return rows of which the size of one feature tells something of the label, and nine others tell nothing."""
    rng = np.random.default_rng(seed)
    features = {f"v__noise_{number}": rng.normal(size=rows) for number in range(9)}
    cause = rng.normal(size=rows)
    labels = ((cause**2 - 0.5) * 2 * signal + rng.logistic(size=rows) > 0).astype(float)
    entities = np.array([f"e{number}" for number in rng.integers(0, ENTITIES, rows)])
    times = np.arange(rows) * HOUR
    units = np.array([f"{entity}@{time}" for entity, time in zip(entities, times, strict=True)])
    manifest = {"feature_service": "made_up_v1"}
    none = np.empty(0, np.int64)
    return TabularSet(features | {"v__cause": cause}, labels, times, none, units, entities, {}, manifest, Path())


def judge(rows: TabularSet, model: TabularModel = MODEL) -> Decision:
    """Return the decision on the model after its test on these rows, as when it is registered."""
    train, test = (rows.take(positions) for positions in model.split(rows))
    layout = Layout.fit(train.features)
    choice = model.choice(None)
    fitted = model.fit(train, layout, *choice)
    evidence, _ = model._measure(train, test, layout, fitted, *choice)
    searches = bool(describe_near_perfect(evidence))
    data = check_training_sets([model._sample(rows, layout)], model.gates, searches_joint=searches)
    return decide(evidence, model.gates, data=data)


def test_an_honest_model_passes() -> None:
    for model in (MODEL, BY_ENTITY):
        decision = judge(world(), model)
        assert decision.answer == "pass", decision.reasons


def test_shuffled_labels_do_not_pass() -> None:
    rows = world()
    shuffled = replace(rows, labels=np.random.default_rng(1).permutation(rows.labels))
    decision = judge(shuffled)
    assert not decision.may_serve
    assert any("constant" in reason for reason in decision.reasons)


def test_one_feature_that_leaks() -> None:
    rows = world()
    leak = rows.labels + np.random.default_rng(0).normal(0, 0.05, ROWS)
    decision = judge(replace(rows, features={**rows.features, "v__after": leak}))
    assert decision.answer == "fail"
    assert "leak: single features that predict the label: v__after" in decision.reasons[0]


def test_two_features_that_leak_together() -> None:
    """Each alone is mostly noise; their sum is the label."""
    rows = world()
    rng = np.random.default_rng(9)
    first = rng.normal(0, 1.5, ROWS)
    second = rows.labels - first + rng.normal(0, 0.02, ROWS)
    leaking = replace(rows, features={**rows.features, "v__first": first, "v__second": second})
    decision = judge(leaking, replace(MODEL, learner="linear"))
    assert decision.answer == "fail"
    assert {check.name for check in decision.checks if check.verdict == "FAILED"} == {"joint leak", "near-perfect test"}
    score, features = joint_association(MODEL._sample(leaking, Layout.fit(leaking.features)))
    assert {"v__first", "v__second"} <= set(features[:3])
    assert score > 0.9
    assert joint_association(MODEL._sample(rows, Layout.fit(rows.features)))[0] < 0.9


def test_features_of_the_labels_time_or_later() -> None:
    rows = world()
    decision = judge(replace(rows, label_times=rows.times - (np.arange(ROWS) % 3 == 0)))
    assert "time: the features of 900 of 900 rows are as of the label's time or later" in decision.reasons
    assert judge(rows, replace(MODEL, horizon=timedelta(0))).may_serve  # the label of the row's own event
    late = judge(replace(rows, label_times=rows.times + 3 * HOUR))
    assert "known after the horizon" in late.reasons[0]
    assert judge(replace(rows, label_times=rows.times + HOUR)).may_serve


def test_rows_that_were_stored_twice() -> None:
    """A model that only remembers its rows gains by the copies in the test, and by nothing else."""
    rows = world(signal=0.0)
    positions = np.random.default_rng(0).permutation(np.repeat(np.arange(ROWS), 2))
    twice = rows.take(positions)
    unique_entities = np.array([f"row {number}" for number in range(len(positions))])
    remembering = replace(
        BY_ENTITY,
        parameters={"trees": 120, "learning_rate": 0.15, "min_data_in_leaf": 1, "num_leaves": 63, "lambda_l2": 0},
    )
    decision = judge(replace(twice, clusters=unique_entities), remembering)
    assert decision.answer == "fail"
    assert "duplicates: 7" in "".join(decision.reasons) or "duplicates: 8" in "".join(decision.reasons)


@pytest.mark.parametrize("rows", [70, 120])
def test_a_tiny_test_is_undecided(rows: int) -> None:
    assert judge(world(rows=rows)).answer != "pass"


def test_a_number_that_is_never_missed_is_suspicious() -> None:
    rows = world()
    model = replace(MODEL, kind="number")
    numbers = replace(rows, labels=rows.features["v__cause"] * 10)
    decision = judge(numbers, replace(model, learner="linear"))
    assert decision.answer == "fail"
    assert any(reason.startswith("near-perfect test") for reason in decision.reasons)


def test_a_linear_model_that_cannot_be_fitted_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = TabularModel.fit

    def fit_if_not_linear(self, rows, layout, learner, parameters):  # type: ignore[no-untyped-def]
        if learner == "linear":
            raise ValueError("it does not converge")
        return fit(self, rows, layout, learner, parameters)

    monkeypatch.setattr(TabularModel, "fit", fit_if_not_linear)
    decision = judge(world())
    assert decision.answer == "undecided"
    assert "baseline linear: it has no figures" in decision.reasons[0]


def _noise_that_passes(worlds: int) -> int:
    return sum(judge(world(seed, rows=500, signal=0.0)).may_serve for seed in range(worlds))


def test_noise_does_not_pass() -> None:
    assert _noise_that_passes(3) == 0


@pytest.mark.soak
def test_noise_passes_in_at_most_five_of_a_hundred_worlds() -> None:
    assert _noise_that_passes(200) <= 10


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"label": ["yes", "no"]}, "numbers or booleans; found labels of type String"),
        ({"label": [[1], [0]]}, "numbers or booleans"),
        ({"label": [datetime(2026, 1, 1)] * 2}, "numbers or booleans"),
        ({"label": [1, 0], "label_timestamp": ["today", "then"]}, "times in label_timestamp"),
        ({"answer": [1, 0]}, "a column 'label'"),
    ],
    ids=["texts", "lists", "times", "a label time of text", "no label"],
)
def test_labels_of_another_type_are_an_error(column: dict[str, list[object]], message: str, tmp_path: Path) -> None:
    rows = pl.DataFrame(column).with_columns(event_timestamp=datetime(2026, 1, 1), entity=pl.lit("e1"))
    with pytest.raises(InputError, match=re.escape(message)):
        TabularSet.pull(Home(tmp_path), "made_up_v1", rows, cluster="entity")
