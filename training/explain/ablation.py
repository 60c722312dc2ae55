"""What each feature view is worth: the test's loss without it, fitted anew, unit by unit beside the loss with it."""

from typing import Any

from feature_repo.command_line import Progress, silent
from training.models.problem import Problem
from training.validation.bootstrap import Interval, interval


def ablation(problem: Problem, parameters: dict[str, Any], progress: Progress = silent) -> dict[str, Interval]:
    """View → how much the mean loss of the test grows without its features, largest first; nothing for the only view.

    Args:
        problem: what is learned from.
        parameters: of the version that is explained.
        progress: told of the refits.
    """
    if not problem.views:
        return {}
    with_all, clusters = problem.test(parameters)
    found = {}
    for place, view in enumerate(problem.views):
        progress(place, len(problem.views), f"without {view}")
        grown = problem.test(parameters, without=(view,))[0] - with_all
        found[view] = interval(grown, clusters)
    return dict(sorted(found.items(), key=lambda item: -item[1].mean))
