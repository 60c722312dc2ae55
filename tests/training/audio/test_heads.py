"""Audio heads on generated rows, compared with scikit-learn and with their ONNX export."""

import numpy as np
import onnxruntime
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from training.models.audio import discriminant, distance, heads, kernel_machine, stack
from training.models.audio.onnx_heads import to_onnx
from training.models.audio.tasks import Task, required_tasks, tasks


def _features_and_tasks(count: int = 120, seed: int = 0) -> tuple[np.ndarray, list[Task], np.ndarray]:
    """Returns eight features, three tasks that depend on five of them, and artists of four rows each."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 8)).astype(np.float32)
    genre = (inputs[:, :3] + 0.3 * rng.normal(size=(count, 3))).argmax(axis=1)
    labels = (inputs[:, 3:5] ** 2 > 0.5).astype(float)
    number = 1 / (1 + np.exp(-2 * inputs[:, :1]))
    inputs[rng.random(inputs.shape) < 0.02] = np.nan
    inputs[:, 7] = 2.0
    audio_tasks = [
        Task("genre", "one_of", ("a", "b", "c"), np.eye(3)[genre]),
        Task("feeling", "number", ("valence",), number),
        Task("instruments", "any_of", ("drums", "flute"), labels),
    ]
    audio_tasks[0].targets[::7] = np.nan
    return inputs, audio_tasks, np.arange(count) // 4


def test_scores_tell_what_was_learned() -> None:
    inputs, audio_tasks, groups = _features_and_tasks(400)
    model = heads.fit(inputs[:300], [task.take(np.arange(300)) for task in audio_tasks], groups[:300])
    predictions, _ = model.answers(inputs[300:])
    labelled_test_rows = np.intersect1d(np.arange(300, 400), audio_tasks[0].labelled_rows)
    assert (
        predictions["genre"][labelled_test_rows - 300].argmax(axis=1)
        == audio_tasks[0].targets[labelled_test_rows].argmax(axis=1)
    ).mean() > 0.75
    # the labels are not linear in the features: this needs the kernel machine
    assert ((predictions["instruments"] > 0.5) == audio_tasks[2].targets[300:]).mean() > 0.75
    assert np.abs(predictions["feeling"] - audio_tasks[1].targets[300:]).mean() < 0.1
    assert np.allclose(predictions["genre"].sum(axis=1), 1)


def test_onnx_says_the_same() -> None:
    inputs, audio_tasks, groups = _features_and_tasks()
    model = heads.fit(inputs, audio_tasks, groups)
    session = onnxruntime.InferenceSession(to_onnx(model), providers=["CPUExecutionProvider"])
    samples = np.concatenate([inputs, 1e6 * np.ones((1, 8)), np.full((1, 8), np.nan)]).astype(np.float32)
    predictions, distances = model.answers(samples)
    onnx_outputs = dict(
        zip([output.name for output in session.get_outputs()], session.run(None, {"features": samples}), strict=True)
    )
    for name, expected in predictions.items():
        np.testing.assert_allclose(onnx_outputs[name], expected, atol=2e-4)
    np.testing.assert_allclose(onnx_outputs["distance"], distances, rtol=1e-3)
    assert distances[-2] > distance.LIMIT
    assert session.run(["genre"], {"features": np.empty((0, 8), np.float32)})[0].shape == (0, 3)


def test_the_kernel_machine_is_kernel_ridge_regression() -> None:
    from sklearn.kernel_ridge import KernelRidge

    rng = np.random.default_rng(0)
    rows, new_rows = rng.normal(size=(60, 5)), rng.normal(size=(9, 5))
    targets = rng.normal(size=(60, 2))
    weights, offsets = kernel_machine.solve(kernel_machine.kernel(rows, rows, 0.5), targets, 0.3)
    reference = KernelRidge(alpha=0.3, kernel="rbf", gamma=0.5 / 5).fit(rows, targets - targets.mean(axis=0))
    predictions = kernel_machine.kernel(new_rows, rows, 0.5) @ weights + offsets
    np.testing.assert_allclose(predictions, reference.predict(new_rows) + targets.mean(axis=0), atol=1e-8)


def test_left_out_rows_are_not_seen() -> None:
    """The prediction for a row does not depend on the targets of its own fold."""
    inputs, audio_tasks, _ = _features_and_tasks()
    task = audio_tasks[2]
    rows = np.nan_to_num(inputs)
    kernel = kernel_machine.kernel(rows, rows, 0.25)
    folds = [np.arange(0, 40), np.arange(40, 120)]
    before = kernel_machine.cross_predict(kernel, task, folds, 0.1)
    changed = Task(task.name, task.kind, task.classes, task.targets.copy())
    changed.targets[:40] = 1 - changed.targets[:40]
    after = kernel_machine.cross_predict(kernel, changed, folds, 0.1)
    np.testing.assert_array_equal(before[:40], after[:40])
    assert np.abs(before[40:] - after[40:]).max() > 0.1


def test_classes_that_are_missing_from_a_fold_lose() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 4))
    for present_classes in ([0, 1, 3], [1, 3], [2]):
        targets = np.zeros((30, 4))
        targets[np.arange(30), rng.choice(present_classes, 30)] = 1
        weights, offsets = discriminant.fit(rows, targets, "one_of")
        assert set((rows @ weights + offsets).argmax(axis=1)) <= set(present_classes)


def test_two_classes_are_those_of_sklearn() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(0)
    rows, truth = rng.normal(size=(50, 4)), rng.integers(0, 2, 50)
    weights, offsets = discriminant.fit(rows, np.eye(2)[truth], "one_of")
    expected = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(rows, truth).predict_proba(rows)
    np.testing.assert_allclose(stack.softmax(rows @ weights + offsets), expected, atol=1e-8)


def test_the_stack_calibrates() -> None:
    """Overconfident scores are scaled down; a score of noise gets no weight."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3_000, 3))
    truth = np.array([rng.choice(3, p=row) for row in stack.softmax(scores)])
    weights = stack.weigh(3 * scores, rng.normal(size=scores.shape), np.eye(3)[truth], "one_of")
    assert weights[0, 0] == pytest.approx(1 / 3, abs=0.03)
    assert weights[1, 0] < 0.1
    labels = (rng.random((3_000, 3)) < stack.logistic(scores)).astype(float)
    weights = stack.weigh(scores / 2, rng.normal(size=scores.shape), labels, "any_of")
    assert weights[0] == pytest.approx(2, abs=0.3)


