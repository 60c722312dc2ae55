"""Equalized odds: whether groups are selected alike, given the outcome.

M. Hardt, E. Price and N. Srebro, Equality of Opportunity in Supervised Learning, 2016. Of the two rates the larger
difference counts, as in Fairlearn.
"""

from training.fairness.rates import Gap

GAP = Gap(
    "equalized_odds_difference",
    "largest difference of true or of false positive rates between two groups",
    ("true_positive_rate", "false_positive_rate"),
    "difference",
)
