"""Checks of a training set before a model learns from it.

A set that nothing can be learned from raises an error with the next command. Everything else that a person should know
becomes a ``Check``.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from feature_repo.errors import InputError
from training.datasets.sample import Sample
from training.estimators.base import Kind
from training.models.base import Gates
from training.validation.gates import Check
from transforms.pure.drift import VERDICTS, compare

FEWEST = 50
"""Fewest labelled rows that a model is trained on."""
COMPARED = 2_000
"""Rows that drift is measured on."""


def refuse(name: str, labels: np.ndarray, times: np.ndarray, now: int, kind: Kind) -> None:
    """Raises an error if nothing can be learned from the labels or times.

    Args:
        name: name of the model.
        labels: (n,) float, NaN where missing.
        times: (n,) microseconds.
        now: end of the data, in microseconds.
        kind: kind of the label.

    Raises:
        InputError: there are too few rows; labels are missing, constant or of one class; or a row lies in the future.
    """
    retry_command = f"refrain build && refrain model run {name}"
    known_labels = labels[np.isfinite(labels)]
    if len(known_labels) < FEWEST:
        raise InputError(
            expected=f"at least {FEWEST} labelled rows to train {name}",
            found=f"{len(known_labels)} of {len(labels)} rows have a label",
            next_command="refrain import FORMAT PATH  (more events, over more days)",
        )
    if len(known_labels) < len(labels):
        raise InputError(
            expected=f"a label in every row of {name}",
            found=f"{len(labels) - len(known_labels):,} of {len(labels):,} without",
            next_command="drop them in the model's rows(), or fix the events: refrain build",
        )
    classes = np.unique(known_labels)
    if len(classes) < 2:
        raise InputError(
            expected=f"labels of {name} that differ" if kind == "number" else f"labels of {name} of both classes",
            found=f"{len(known_labels):,} times {classes[0]:g}",
            next_command="refrain import FORMAT PATH  (events of another kind, or over more days)",
        )
    if kind == "binary" and not np.isin(classes, (0, 1)).all():
        raise InputError(
            expected=f"labels of {name} that are 0 or 1",
            found=", ".join(f"{value:g}" for value in classes[:5]),
            next_command=f"fix the label in the model's rows(), then: refrain model run {name}",
        )
    future_rows = int((times > now).sum())
    if future_rows:
        raise InputError(
            expected="rows of a time that has come",
            found=f"{future_rows:,} of {len(times):,} rows after the last event: a clock was wrong",
            next_command=f"fix event_timestamp in the model's rows(), then: {retry_command}",
        )


def refuse_empty(name: str, features: Mapping[str, np.ndarray]) -> None:
    """Raises an error if a feature is missing in every row.

    Raises:
        InputError: at least one feature has no values.
    """
    empty = [feature for feature, values in features.items() if not (~_missing(values)).any()]
    if empty:
        raise InputError(
            expected=f"values of {', '.join(empty)} in the training set of {name}",
            found=f"none in {len(features[empty[0]]):,} rows",
            next_command=f"refrain model run {name} --set without={','.join(_views_or_features(empty, features))}",
        )


def _views_or_features(empty: list[str], features: Mapping[str, np.ndarray]) -> list[str]:
    """Names the view if all its features are empty, otherwise the feature."""
    names = []
    for feature in empty:
        view = feature.partition("__")[0]
        view_is_empty = all(candidate in empty for candidate in features if candidate.partition("__")[0] == view)
        names.append(view if view_is_empty else feature)
    return list(dict.fromkeys(names))


def check_training_sets(
    samples: Sequence[Sample], gates: Gates, previous: Mapping[str, Mapping[str, np.ndarray]] | None = None
) -> list[Check]:
    """Checks a model's training sets for leaks, missing values and drift.

    Args:
        samples: one sample of each training set.
        gates: thresholds of the model.
        previous: service → feature → values of the champion's training sets; None if there is no champion.
    """
    checks = []
    for sample in samples:
        suffix = f" of {sample.service}" if len(samples) > 1 else ""
        if len(sample.labels):
            checks.append(_leak(f"leak{suffix}", sample, gates))
        checks.append(_missing_values(f"missing values{suffix}", sample, gates))
        if previous is not None and sample.service in previous:
            checks.append(_drift(f"drift{suffix}", sample.features, previous[sample.service]))
    return checks


def _leak(name: str, sample: Sample, gates: Gates) -> Check:
    scores = {
        feature: label_association(values, sample.labels, sample.kind) for feature, values in sample.features.items()
    }
    leaks = [f"{feature} ({score:.3f})" for feature, score in scores.items() if score > gates.leak]
    best = max(scores, key=lambda feature: scores[feature], default=None)
    strongest = "there is no feature" if best is None else f"strongest single feature: {best}, {scores[best]:.3f}"
    message = f"single features that predict the label: {', '.join(leaks)}" if leaks else strongest
    return Check(name, not leaks, message, of_data=True)


def _missing_values(name: str, sample: Sample, gates: Gates) -> Check:
    shares = {feature: float(_missing(values).mean()) for feature, values in sample.features.items() if len(values)}
    missing = [f"{feature} in {share:.1%}" for feature, share in shares.items() if share > gates.missing]
    message = ", ".join(missing) or f"no feature is missing in over {gates.missing:.0%}"
    return Check(name, not missing, message, binding=sample.chosen, of_data=True)


def label_association(values: np.ndarray, labels: np.ndarray, kind: Kind) -> float:
    """Measures how well one feature alone orders the labels: 0.5 or 0 for not at all, 1 for perfectly.

    The direction does not matter. The measure is the area under the ROC curve for ``binary``, and the rank correlation
    for ``number``. A text counts as the mean label of its category. Only rows with a value count; if fewer than a tenth
    have one, the result is 0.
    """
    from scipy.stats import rankdata

    known_rows = ~_missing(values)
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

    So no row sees its own label.
    """
    category = np.unique(values.astype(str), return_inverse=True)[1]
    mean_labels, half = np.empty(len(labels)), np.arange(len(labels)) % 2
    for fold in (0, 1):
        other_half = half != fold
        total = np.bincount(category[other_half], weights=labels[other_half], minlength=category.max() + 1)
        count = np.bincount(category[other_half], minlength=category.max() + 1)
        mean = np.where(count > 0, total / np.maximum(count, 1), labels[other_half].mean())
        mean_labels[~other_half] = mean[category[~other_half]]
    return mean_labels


