"""Selection rate, and demographic parity: whether groups are selected alike, whatever the outcome.

C. Dwork et al., Fairness Through Awareness, 2012.
"""

import numpy as np

from training.fairness.rates import Answers, Gap, Parts, Rate


def parts(answers: Answers) -> Parts | None:
    """Counts the selected among all."""
    return (answers.selected, np.ones(len(answers.chance))) if answers.has_chances else None


RATE = Rate("selection_rate", "share of a group whose chance reaches the threshold", parts, is_share=True)
GAPS = (
    Gap(
        "demographic_parity_difference",
        "largest difference of selection rates between two groups",
        ("selection_rate",),
        "difference",
    ),
    Gap("demographic_parity_ratio", "smallest selection rate divided by the largest", ("selection_rate",), "ratio"),
)
