"""True positive rate, and equal opportunity: whether those with a positive outcome are selected alike.

M. Hardt, E. Price and N. Srebro, Equality of Opportunity in Supervised Learning, 2016.
"""

from training.fairness.rates import Answers, Gap, Parts, Rate


def parts(answers: Answers) -> Parts | None:
    """Counts the selected among those with a positive outcome."""
    return (answers.selected * answers.outcome, answers.outcome) if answers.has_chances else None


RATE = Rate("true_positive_rate", "share selected of those with a positive outcome", parts, is_share=True)
GAPS = (
    Gap(
        "equal_opportunity_difference",
        "largest difference of true positive rates between two groups",
        ("true_positive_rate",),
        "difference",
    ),
    Gap(
        "equal_opportunity_ratio",
        "smallest true positive rate divided by the largest",
        ("true_positive_rate",),
        "ratio",
    ),
)