def _drift(name: str, features: Mapping[str, np.ndarray], previous: Mapping[str, np.ndarray]) -> Check:
    drifted_features = find_drift(previous, features)
    message = ", ".join(f"{feature} ({reason})" for feature, reason in drifted_features.items())
    message = f"drifted since the champion's training set: {message}" if drifted_features else "as the champion's"
    return Check(name, not drifted_features, message, binding=False, of_data=True)


def find_drift(previous: Mapping[str, np.ndarray], now: Mapping[str, np.ndarray], *, seed: int = 0) -> dict[str, str]:
    """Finds the features of both sets whose distribution changed, on a sample of rows: feature → reasons."""
    reasons = {}
    for name, values in now.items():
        if name in previous:
            sampled = values[np.random.default_rng(seed).permutation(len(values))[:COMPARED]]
            drift = compare(name, _none_if_missing(previous[name]), _none_if_missing(sampled))
            if drift.verdict == VERDICTS[-1]:
                reasons[name] = "; ".join(drift.reasons)
    return reasons


def _none_if_missing(values: np.ndarray) -> list[object]:
    """Lists values with None where one is missing: NaN, or the empty text that stands for it in a bundle."""
    if values.dtype.kind in "OU":
        return [value or None for value in values.tolist()]
    return [None if np.isnan(value) else float(value) for value in values]


def _missing(values: np.ndarray) -> np.ndarray:
    if values.ndim > 1:
        return np.isnan(values).all(axis=1) if values.shape[1] else np.ones(len(values), bool)
    if values.dtype == object:
        return np.array([value is None for value in values.tolist()], bool)
    return np.isnan(values.astype(float))
