"""Searches a training set for leaks of the label: in one feature, in several together, and in time.

A feature that alone orders the labels, features of which a small model orders them, and rows whose features are as of
the label's time or later, tell in training what nobody knows when the model answers.
"""

from collections.abc import Iterator

import numpy as np

from training.datasets.sample import Sample
from training.estimators.base import Kind
from training.models.base import Gates
from training.validation.check import Check

JOINT_ROWS = 4_000
"""Number of rows on which features are tried together."""
SETTINGS = {"num_leaves": 15, "learning_rate": 0.2, "min_data_in_leaf": 10, "verbose": -1, "num_threads": 1}
TREES = 150
NAMED = 3
"""Number of features that a joint leak names."""


def check_leaks(sample: Sample, gates: Gates, suffix: str = "", *, searches_joint: bool = True) -> Iterator[Check]:
    """Yields the checks of one training set; none for a set without labels.

    Args:
        sample: rows of the training set.
        gates: thresholds of the model.
        suffix: end of the names of the checks.
        searches_joint: whether to search for features that tell the label together.
    """
    if not len(sample.labels):
        return
    scores = {
        feature: label_association(values, sample.labels, sample.kind) for feature, values in sample.features.items()
    }
    single = _single_leak(f"leak{suffix}", scores, gates)
    yield single
    if single.passed and searches_joint and len(sample.features) > 1:
        yield _joint_leak(f"joint leak{suffix}", sample, gates)
    if check := _leak_of_time(f"time{suffix}", sample):
        yield check


def _single_leak(name: str, scores: dict[str, float], gates: Gates) -> Check:
    leaks = [f"{feature} ({score:.3f})" for feature, score in scores.items() if score > gates.leak]
    best = max(scores, key=lambda feature: scores[feature], default=None)
    strongest = "there is no feature" if best is None else f"strongest single feature: {best}, {scores[best]:.3f}"
    message = f"single features that predict the label: {', '.join(leaks)}" if leaks else strongest
    return Check(name, not leaks, message, of_data=True)


def _joint_leak(name: str, sample: Sample, gates: Gates) -> Check:
    score, features = joint_association(sample)
    named = ", ".join(features[:NAMED])
    if score > gates.leak and not gates.near_perfect:
        return Check(name, False, f"features that predict the label together ({score:.3f}): {named}", of_data=True)
    return Check(name, True, f"all features together: {score:.3f}", of_data=True)


def _leak_of_time(name: str, sample: Sample) -> Check | None:
    """Checks that features are as of a time before the label, and that labels are known within the horizon.

    Without times of labels there is nothing to check: a horizon of 0 is a label of the row's own event, which features
    as of its time do not count.
    """
    if not len(sample.times) or not len(sample.label_times):
        return None
    label_times = sample.label_times
    late = int((sample.times >= label_times).sum())
    if late:
        message = f"the features of {late:,} of {len(sample.times):,} rows are as of the label's time or later"
        return Check(name, False, message, of_data=True)
    if sample.horizon is not None and (beyond := int((label_times > sample.times + sample.horizon).sum())):
        message = f"the labels of {beyond:,} of {len(sample.times):,} rows are known after the horizon: make it longer"
        return Check(name, False, message, of_data=True)
    return Check(name, True, "the features of every row are as of a time before its label", of_data=True)


def joint_association(sample: Sample, *, seed: int = 0) -> tuple[float, list[str]]:
    """Measures how well all features together order labels that they were not fitted to.

    Two small boosted models are each fitted to half of the rows and order the other half.

    Returns:
        As ``label_association``; and the names of the features by their part in it, the largest first.
    """
    import lightgbm

    rows = np.random.default_rng(seed).permutation(len(sample.labels))[:JOINT_ROWS]
    labels = sample.labels[rows]
    is_known = np.isfinite(labels)
    rows, labels = rows[is_known], labels[is_known]
    names = [name for name, values in sample.features.items() if values.ndim == 1]
    half = np.arange(len(rows)) % 2
    if len(rows) < 40 or any(len(np.unique(labels[half == fold])) < 2 for fold in (0, 1)):
        return 0.0, names
    matrix = np.column_stack([_as_numbers(sample.features[name][rows]) for name in names])
    scores, parts = np.empty(len(rows)), np.zeros(len(names))
    objective = "binary" if sample.kind == "binary" else "regression"
    for fold in (0, 1):
        data = lightgbm.Dataset(matrix[half != fold], labels[half != fold])
        booster = lightgbm.train({**SETTINGS, "objective": objective, "seed": seed}, data, TREES)
        scores[half == fold] = booster.predict(matrix[half == fold])
        parts += booster.feature_importance("gain")
    return label_association(scores, labels, sample.kind), [names[number] for number in np.argsort(-parts)]


def _as_numbers(values: np.ndarray) -> np.ndarray:
    """Returns numbers as they are, and texts as the numbers of their categories."""
    if values.dtype != object:
        return values.astype(float)
    texts = np.array(["" if value is None else str(value) for value in values.tolist()])
    return np.unique(texts, return_inverse=True)[1].astype(float)


def label_association(values: np.ndarray, labels: np.ndarray, kind: Kind) -> float:
    """Measures how well one feature alone orders the labels: 0.5 or 0 for not at all, 1 for perfectly.

    The direction does not matter. The measure is the area under the ROC curve for ``binary``, and the rank correlation
    for ``number``. A text counts as the mean label of its category. Only rows with a value count; if fewer than a tenth
    have one, the result is 0.
    """
    from scipy.stats import rankdata

    known_rows = ~missing_rows(values)
    if known_rows.sum() < max(20, len(values) / 10):
        return 0.0
    known_labels = labels[known_rows]
    numeric_values = (
        _mean_label_of_category(values[known_rows], known_labels)
        if values.dtype == object
        else values[known_rows].astype(float)
    )
    if len(np.unique(numeric_values)) < 2 or len(np.unique(known_labels)) < 2:
        return 0.0
    ranks = rankdata(numeric_values)
    if kind == "binary":
        is_positive = known_labels > 0
        positive, negative = int(is_positive.sum()), int((~is_positive).sum())
        area = (ranks[is_positive].sum() - positive * (positive + 1) / 2) / (positive * negative)
        return float(max(area, 1 - area))
    return float(abs(np.corrcoef(ranks, rankdata(known_labels))[0, 1]))


def _mean_label_of_category(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Replaces each text by the mean label of its category in the other half of the rows.

    So no row sees its own label. The halves are drawn, for labels may alternate in the order of rows.
    """
    category = np.unique(values.astype(str), return_inverse=True)[1]
    mean_labels, half = np.empty(len(labels)), np.random.default_rng(0).permutation(len(labels)) % 2
    for fold in (0, 1):
        other_half = half != fold
        total = np.bincount(category[other_half], weights=labels[other_half], minlength=category.max() + 1)
        count = np.bincount(category[other_half], minlength=category.max() + 1)
        mean = np.where(count > 0, total / np.maximum(count, 1), labels[other_half].mean())
        mean_labels[~other_half] = mean[category[~other_half]]
    return mean_labels


def missing_rows(values: np.ndarray) -> np.ndarray:
    """Returns (n,) whether each row has no value."""
    if values.ndim > 1:
        return np.isnan(values).all(axis=1) if values.shape[1] else np.ones(len(values), bool)
    if values.dtype == object:
        return np.array([value is None for value in values.tolist()], bool)
    return np.isnan(values.astype(float))
