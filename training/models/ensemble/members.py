"""Predictions of the members of an ensemble for the same rows, checked for leaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError


class LeakError(InputError):
    """A member was fitted on rows that it is evaluated on."""


@dataclass(frozen=True)
class Members:
    """Predictions out of time (``out_of_time``) or out of fold (``out_of_fold``), with the true values.

    Attributes:
        names: names of the k members.
        values: (n, k) predictions.
        truth: (n,) true values.
        group: (n,) list, series or user of each row; a single group if none are specified.
    """

    names: tuple[str, ...]
    values: np.ndarray
    truth: np.ndarray
    group: np.ndarray

    @classmethod
    def out_of_time(
        cls,
        predictions: Mapping[str, np.ndarray],
        truth: np.ndarray,
        *,
        happened: np.ndarray,
        known_until: Mapping[str, np.ndarray | int | float],
        group: np.ndarray | None = None,
    ) -> "Members":
        """Make members from predictions by models that were fitted to the past only.

        Args:
            predictions: member → (n,) predictions.
            truth: (n,) true values.
            happened: (n,) event time of each true value, in any unit.
            known_until: member → end (exclusive) of the data of its fit, in the same unit; one moment for all its rows,
                or (n,).
            group: (n,) list, series or user of each row.

        Raises:
            LeakError: a member was fitted on data from after the event time of a row.
        """
        names, values = _table(predictions, truth, group)
        if set(known_until) != set(names):
            raise _missing_facts_error(names, known_until, "the end of the data of the fit")
        for name in names:
            leaked_rows = int(np.sum(np.asarray(known_until[name]) > np.asarray(happened)))
            if leaked_rows:
                raise LeakError(
                    expected=f"predictions of {name!r} for rows after the data of its fit",
                    found=f"{leaked_rows:,} of {len(truth):,} rows before the end of these data",
                    next_command="fit the members on data from before the rows, and predict again",
                )
        return cls(names, values, np.asarray(truth, np.float64), _groups(group, len(truth)))

    @classmethod
    def out_of_fold(
        cls,
        predictions: Mapping[str, np.ndarray],
        truth: np.ndarray,
        *,
        fold: np.ndarray,
        fitted_on: Mapping[str, Mapping[int, Sequence[int]]],
        group: np.ndarray | None = None,
    ) -> "Members":
        """Make members from predictions of each fold by models that were fitted on other folds.

        Args:
            predictions: member → (n,) predictions.
            truth: (n,) true values.
            fold: (n,) number of each row's fold.
            fitted_on: member → predicted fold → folds that the predicting model was fitted on.
            group: (n,) list, series or user of each row. A group in two folds is a leak as well.

        Raises:
            LeakError: a model predicted a fold that it was fitted on, or a group is in several folds.
        """
        names, values = _table(predictions, truth, group)
        if set(fitted_on) != set(names):
            raise _missing_facts_error(names, fitted_on, "the folds of the fit")
        fold = np.asarray(fold)
        for name in names:
            for predicted_fold in np.unique(fold).tolist():
                if predicted_fold in fitted_on[name].get(predicted_fold, (predicted_fold,)):
                    raise LeakError(
                        expected=f"predictions of {name!r} for fold {predicted_fold} by a model fitted on the others",
                        found=f"fitted on {list(fitted_on[name].get(predicted_fold, ()))}",
                        next_command="leave the fold out when fitting the model that predicts it",
                    )
        if group is not None:
            pairs = np.unique(np.stack([np.unique(group, return_inverse=True)[1], fold]), axis=1)
            split_groups = int(np.sum(np.bincount(pairs[0].astype(int)) > 1))
            if split_groups:
                raise LeakError(
                    expected="each group in one fold",
                    found=f"{split_groups:,} groups in several folds",
                    next_command="make the folds by group",
                )
        return cls(names, values, np.asarray(truth, np.float64), _groups(group, len(truth)))


def checked(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return predictions (n, k) as floats.

    Raises:
        InputError: the number of columns is not the number of members.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise InputError(
            expected=f"predictions (n, {len(names)}) of {list(names)}",
            found=f"shape {values.shape}",
            next_command="give the members' predictions as columns, in the order in which they were fitted",
        )
    return values


def _table(
    predictions: Mapping[str, np.ndarray], truth: np.ndarray, group: np.ndarray | None
) -> tuple[tuple[str, ...], np.ndarray]:
    lengths = {name: len(values) for name, values in predictions.items()} | {"the truth": len(truth)}
    if group is not None:
        lengths["the groups"] = len(group)
    if not predictions or len(set(lengths.values())) > 1:
        raise InputError(
            expected="predictions of at least one member, all for the same rows",
            found=f"{lengths}",
            next_command="predict the same rows with every member",
        )
    values = np.column_stack([np.asarray(column, np.float64) for column in predictions.values()])
    if not np.isfinite(values).all():
        non_finite = [name for name, column in zip(predictions, values.T, strict=True) if not np.isfinite(column).all()]
        raise InputError(
            expected="a finite prediction of every member for every row",
            found=f"missing or infinite predictions of {non_finite}",
            next_command=f"leave {non_finite[0]!r} out, or leave the rows out",
        )
    return tuple(predictions), values


def _groups(group: np.ndarray | None, rows: int) -> np.ndarray:
    return np.zeros(rows, np.int64) if group is None else np.unique(group, return_inverse=True)[1]


def _missing_facts_error(names: tuple[str, ...], supplied: Mapping, missing_facts: str) -> LeakError:
    return LeakError(
        expected=f"{missing_facts}, for each of {list(names)}",
        found=f"only for {sorted(supplied)}",
        next_command="specify for every member what it was fitted on",
    )
