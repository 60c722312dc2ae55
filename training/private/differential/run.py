"""Trains the private version of a model by its name."""

from typing import cast

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.models.recommendation.bundle import NAME
from training.private.differential.recommendation import run_private
from training.private.differential.result import PrivateResult
from training.private.differential.rows.fit import LEARNERS, LearnerName
from training.private.differential.rows.run import run_private_rows


def run_private_model(
    home: Home, name: str, epsilon: float, delta: float = 1e-6, learner: str = "", *, progress: Progress = silent
) -> PrivateResult:
    """Publishes a private version of the recommenders or of a model of rows, and registers it.

    Args:
        home: the data folder.
        name: name of the model.
        epsilon: ε of the release.
        delta: δ of the release.
        learner: learner of a model of rows; empty for the first of them.
        progress: callback for the progress of each stage.

    Raises:
        InputError: there is no such model, or it has no such learner; see ``run_private`` and ``run_private_rows``.
        BudgetSpent: the budget does not have so much.
        StoreError: there are no rows, or features are not built or not applied.
    """
    if name != NAME:
        chosen = cast(LearnerName, learner or LEARNERS[0])
        return run_private_rows(home, name, epsilon, delta, chosen, progress=progress)
    if learner:
        raise InputError(
            expected="no choice of learners for the recommenders, which have one private version",
            found=f"--learner {learner}",
            next_command=f"refrain model private {NAME} --epsilon 4",
        )
    return run_private(home, epsilon, delta, progress=progress)
