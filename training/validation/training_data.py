"""A training set, looked at before anything learns from it.

What makes learning pointless is an error with the next command; what a person should know is a ``Check``.
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
"""Rows with a label."""
COMPARED = 2_000
"""Rows that drift is told by."""


def refuse(name: str, labels: np.ndarray, times: np.ndarray, now: int, kind: Kind) -> None:
    """Labels and times that nothing can be learned from.

    Args:
        name: of the model.
        labels: (n,) float, NaN where missing.
        times: (n,) microseconds.
        now: microseconds; the end of what has happened.
        kind: of label.

    Raises:
        InputError: too few rows, labels missing, constant or of one class, or rows of a time that has not come.
    """
    again = f"python -m transforms build && python -m training run {name}"
    known = labels[np.isfinite(labels)]
    if len(known) < FEWEST:
        raise InputError(
            expected=f"at least {FEWEST} labelled rows to train {name}",
            found=f"{len(known)} of {len(labels)} rows have a label",
            next_command="python -m transforms import FORMAT PATH  (more events, over more days)",
        )
    if len(known) < len(labels):
        raise InputError(
            expected=f"a label in every row of {name}",
            found=f"{len(labels) - len(known):,} of {len(labels):,} without",
            next_command="drop them in the model's rows(), or mend the events: python -m transforms build",
        )
    kinds = np.unique(known)
    if len(kinds) < 2:
        raise InputError(
            expected=f"labels of {name} that differ" if kind == "number" else f"labels of {name} of both classes",
            found=f"{len(known):,} times {kinds[0]:g}",
            next_command="python -m transforms import FORMAT PATH  (events of another kind, or over more days)",
        )
    if kind == "binary" and not np.isin(kinds, (0, 1)).all():
        raise InputError(
            expected=f"labels of {name} that are 0 or 1",
            found=", ".join(f"{value:g}" for value in kinds[:5]),
            next_command=f"mend the label in the model's rows(), then: python -m training run {name}",
        )
    late = int((times > now).sum())
    if late:
        raise InputError(
            expected="rows of a time that has come",
            found=f"{late:,} of {len(times):,} rows after the last event: a clock was wrong",
            next_command=f"mend event_timestamp in the model's rows(), then: {again}",
        )


def refuse_empty(name: str, features: Mapping[str, np.ndarray]) -> None:
    """Features that are missing in every row.

    Raises:
        InputError: there are some.
    """
    empty = [feature for feature, values in features.items() if not (~_missing(values)).any()]
    if empty:
        raise InputError(
            expected=f"values of {', '.join(empty)} in the training set of {name}",
            found=f"none in {len(features[empty[0]]):,} rows",
            next_command=f"python -m training run {name} --set without={','.join(_named(empty, features))}",
        )


def _named(empty: list[str], features: Mapping[str, np.ndarray]) -> list[str]:
    """By view where all of a view is empty."""
    told = []
    for feature in empty:
        view = feature.partition("__")[0]
        whole = all(other in empty for other in features if other.partition("__")[0] == view)
        told.append(view if whole else feature)
    return list(dict.fromkeys(told))


def looked_at(
    samples: Sequence[Sample], gates: Gates, before: Mapping[str, Mapping[str, np.ndarray]] | None = None
) -> list[Check]:
    """Leaks, missing values, and how far the training sets of a model are from those before.

    Args:
        samples: of the sets.
        gates: what is borne.
        before: service → feature → values, of what the champion learned from; None where there is none.
    """
    found = []
    for sample in samples:
        of = f" of {sample.service}" if len(samples) > 1 else ""
        if len(sample.labels):
            found.append(_leak(f"leak{of}", sample, gates))
        found.append(_missing_values(f"missing values{of}", sample, gates))
        if before is not None and sample.service in before:
            found.append(_drift(f"drift{of}", sample.features, before[sample.service]))
    return found


def _leak(name: str, sample: Sample, gates: Gates) -> Check:
    alone = {of: tells(values, sample.labels, sample.kind) for of, values in sample.features.items()}
    leaks = [f"{of} ({told:.3f})" for of, told in alone.items() if told > gates.leak]
    most = max(alone, key=lambda of: alone[of], default=None)
    told = "there is no feature" if most is None else f"{most} tells most alone, {alone[most]:.3f}"
    return Check(name, not leaks, f"alone they tell the label: {', '.join(leaks)}" if leaks else told, of_data=True)


def _missing_values(name: str, sample: Sample, gates: Gates) -> Check:
    shares = {of: float(_missing(values).mean()) for of, values in sample.features.items() if len(values)}
    missing = [f"{of} in {share:.1%}" for of, share in shares.items() if share > gates.missing]
    told = ", ".join(missing) or f"none is missing in over {gates.missing:.0%}"
    return Check(name, not missing, told, binding=sample.chosen, of_data=True)


def tells(values: np.ndarray, labels: np.ndarray, kind: Kind) -> float:
    """How well one feature alone orders the labels, 0.5 or 0 for not at all, 1 for wholly, in either direction.

    The area under the ROC curve for ``binary``, the correlation of ranks for ``number``; of texts, each is taken for
    the mean label of its kind. Of the rows where it is known, if these are a tenth or more.
    """
    from scipy.stats import rankdata

    known = ~_missing(values)
    if known.sum() < max(20, len(values) / 10):
        return 0.0
    answers = labels[known]
    numbers = _by_kind(values[known], answers) if values.dtype == object else values[known].astype(float)
    if len(np.unique(numbers)) < 2 or len(np.unique(answers)) < 2:
        return 0.0
    ranks = rankdata(numbers)
    if kind == "binary":
        yes = answers > 0
        positive, negative = int(yes.sum()), int((~yes).sum())
        area = (ranks[yes].sum() - positive * (positive + 1) / 2) / (positive * negative)
        return float(max(area, 1 - area))
    return float(abs(np.corrcoef(ranks, rankdata(answers))[0, 1]))


def _by_kind(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean label of a row's kind among the other half of the rows: its own label must not speak."""
    number = np.unique(values.astype(str), return_inverse=True)[1]
    found, half = np.empty(len(labels)), np.arange(len(labels)) % 2
    for side in (0, 1):
        others = half != side
        total = np.bincount(number[others], weights=labels[others], minlength=number.max() + 1)
        count = np.bincount(number[others], minlength=number.max() + 1)
        mean = np.where(count > 0, total / np.maximum(count, 1), labels[others].mean())
        found[~others] = mean[number[~others]]
    return found


