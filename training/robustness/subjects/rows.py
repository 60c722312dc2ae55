"""Models of rows under attack: fitted to the rows before the test, asked about those of the test."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from training.estimators.base import Fitted
from training.estimators.lightgbm_trees import LightGbmFitted
from training.models.as_trained import as_trained, extra_of
from training.models.tabular import TabularModel
from training.robustness.subject import Request, Subject
from training.robustness.target import Target, rows_target
from transforms.pure.tabular.layout import Layout

QUANTILES = np.linspace(0, 1, 17)


def targets(request: Request) -> Sequence[Target[Any]]:
    """Fits with the learner and parameters of the version, and returns the rows of the test.

    A chance is a decision from the quantile of the training rows' chances on that leaves as many as have the label.

    Raises:
        InputError: the rows are unfit for training, or those of the test have one class.
    """
    assert isinstance(request.model, TabularModel)
    extra = extra_of(request.home, request.model, request.version)
    if "privacy" in extra:
        raise InputError(
            expected=f"a version of {request.model.name} without a stated ε: attacks ask about the people of a test",
            found=f"{request.model.name}:{request.version}, of which figures would tell of them outside of its ε",
            next_command=f"refrain model leaks {request.model.name}:{request.version}  (attacks on simulated people)",
        )
    model, learner, parameters = as_trained(request.model, extra)
    rows = model.pull(request.home)
    train_places, test_places = model.split(rows)
    train, test = rows.take(train_places), rows.take(test_places)
    layout = Layout.fit(train.features)
    fitted = model.fit(train, layout, learner, parameters)
    learned, inputs = layout.matrix(train.features), layout.matrix(test.features)
    when = "later" if model.horizon is not None else f"of other {model.cluster}s"
    judged = f"Held out: {learner} fitted to {len(train):,} rows, asked about {len(test):,} {when}."
    movable = np.array([_is_in(name, model.movable) for name in layout.outputs], bool)
    if model.kind == "number":
        return [_of_numbers(fitted, learned, inputs, test.labels, movable, test.clusters, judged)]
    if len(np.unique(test.labels)) < 2:
        raise InputError(
            expected=f"rows of both classes in the test of {model.name}",
            found=f"only {test.labels[0]:g}",
            next_command="refrain import FORMAT PATH  (events over more days)",
        )
    return [
        binary_target(fitted, learned, train.labels, inputs, test.labels, movable, test.clusters, judged, request.seed)
    ]


def binary_target(
    fitted: Fitted,
    learned: np.ndarray,
    learned_labels: np.ndarray,
    inputs: np.ndarray,
    labels: np.ndarray,
    movable: np.ndarray,
    clusters: np.ndarray,
    judged: str,
    seed: int = 0,
) -> Target[np.ndarray]:
    """Makes the target of a model of chances, with as many rows of one class as of the other.

    Args:
        fitted: the model.
        learned: (m, d) rows that it was fitted to.
        learned_labels: (m,) their labels, 0 or 1.
        inputs: (n, d) rows to ask about.
        labels: (n,) their labels.
        movable: (d,) which inputs a person can change.
        clusters: (n,) cluster of each row.
        judged: what the model learned from, and what the rows are.
        seed: seed of the draw of rows of the more frequent class.
    """
    rows = _as_many_of_each(labels, seed)
    threshold = float(np.quantile(fitted.predict(learned), 1 - learned_labels.mean()))

    def scores(changed: np.ndarray) -> np.ndarray:
        excess = fitted.predict(changed) - threshold
        return np.column_stack([-excess, excess])

    low, high, scale = spreads(learned)
    return rows_target(
        inputs[rows],
        labels[rows].astype(np.int64),
        lambda changed: (scores(changed)[:, 1] > 0).astype(np.int64),
        scores,
        scale,
        movable=movable,
        grids=grids(fitted, learned),
        clusters=np.asarray(clusters)[rows],
        judged=f"{judged} A chance above {threshold:.3f} is a yes; {len(rows):,} rows, half of them of each class.",
        bounds=(low, high),
    )


def _as_many_of_each(labels: np.ndarray, seed: int) -> np.ndarray:
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    parts = [shuffled[labels[shuffled] == label] for label in (0, 1)]
    return np.sort(np.concatenate([part[: min(map(len, parts))] for part in parts]))


def spreads(learned: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns lowest value, highest value and standard deviation of each column; 0, 0 and 1 of an empty one."""
    filled = np.where(np.isnan(learned).all(axis=0), 0.0, learned)
    low, high, scale = np.nanmin(filled, axis=0), np.nanmax(filled, axis=0), np.nanstd(filled, axis=0)
    return low, high, np.where(scale > 1e-9, scale, 1.0)


def grids(fitted: object, learned: np.ndarray) -> list[np.ndarray]:
    """Returns the values of each column worth trying: one between all thresholds of boosted trees, else quantiles."""
    low, high, _ = spreads(learned)
    if not isinstance(fitted, LightGbmFitted):
        return [np.unique(np.nanquantile(np.nan_to_num(column), QUANTILES)) for column in learned.T]
    text = fitted.native()
    columns = [int(one) for line in re.findall(r"^split_feature=(.*)$", text, re.M) for one in line.split()]
    thresholds = [float(one) for line in re.findall(r"^threshold=(.*)$", text, re.M) for one in line.split()]
    values = []
    for column in range(learned.shape[1]):
        cuts = np.unique([cut for cut, owner in zip(thresholds, columns, strict=True) if owner == column])
        inside = cuts[(cuts > low[column]) & (cuts < high[column])]
        edges = np.concatenate([[low[column]], inside, [high[column]]])
        values.append(np.unique(np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:]])))
    return values


def _of_numbers(
    fitted: Fitted,
    learned: np.ndarray,
    inputs: np.ndarray,
    truth: np.ndarray,
    movable: np.ndarray,
    clusters: np.ndarray,
    judged: str,
) -> Target[np.ndarray]:
    low, high, scale = spreads(learned)

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        return -np.abs(fitted.predict(np.asarray(changed, np.float32)) - truth[units])

    return Target(
        "rows",
        inputs,
        margins,
        "absolute_error",
        graded=True,
        higher_is_better=False,
        clusters=np.asarray(clusters),
        judged=judged,
        extra={"scale": scale, "movable": movable, "grids": (), "low": low, "high": high},
    )


def _is_in(column: str, movable: Sequence[str]) -> bool:
    view, _, feature = column.partition("__")
    return not movable or view in movable or column in movable or any(feature == one for one in movable)


SUBJECT = Subject("rows", ("rows",), targets, model_type=TabularModel)
