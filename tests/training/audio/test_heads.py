"""Heads against other implementations, on made-up rows; and as ONNX."""

import numpy as np
import onnxruntime
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.models.audio import discriminant, distance, heads, kernel_machine, stack
from training.models.audio.onnx_heads import to_onnx
from training.models.audio.tasks import Task, tasks


def _rows(count: int = 120, seed: int = 0) -> tuple[np.ndarray, list[Task], np.ndarray]:
    """Three classes, two labels and a number that five of eight features tell of; every fourth row is of one artist."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 8)).astype(np.float32)
    genre = (inputs[:, :3] + 0.3 * rng.normal(size=(count, 3))).argmax(axis=1)
    labels = (inputs[:, 3:5] ** 2 > 0.5).astype(float)
    number = 1 / (1 + np.exp(-2 * inputs[:, :1]))
    inputs[rng.random(inputs.shape) < 0.02] = np.nan
    inputs[:, 7] = 2.0
    asked = [
        Task("genre", "one_of", ("a", "b", "c"), np.eye(3)[genre]),
        Task("feeling", "number", ("valence",), number),
        Task("instruments", "any_of", ("drums", "flute"), labels),
    ]
    asked[0].targets[::7] = np.nan
    return inputs, asked, np.arange(count) // 4


def test_scores_tell_what_was_learned() -> None:
    inputs, asked, groups = _rows(400)
    model = heads.fit(inputs[:300], [task.take(np.arange(300)) for task in asked], groups[:300])
    found, _ = model.answers(inputs[300:])
    told = np.intersect1d(np.arange(300, 400), asked[0].labelled_rows)
    assert (found["genre"][told - 300].argmax(axis=1) == asked[0].targets[told].argmax(axis=1)).mean() > 0.75
    assert ((found["instruments"] > 0.5) == asked[2].targets[300:]).mean() > 0.75  # not linear: the kernel's part
    assert np.abs(found["feeling"] - asked[1].targets[300:]).mean() < 0.1
    assert np.allclose(found["genre"].sum(axis=1), 1)


def test_onnx_says_the_same() -> None:
    inputs, asked, groups = _rows()
    model = heads.fit(inputs, asked, groups)
    session = onnxruntime.InferenceSession(to_onnx(model), providers=["CPUExecutionProvider"])
    strange = np.concatenate([inputs, 1e6 * np.ones((1, 8)), np.full((1, 8), np.nan)]).astype(np.float32)
    found, far = model.answers(strange)
    told = dict(zip([one.name for one in session.get_outputs()], session.run(None, {"features": strange}), strict=True))
    for name, expected in found.items():
        np.testing.assert_allclose(told[name], expected, atol=2e-4)
    np.testing.assert_allclose(told["distance"], far, rtol=1e-3)
    assert far[-2] > model.farthest
    assert session.run(["genre"], {"features": np.empty((0, 8), np.float32)})[0].shape == (0, 3)


def test_the_kernel_machine_is_kernel_ridge_regression() -> None:
    from sklearn.kernel_ridge import KernelRidge

    rng = np.random.default_rng(0)
    rows, asked = rng.normal(size=(60, 5)), rng.normal(size=(9, 5))
    targets = rng.normal(size=(60, 2))
    weights, offsets = kernel_machine.solve(kernel_machine.kernel(rows, rows, 0.5), targets, 0.3)
    theirs = KernelRidge(alpha=0.3, kernel="rbf", gamma=0.5 / 5).fit(rows, targets - targets.mean(axis=0))
    mine = kernel_machine.kernel(asked, rows, 0.5) @ weights + offsets
    np.testing.assert_allclose(mine, theirs.predict(asked) + targets.mean(axis=0), atol=1e-8)


def test_left_out_rows_are_not_seen() -> None:
    """An answer for a row of a fold does not change with the targets of that fold."""
    inputs, asked, _ = _rows()
    task = asked[2]
    rows = np.nan_to_num(inputs)
    likeness = kernel_machine.kernel(rows, rows, 0.25)
    folds = [np.arange(0, 40), np.arange(40, 120)]
    before = kernel_machine.cross_predict(likeness, task, folds, 0.1)
    changed = Task(task.name, task.kind, task.classes, task.targets.copy())
    changed.targets[:40] = 1 - changed.targets[:40]
    after = kernel_machine.cross_predict(likeness, changed, folds, 0.1)
    np.testing.assert_array_equal(before[:40], after[:40])
    assert np.abs(before[40:] - after[40:]).max() > 0.1


def test_classes_that_are_missing_from_a_fold_lose() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 4))
    for there in ([0, 1, 3], [1, 3], [2]):
        targets = np.zeros((30, 4))
        targets[np.arange(30), rng.choice(there, 30)] = 1
        weights, offsets = discriminant.fit(rows, targets, "one_of")
        assert set((rows @ weights + offsets).argmax(axis=1)) <= set(there)


def test_two_classes_are_those_of_sklearn() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(0)
    rows, truth = rng.normal(size=(50, 4)), rng.integers(0, 2, 50)
    weights, offsets = discriminant.fit(rows, np.eye(2)[truth], "one_of")
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(rows, truth).predict_proba(rows)
    np.testing.assert_allclose(stack.softmax(rows @ weights + offsets), theirs, atol=1e-8)


def test_the_stack_calibrates() -> None:
    """Scores that are three times too sure are brought back; a useless score gets no weight."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3_000, 3))
    truth = np.array([rng.choice(3, p=row) for row in stack.softmax(scores)])
    mix = stack.weigh(3 * scores, rng.normal(size=scores.shape), np.eye(3)[truth], "one_of")
    assert mix[0, 0] == pytest.approx(1 / 3, abs=0.03)
    assert mix[1, 0] < 0.1
    yes = (rng.random((3_000, 3)) < stack.logistic(scores)).astype(float)
    mix = stack.weigh(scores / 2, rng.normal(size=scores.shape), yes, "any_of")
    assert mix[0] == pytest.approx(2, abs=0.3)


