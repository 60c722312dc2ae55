"""Classes of the rows of a file, by the best of several models of numbers, categories and texts.

Rows are split by time where they have one, else by person where one is named, else at random with the same share of
each class: the last fifth is the test, the fifth before it the validation. The model with the smallest log loss on
validation is fitted again to both, measured on the test once beside the shares of the classes, and fitted to all
labelled rows. Rows without a label get the answers; where all have one, the rows of the test do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from refrain.own_file import columns
from refrain.own_file.columns import listed
from refrain.own_file.labelled_rows import LabelledRows, read_labelled
from refrain.own_file.result import Result, Section, Verdict, figures_table, verdict_of
from refrain.own_file.table import OwnFile
from training.estimators import LEARNERS
from training.evaluate.classification import class_metrics
from training.models.base import Gates
from training.models.text import linear_stack
from training.validation.evidence import MODEL_KEY, Evidence
from training.validation.leaks import label_association
from transforms.pure.tabular.layout import Layout

PLAIN = "shares of the classes"
"""Name of the plain model."""
LEARNED = ("linear", "lightgbm", "forest")
TEXT, BOTH = "words", "words and columns"
"""Names of the model of texts, and of its mean with the best model of the other columns."""

Predict = Callable[[np.ndarray], np.ndarray]
"""Rows (n,) of the file → chances (n, k) of the classes."""


@dataclass(frozen=True)
class Request:
    """What a person wants classified.

    Attributes:
        label: column of the labels; empty to search.
        text: column with texts; empty to search.
        time: column of times; empty to search.
        time_format: unit or format of the times.
        user: column whose values (people) stay together in one part; empty for none.
        without: columns that are left out.
    """

    label: str = ""
    text: str = ""
    time: str = ""
    time_format: str = ""
    user: str = ""
    without: Sequence[str] = ()


def classify_file(file: OwnFile, request: Request, *, seed: int = 0, progress: Progress = silent) -> Result:
    """Classifies the rows of a file.

    Args:
        file: the file.
        request: which columns.
        seed: seed of the split and of the models.
        progress: callback of the progress.

    Returns:
        The result; its answers have ``row`` (counted from 1), ``answer``, ``chance`` and the chance of each class.

    Raises:
        InputError: there are no labels, one class, too few rows, or labels that are numbers and no classes.
    """
    label = columns.require(file, "label", "labels", given=request.label)
    users = columns.named(file, request.user, "user") if request.user else ""
    times = columns.times(file, given=request.time, form=request.time_format, without=[label])
    without = [label, *([times.column] if times else []), *([users] if users else []), *request.without]
    rows, lines = read_labelled(file, label, request.text, without)
    labelled = np.flatnonzero(rows.labels >= 0)
    people = file.texts(users).fill_null("").to_numpy() if users else None
    moments = times.values.dt.timestamp("us").to_numpy().astype(np.float64) if times else None
    parts, how = _split(rows.labels, labelled, moments, people, seed)
    training, validation, test = parts
    lines = [*file.lines, *lines, f"split {how}: {len(training):,}, {len(validation):,} and {len(test):,} rows"]
    if times:
        lines.insert(len(file.lines), f"times: {times.column!r}, {times.words}; {columns.span(times.values)}")
    models = _models(rows, seed)
    steps = 2 * len(models) + 2
    chosen = _choose(models, rows, training, validation, lambda done, note: progress(done, steps, note))
    known = np.concatenate([training, validation])
    test_chances = {}
    for number, (name, fit) in enumerate(models.items()):
        progress(len(models) + number, steps, f"{name} on the test")
        test_chances[name] = fit(known)(test)
    figures = {name: _figures(rows.labels[test], values) for name, values in test_chances.items()}
    evidence = Evidence.of_classes(
        [f"row {row}" for row in test.tolist()],
        rows.labels[test],
        {MODEL_KEY: test_chances[chosen], PLAIN: test_chances[PLAIN]},
        clusters=() if people is None else people[test],
    )
    verdict = verdict_of(evidence, PLAIN, is_baseline=chosen == PLAIN)
    leaks = _leaks(rows, known)
    if leaks:
        lines.append(
            f"suspicious: the label follows from {listed(leaks)} alone; leave it out with --without if it is "
            "known only with the label"
        )
        verdict = Verdict("undecided", f"a column may hold the label itself: {listed(leaks)}; {verdict.words}")
    lines.append(f"chosen on validation: {chosen}")
    progress(steps - 1, steps, "answers")
    answer_rows = np.flatnonzero(file.texts(label).is_null().to_numpy())
    if len(answer_rows):
        lines.append(f"answers: for the {len(answer_rows):,} rows without a label, by a fit to all labelled rows")
        answer_chances = models[chosen](labelled)(answer_rows)
    else:
        lines.append("answers: for the rows of the test, as every row has a label; leave labels empty to be answered")
        answer_rows, answer_chances = test, test_chances[chosen]
    sections = [
        Section(
            "Models on the test",
            (
                "Accuracy and macro F1, higher is better; log loss, lower is better. The choice was made by log loss "
                f"on validation; the plain model is the {PLAIN}.",
            ),
            figures_table(figures, chosen),
        )
    ]
    answers = _answers(answer_rows, answer_chances, rows.classes)
    return Result(f"Classes of {file.path.name}: {label}", lines, verdict, sections, answers)


def _split(
    labels: np.ndarray, labelled: np.ndarray, moments: np.ndarray | None, people: np.ndarray | None, seed: int
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], str]:
    """Training, validation and test rows, and how they were split."""
    rng = np.random.default_rng(seed)
    if moments is not None and np.isfinite(moments[labelled]).mean() > 0.9:
        labelled = labelled[np.isfinite(moments[labelled])]
        how = "by time"
        edges = np.quantile(moments[labelled], [0.6, 0.8])
        part = np.searchsorted(edges, moments[labelled], side="right")  # rows of one moment stay together
    elif people is not None:
        names, person = np.unique(people[labelled], return_inverse=True)
        rank, fifth, how = rng.permutation(len(names))[person], max(len(names) // 5, 1), "by person"
        part = np.searchsorted([len(names) - 2 * fifth, len(names) - fifth], rank, side="right")
    else:
        place, how = np.zeros(len(labelled)), "at random, with the same share of each class"
        for number in np.unique(labels[labelled]):
            of_class = np.flatnonzero(labels[labelled] == number)
            place[of_class] = (rng.permutation(len(of_class)) + 0.5) / len(of_class)
        part = np.searchsorted([0.6, 0.8], place, side="right")
    parts = tuple(labelled[part == number] for number in range(3))
    if any(len(rows) < 5 for rows in parts) or len(np.unique(labels[parts[0]])) < len(np.unique(labels[labelled])):
        raise InputError(
            expected=f"enough rows {how.partition(',')[0]}: all classes in the first three fifths, 5 rows in each part",
            found=", ".join(f"{len(rows):,} rows of {len(np.unique(labels[rows]))} classes" for rows in parts),
            next_command="repeat the command with more labelled rows, or without the column: --without COLUMN",
        )
    return (parts[0], parts[1], parts[2]), how


def _models(rows: LabelledRows, seed: int) -> dict[str, Callable[[np.ndarray], Predict]]:
    """Name → fit: training rows → predictor."""
    models: dict[str, Callable[[np.ndarray], Predict]] = {PLAIN: lambda known: _fit_shares(rows, known)}
    if Layout.fit(rows.features).names:
        for name in LEARNED:
            models[name] = lambda known, name=name: _fit_columns(rows, known, name, seed)  # type: ignore[misc]
    if rows.tokens:
        models[TEXT] = lambda known: _fit_words(rows, known, seed)
    return models


def _choose(
    models: dict[str, Callable[[np.ndarray], Predict]],
    rows: LabelledRows,
    training: np.ndarray,
    validation: np.ndarray,
    report: Callable[[int, str], None],
) -> str:
    """The model with the smallest log loss on validation; adds the mean of words and the best of the columns."""
    losses: dict[str, float] = {}
    chances: dict[str, np.ndarray] = {}
    truth = rows.labels[validation]
    for number, (name, fit) in enumerate(models.items()):
        report(number, f"{name} on validation")
        chances[name] = fit(training)(validation)
        losses[name] = class_metrics(truth, chances[name]).log_loss
    of_columns = [name for name in LEARNED if name in losses]
    if TEXT in models and of_columns:
        best = min(of_columns, key=lambda name: losses[name])
        models[BOTH] = _mean(models[TEXT], models[best])
        losses[BOTH] = class_metrics(truth, (chances[TEXT] + chances[best]) / 2).log_loss
    return min(losses, key=lambda name: losses[name])


def _fit_shares(rows: LabelledRows, known: np.ndarray) -> Predict:
    counts = np.bincount(rows.labels[known], minlength=len(rows.classes)) + 0.5
    shares = counts / counts.sum()
    return lambda numbers: np.tile(shares, (len(numbers), 1))


def _fit_columns(rows: LabelledRows, known: np.ndarray, name: str, seed: int) -> Predict:
    """One model a class, each against all others; their chances are scaled to add up to one."""
    layout = Layout.fit({column: values[known] for column, values in rows.features.items()})
    inputs = layout.matrix(rows.features)
    learner, count = LEARNERS[name], len(rows.classes)
    numbers = [1] if count == 2 else range(count)
    parameters = {"min_data_in_leaf": int(np.clip(len(known) // 50, 5, 40))} if name == "lightgbm" else {}
    fitted = [
        learner.fit(inputs[known], (rows.labels[known] == number).astype(float), "binary", parameters, seed)
        for number in numbers
    ]

    def predict(wanted: np.ndarray) -> np.ndarray:
        values = np.column_stack([np.clip(model.predict(inputs[wanted]), 1e-6, 1 - 1e-6) for model in fitted])
        if count == 2:
            return np.column_stack([1 - values[:, 0], values[:, 0]])
        return np.asarray(values / values.sum(axis=1, keepdims=True))

    return predict


def _fit_words(rows: LabelledRows, known: np.ndarray, seed: int) -> Predict:
    tokens = [rows.tokens[row] for row in known.tolist()]
    whole = [np.array([place]) for place in range(len(known))]
    model = linear_stack.fit(tokens, rows.labels[known], rows.classes, whole, seed=seed)
    return lambda wanted: np.asarray(model.predict([rows.tokens[row] for row in wanted.tolist()]), np.float64)


def _mean(
    first: Callable[[np.ndarray], Predict], second: Callable[[np.ndarray], Predict]
) -> Callable[[np.ndarray], Predict]:
    def fit(known: np.ndarray) -> Predict:
        one, other = first(known), second(known)
        return lambda wanted: (one(wanted) + other(wanted)) / 2

    return fit


def _figures(truth: np.ndarray, chances: np.ndarray) -> dict[str, float]:
    metrics = class_metrics(truth, chances)
    return {"accuracy": metrics.accuracy, "macro F1": metrics.macro_f1, "log loss": metrics.log_loss}


def _leaks(rows: LabelledRows, known: np.ndarray) -> list[str]:
    """Columns that are learned from and alone order the labels of every class."""
    limit = Gates().leak
    used = set(Layout.fit(rows.features).names)
    numbers = [1] if len(rows.classes) == 2 else range(len(rows.classes))
    return [
        name
        for name, values in rows.features.items()
        if name in used
        and all(
            label_association(values[known], (rows.labels[known] == number).astype(float), "binary") > limit
            for number in numbers
        )
    ]


def _answers(rows: np.ndarray, chances: np.ndarray, classes: tuple[str, ...]) -> pl.DataFrame:
    best = chances.argmax(axis=1)
    return pl.DataFrame(
        {
            "row": rows + 1,
            "answer": [classes[number] for number in best.tolist()],
            "chance": chances[np.arange(len(rows)), best],
            **{f"chance of {name}": chances[:, number] for number, name in enumerate(classes)},
        }
    )