def _drift(name: str, features: Mapping[str, np.ndarray], before: Mapping[str, np.ndarray]) -> Check:
    moved = drifted(before, features)
    told = ", ".join(f"{feature} ({reason})" for feature, reason in moved.items())
    told = f"drifted since the champion's training set: {told}" if moved else "as the champion's"
    return Check(name, not moved, told, binding=False, of_data=True)


def drifted(before: Mapping[str, np.ndarray], now: Mapping[str, np.ndarray], *, seed: int = 0) -> dict[str, str]:
    """Feature → why its values are others than before; of those that both have, some rows."""
    found = {}
    for name, values in now.items():
        if name in before:
            some = values[np.random.default_rng(seed).permutation(len(values))[:COMPARED]]
            drift = compare(name, _listed(before[name]), _listed(some))
            if drift.verdict == VERDICTS[-1]:
                found[name] = "; ".join(drift.reasons)
    return found


def _listed(values: np.ndarray) -> list[object]:
    """Values with None where one is missing: NaN, or the empty text that stands for it in a bundle."""
    if values.dtype.kind in "OU":
        return [value or None for value in values.tolist()]
    return [None if np.isnan(value) else float(value) for value in values]


def _missing(values: np.ndarray) -> np.ndarray:
    if values.ndim > 1:
        return np.isnan(values).all(axis=1) if values.shape[1] else np.ones(len(values), bool)
    if values.dtype == object:
        return np.array([value is None for value in values.tolist()], bool)
    return np.isnan(values.astype(float))
