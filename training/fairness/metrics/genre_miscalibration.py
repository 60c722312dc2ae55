"""Miscalibration of genres: how far the genres of a list are from those that the listener plays.

H. Steck, Calibrated Recommendations, 2018: the Kullback-Leibler divergence KL(p ‖ q̃) of the genre shares p of a history
and q of a list, where q̃ = (1 − α) q + α p keeps it finite, with α = 0.01.
"""

import numpy as np

from training.fairness.rates import Answers, Gap, Parts, Rate


def parts(answers: Answers) -> Parts | None:
    """Sums the divergence of the lists whose listener's genres are known."""
    divergence = answers.shown.get("genre_divergence")
    return None if divergence is None else (divergence, np.isfinite(divergence).astype(float))


RATE = Rate("genre_miscalibration", "mean divergence of the genres shown from those played, in nats", parts)
GAP = Gap(
    "genre_miscalibration_difference",
    "largest difference of the divergence between two groups of listeners",
    ("genre_miscalibration",),
    "difference",
)