def test_distance_knows_what_is_like_what_was_learned_from() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6))
    folds = list(np.array_split(np.arange(400), 5))
    farthest = distance.farthest(rows, folds)
    middle, white = distance.whitening(rows)
    assert (distance.distances(rows, middle, white) <= farthest).mean() == pytest.approx(0.98, abs=0.01)
    expected = np.sqrt(np.einsum("ij,jk,ik->i", rows - middle, white @ white.T, rows - middle))
    np.testing.assert_allclose(distance.distances(rows, middle, white), expected)
    assert distance.distances(rows + 8 * rows.std(axis=0), middle, white).min() > farthest


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 90))
def test_any_rows_give_answers(seed: int, count: int) -> None:
    inputs, asked, groups = _rows(count, seed)
    found, far = heads.fit(inputs, asked, groups).answers(inputs)
    assert all(np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1 for values in found.values())
    assert np.isfinite(far).all()


def test_more_rows_than_can_be_solved_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST", 50)
    inputs, asked, groups = _rows()
    assert heads.fit(inputs, asked, groups).support.shape == (50, 8)


def test_tasks_are_those_that_enough_was_said_of() -> None:
    labels = pl.DataFrame(
        {
            "genre": ["jazz"] * 8 + ["pop"] * 8 + ["rare"] * 2 + [None] * 2,
            "mood": ["calm"] * 3 + [None] * 17,
            "valence": [0.5] * 10 + [None] * 10,
            "arousal": [0.1] * 20,
            "instruments": [["drums"]] * 8 + [["drums", "flute"]] * 8 + [[]] * 2 + [None] * 2,
        },
        schema_overrides={"instruments": pl.List(pl.String)},
    )
    found = {task.name: task for task in tasks(labels)}
    assert set(found) == {"genre", "feeling", "instruments"}
    assert found["genre"].classes == ("jazz", "pop")
    assert len(found["genre"].labelled_rows) == 16  # a rare genre is none of those that are known
    assert len(found["feeling"].labelled_rows) == 10
    assert found["instruments"].classes == ("flute",)  # nearly everybody has drums
    assert found["instruments"].targets[:18].sum() == 8
    assert tasks(labels.clear()) == []
