"""The metric of a model by group: of any family, in its own units, such as log loss, absolute error or NDCG@10."""

import numpy as np

from training.fairness.rates import Answers, Gap, Parts, Rate


def parts(answers: Answers) -> Parts | None:
    """Sums the metric over the units that have one."""
    is_known = np.isfinite(answers.values)
    return np.where(is_known, answers.values, 0.0), is_known.astype(float)


RATE = Rate("metric", "mean of the model's own metric", parts)
GAPS = (
    Gap("metric_difference", "largest difference of the model's metric between two groups", ("metric",), "difference"),
    Gap("metric_ratio", "smallest of the model's metric divided by the largest", ("metric",), "ratio"),
)
