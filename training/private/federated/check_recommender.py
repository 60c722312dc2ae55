"""What sums must be to make a recommender of them, whoever sent them: checked by each silo before it solves."""

import numpy as np

from feature_repo.errors import InputError
from training.exact import gram
from training.exact.follows import ORDERED, TIED
from training.exact.kept import KeptSums
from training.exact.sums import Sums
from training.models.recommendation.ease import EASE
from training.models.recommendation.segments import EVERYBODY
from training.private.federated.statistics.outcomes import LIKED, LISTENERS, SKIPPED

STATISTICS = ("co_plays", "follows", "segments", "outcomes")
"""What a recommender is made of."""
_PAIRS, _ROWS = {gram.NAME, ORDERED, TIED}, {EVERYBODY, LIKED, SKIPPED}


def check_recommender(kept: KeptSums) -> None:
    """Checks that all tables are there, of the shape that the items give them, with counts.

    Raises:
        InputError: a table is missing, has another shape, or a number below zero.
    """
    items, tables = len(kept.items), kept.sums.tables
    missing = {*_PAIRS, *_ROWS, LISTENERS} - set(tables)
    wrong = []
    for name, table in tables.items():
        shape = (items, items) if name in _PAIRS else (1, 1 if name == LISTENERS else items)
        if table.cells.shape != shape or table.cells.data.min(initial=0) < 0:
            wrong.append(name)
    if missing or wrong:
        raise InputError(
            expected=f"counts of the statistics {', '.join(STATISTICS)}, of {items:,} items",
            found=f"sums without {', '.join(sorted(missing))}" if missing else f"others as {', '.join(wrong)[:200]}",
            next_command="refrain model federate recommendation",
        )


def solve_ease(sums: Sums) -> np.ndarray:
    """(items, items) weights of EASE.

    Raises:
        InputError: no listeners have such sums.
    """
    try:
        return EASE().solve(sums)
    except np.linalg.LinAlgError as error:
        raise InputError(
            expected="sums of products of listeners' plays",
            found=f"others, as {error}",
            next_command="refrain model federate recommendation --name ANOTHER_NAME  (with fewer silos)",
        ) from error
