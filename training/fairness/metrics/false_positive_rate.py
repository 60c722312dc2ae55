"""False positive rate: the share selected of those with a negative outcome."""

from training.fairness.rates import Answers, Gap, Parts, Rate


def parts(answers: Answers) -> Parts | None:
    """Counts the selected among those with a negative outcome."""
    return (answers.selected * (1 - answers.outcome), 1 - answers.outcome) if answers.has_chances else None


RATE = Rate("false_positive_rate", "share selected of those with a negative outcome", parts, is_share=True)
GAP = Gap(
    "false_positive_rate_difference",
    "largest difference of false positive rates between two groups",
    ("false_positive_rate",),
    "difference",
)
