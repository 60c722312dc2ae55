"""Calibration within groups: whether a chance means the same in each group.

J. Kleinberg, S. Mullainathan and M. Raghavan, Inherent Trade-Offs in the Fair Determination of Risk Scores, 2017. The
mean of outcome less chance is 0 for calibrated chances, over all of a group and over those on either side of the
threshold.
"""

import numpy as np

from training.fairness.rates import Answers, Gap, Parts, Rate


def parts(answers: Answers) -> Parts | None:
    """Sums outcome less chance over all units."""
    return (answers.outcome - answers.chance, np.ones(len(answers.chance))) if answers.has_chances else None


def parts_of_selected(answers: Answers) -> Parts | None:
    """Sums outcome less chance over the selected."""
    return (answers.outcome - answers.chance, answers.selected) if answers.has_chances else None


def parts_of_others(answers: Answers) -> Parts | None:
    """Sums outcome less chance over those who are not selected."""
    return (answers.outcome - answers.chance, 1 - answers.selected) if answers.has_chances else None


RATES = (
    Rate("calibration", "mean of outcome less chance; 0 is calibrated", parts),
    Rate("calibration_of_selected", "mean of outcome less chance of the selected", parts_of_selected),
    Rate("calibration_of_others", "mean of outcome less chance of those who are not selected", parts_of_others),
)
GAP = Gap(
    "calibration_difference",
    "largest difference of outcome less chance between two groups, of all or on one side of the threshold",
    ("calibration", "calibration_of_selected", "calibration_of_others"),
    "difference",
)
