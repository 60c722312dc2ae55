"""Popularity lift: how much more popular what is shown is than what the same people play.

H. Abdollahpouri et al., The Unfairness of Popularity Bias in Recommendation, 2019: the mean popularity of the shown
tracks of a group, divided by that of its histories, less 1. 0 for no bias.
"""

import numpy as np

from training.fairness.rates import Answers, Gap, Parts, Rate


def parts(answers: Answers) -> Parts | None:
    """Sums the popularity of lists and of histories, for people with a history."""
    shown, own = answers.shown.get("popularity"), answers.shown.get("history_popularity")
    return None if shown is None or own is None else (shown, own)


def average_parts(answers: Answers) -> Parts | None:
    """Sums the popularity of lists."""
    shown = answers.shown.get("popularity")
    return None if shown is None else (shown, np.isfinite(shown).astype(float))


RATES = (
    Rate("popularity_lift", "popularity of what is shown over that of what is played, less 1", parts, less=1.0),
    Rate("average_popularity", "mean share of past listeners who played a shown track", average_parts),
)
GAP = Gap(
    "popularity_lift_difference",
    "largest difference of the popularity lift between two groups of listeners",
    ("popularity_lift",),
    "difference",
)