def test_distances_are_relative_to_those_from_all_rows() -> None:
    rng = np.random.default_rng(0)
    rows, classes = rng.normal(size=(300, 4)), np.repeat([0, 1, -1], 100)
    rows[:100, 0] += 6
    region = distance.fit(rows, classes)
    measures = region.measure(rows, np.zeros(300))

    def squares(centre: np.ndarray, white: np.ndarray) -> np.ndarray:
        return np.einsum("ij,jk,ik->i", rows - centre, white @ white.T, rows - centre)

    plain = squares(rows.mean(axis=0), region.white)
    nearest = np.minimum(*(squares(rows[classes == number].mean(axis=0), region.within) for number in (0, 1)))
    np.testing.assert_allclose(measures.plain**2, plain)
    np.testing.assert_allclose(measures.relative, nearest - plain)  # without recorders, both matrices of all rows agree
    assert plain.mean() == pytest.approx(1, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(60, 300), st.booleans())
def test_limits_hold_the_stated_share(seed: int, count: int, with_classes: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 3))
    region = distance.fit(rows, rng.integers(0, 3, count) if with_classes else np.full(count, -1))
    known = region.measure(rows, rng.random(count))
    region = distance.with_limits(region, [known])
    assert (
        region.distances(known) <= distance.LIMIT + 1e-9
    ).mean() >= distance.KNOWN_SHARE - 2 / count  # a quantile may lie between two rows
    far = region.measure(rows + 100, known.doubt)
    assert region.distances(far).min() > distance.LIMIT


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 90))
def test_any_rows_give_answers(seed: int, count: int) -> None:
    inputs, audio_tasks, groups = _features_and_tasks(count, seed)
    predictions, distances = heads.fit(inputs, audio_tasks, groups).answers(inputs)
    assert all(np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1 for values in predictions.values())
    assert np.isfinite(distances).all()


def test_more_rows_than_can_be_solved_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST", 50)
    inputs, audio_tasks, groups = _features_and_tasks()
    assert heads.fit(inputs, audio_tasks, groups).support.shape == (50, 8)


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
    by_name = {task.name: task for task in tasks(labels)}
    assert set(by_name) == {"genre", "feeling", "instruments"}
    assert by_name["genre"].classes == ("jazz", "pop")
    assert len(by_name["genre"].labelled_rows) == 16  # rows of the rare genre have no label
    assert len(by_name["feeling"].labelled_rows) == 10
    assert by_name["instruments"].classes == ("flute",)  # drums are in nearly every row
    assert by_name["instruments"].targets[:18].sum() == 8
    assert tasks(labels.clear()) == []
    with pytest.raises(InputError, match="20 labelled tracks without"):
        required_tasks(
            labels.with_columns(
                pl.lit("jazz").alias("genre"),
                pl.lit(None, pl.List(pl.String)).alias("instruments"),
                pl.lit(None, pl.Float64).alias("valence"),
            )
        )


def test_spellings_of_a_label_are_one_class() -> None:
    labels = pl.DataFrame(
        {
            "genre": ["Rock"] * 5 + ["rock"] * 3 + ["hip  hop"] * 4 + ["Hip Hop"] * 5 + [" "] * 9,
            "mood": [None] * 26,
            "valence": [None] * 26,
            "arousal": [None] * 26,
            "instruments": [["Drums", "drums "]] * 9 + [[]] * 17,
        },
        schema_overrides={"mood": pl.String, "instruments": pl.List(pl.String)},
    )
    genre, instruments = tasks(labels)
    assert genre.classes == ("Hip Hop", "Rock")
    assert genre.targets[:17].sum(axis=0).tolist() == [9, 8]
    assert len(genre.labelled_rows) == 17
    assert instruments.classes == ("Drums",)


def test_one_artist_and_rare_classes_give_finite_answers() -> None:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(24, 5)), np.eye(3)[np.array([0] * 20 + [1] * 3 + [2])]
    model = heads.fit(inputs, [Task("genre", "one_of", ("a", "b", "c"), targets)], np.zeros(24))
    answers, distances = model.answers(np.concatenate([inputs, np.full((1, 5), np.nan)]))
    assert np.isfinite(answers["genre"]).all()
    assert np.isfinite(distances).all()
