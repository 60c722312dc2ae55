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
from training.validation.check import Check
from training.validation.leaks import check_leaks, missing_rows
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
    empty = [feature for feature, values in features.items() if not (~missing_rows(values)).any()]
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
    samples: Sequence[Sample],
    gates: Gates,
    previous: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    *,
    searches_joint: bool = True,
) -> list[Check]:
    """Checks a model's training sets for leaks, missing values and drift.

    Args:
        samples: one sample of each training set.
        gates: thresholds of the model.
        previous: service → feature → values of the champion's training sets; None if there is no champion.
        searches_joint: whether to search for features that tell the label together, which takes a fit.
    """
    checks: list[Check] = []
    for sample in samples:
        suffix = f" of {sample.service}" if len(samples) > 1 else ""
        checks += check_leaks(sample, gates, suffix, searches_joint=searches_joint)
        checks.append(_missing_values(f"missing values{suffix}", sample, gates))
        if previous is not None and sample.service in previous:
            checks.append(_drift(f"drift{suffix}", sample.features, previous[sample.service]))
    return checks


def _missing_values(name: str, sample: Sample, gates: Gates) -> Check:
    shares = {feature: float(missing_rows(values).mean()) for feature, values in sample.features.items() if len(values)}
    missing = [f"{feature} in {share:.1%}" for feature, share in shares.items() if share > gates.missing]
    message = ", ".join(missing) or f"no feature is missing in over {gates.missing:.0%}"
    return Check(name, not missing, message, binding=sample.chosen, of_data=True)


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


def _none_ifmissing_rows(values: np.ndarray) -> list[object]:
    """Lists values with None where one is missing: NaN, or the empty text that stands for it in a bundle."""
    if values.dtype.kind in "OU":
        return [value or None for value in values.tolist()]
    return [None if np.isnan(value) else float(value) for value in values]


def _none_if_missing(values: np.ndarray) -> list[object]:
    """Lists values with None where one is missing: NaN, or the empty text that stands for it in a bundle."""
    if values.dtype.kind in "OU":
        return [value or None for value in values.tolist()]
    return [None if np.isnan(value) else float(value) for value in values]
