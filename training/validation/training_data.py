"""A training set, looked at before anything learns from it.

What makes learning pointless is an error with the next command; what a person should know is a ``Check``.
"""

from collections.abc import Mapping

import numpy as np

from feature_repo.errors import InputError
from training.estimators.base import Kind
from training.models.base import Gates
from training.validation.gates import Check
from transforms.drift import VERDICTS, compare

FEWEST = 50
"""Rows with a label."""
PROBED = 20_000
"""Rows that each feature alone is asked about."""


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
    features: Mapping[str, np.ndarray],
    labels: np.ndarray,
    kind: Kind,
    gates: Gates,
    before: Mapping[str, np.ndarray] | None = None,
    *,
    seed: int = 0,
) -> list[Check]:
    """Leaks, missing values, and how far it is from the training set before.

    Args:
        features: name → (n,) numbers with NaN, or objects with None.
        labels: (n,).
        kind: of label.
        gates: what is borne.
        before: a sample of the champion's training set, likewise; None where there is none.
        seed: of the rows that are probed.
    """
    drawn = np.random.default_rng(seed).permutation(len(labels))[:PROBED]
    leaks, missing, worst = [], [], (0.0, "no feature")
    for name, values in features.items():
        share = float(_missing(values).mean())
        if share > gates.missing:
            missing.append(f"{name} in {share:.1%}")
        alone = tells(values[drawn], labels[drawn], kind)
        worst = max(worst, (alone, name))
        if alone > gates.leak:
            leaks.append(f"{name} ({alone:.3f})")
    found = [
        Check(
            "leak",
            not leaks,
            f"alone they tell the label: {', '.join(leaks)}"
            if leaks
            else f"{worst[1]} tells most alone, {worst[0]:.3f}",
            of_data=True,
        ),
        Check(
            "missing values",
            not missing,
            ", ".join(missing) or f"none is missing in over {gates.missing:.0%}",
            of_data=True,
        ),
    ]
    if before is not None:
        found.append(_drift(features, before, drawn))
    return found


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


def _drift(features: Mapping[str, np.ndarray], before: Mapping[str, np.ndarray], drawn: np.ndarray) -> Check:
    some = drawn[:2_000]
    moved = []
    for name, values in features.items():
        if name in before:
            drift = compare(name, listed(before[name]), listed(values[some]))
            if drift.verdict == VERDICTS[-1]:
                moved.append(f"{name} ({'; '.join(drift.reasons)})")
    told = f"drifted since the champion's training set: {', '.join(moved)}" if moved else "as the champion's"
    return Check("drift", not moved, told, binding=False, of_data=True)


def listed(values: np.ndarray) -> list[object]:
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
