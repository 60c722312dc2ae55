"""The worth of each feature view: the loss of a refit without it beside the loss with it, unit by unit."""

from typing import Any

from feature_repo.command_line import Progress, silent
from training.models.problem import Problem
from training.validation.bootstrap import Interval, interval


def ablation(problem: Problem, parameters: dict[str, Any], progress: Progress = silent) -> dict[str, Interval]:
    """Computes view → growth of the mean test loss without its features, largest first; nothing for the only view.

    Args:
        problem: problem of the model.
        parameters: parameters of the explained version.
        progress: callback for the progress of the refits.
    """
    if not problem.views:
        return {}
    with_all, clusters = problem.test(parameters)
    worth = {}
    for position, view in enumerate(problem.views):
        progress(position, len(problem.views), f"without {view}")
        loss_growth = problem.test(parameters, without=(view,))[0] - with_all
        worth[view] = interval(loss_growth, clusters)
    return dict(sorted(worth.items(), key=lambda item: -item[1].mean))
