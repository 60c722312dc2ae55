"""Recommendations under attack: the answers to one listener whose own history is changed.

What is attacked is the retrieval from a history by EASE, learned from the true plays of everybody before the test; the
rankers behind it order what it retrieves.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from training.datasets import Interactions, TimeSplit
from training.evaluate import rank_all
from training.evaluate.ranking import ndcg
from training.models.recommendation.ease import EASE
from training.robustness.subject import Request, Subject
from training.robustness.target import Target

DEPTH = 10


def targets(request: Request) -> Sequence[Target[Any]]:
    """Learns from the plays before the last tenth, and asks about listeners who play something new in it.

    Raises:
        InputError: there are too few plays.
        StoreError: there are none.
    """
    interactions = Interactions.load(request.home)
    split = TimeSplit.by_share(interactions.time)
    return [target_of(interactions, split.test, split.end)]


def target_of(interactions: Interactions, cutoff: int, end: int) -> Target[np.ndarray]:
    """Makes the target of all listeners with new tracks between two moments.

    Args:
        interactions: plays of everybody.
        cutoff: moment until which plays are known, µs since 1970 UTC.
        end: moment until which plays are asked about.
    """
    settings = EASE()
    model = settings.fit(interactions, cutoff)
    weights = settings.history_weighting.matrix(interactions.before(cutoff), cutoff)
    heard, new = interactions.heard_and_new(cutoff, end)
    users = sorted(user for user, tracks in new.items() if len(tracks))
    histories = [_history(weights, user) for user in users]
    count = interactions.shape[1]

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        if not len(changed):
            return np.empty(0)
        owners = np.repeat(np.arange(len(changed)), [len(history) for history in changed])
        entries = np.concatenate(list(changed))
        rows = sparse.csr_array((entries[:, 1], (owners, entries[:, 0].astype(int))), (len(changed), count))
        return np.array(
            [
                ndcg(rank_all(scores, heard[users[unit]], DEPTH), new[users[unit]])
                for scores, unit in zip(model.score_histories(rows), units, strict=True)
            ]
        )

    judged = (
        f"Held out by time: EASE learned from {len(interactions.before(cutoff).time):,} plays, asked about new tracks "
        f"of {len(users):,} listeners afterwards. The retrieval is attacked, not the rankers behind it."
    )
    extra = {"catalogue": count}
    return Target("histories", histories, margins, "ndcg_at_10", graded=True, judged=judged, extra=extra)


def _history(weights: sparse.csr_array, user: int) -> np.ndarray:
    part = slice(weights.indptr[user], weights.indptr[user + 1])
    return np.column_stack([weights.indices[part], weights.data[part]]).astype(np.float64)


SUBJECT = Subject("recommendation", ("histories",), targets)
