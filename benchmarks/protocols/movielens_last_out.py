"""MovieLens 100k, leave-last-out.

The last rating of each of the 943 users is test, the four before it are validation, each asked about with what comes
before it (among ratings of the same second the order of the file decides, which is random; 44 % of the last ratings
share their second). Models learn from all other ratings, of all times, and rank all 1,682 films except those rated
before: one film is relevant. For test they learn from validation, too. Settings and the blend's weights were chosen on
validation.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.protocols import movielens
from benchmarks.protocols.row import Row, full_ranking
from training.datasets.interactions import Interactions
from training.models.recommendation.blend import BlendFit, learn_weights_of
from training.models.recommendation.contract import Fitted, Model
from training.models.recommendation.ease import EASE
from training.models.recommendation.ials import IALS
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.weighting import Weighting

NAME, DATA = "movielens-100k, leave-last-out", movielens.DATA
GOAL = {"ndcg_at_10": 0.140}

PAUSE_S, SESSION_PAUSE_S = 600.0, 120.0
VALIDATION = (1, 2, 3, 4)
"""Places from the end of each user's ratings that are asked about on validation."""
MODELS: dict[str, Model] = {
    "transitions": Transitions(20, 0.9, recency=0.7, beta=0.2, exponent=0.8, pause_s=PAUSE_S),
    "transitions, far": Transitions(40, 0.95, recency=0.8, beta=0.3, backwards=0.3, exponent=0.65, pause_s=PAUSE_S),
    "ials": IALS(64, 16, 0.1, 0.01, None, recency=0.97),
    "ease, sessions": EASE(
        300.0, history_weighting=Weighting(recency=0.95, pause_s=PAUSE_S), session_pause_s=SESSION_PAUSE_S
    ),
}
ALONE: dict[str, Model] = {
    "ease": EASE(300.0),
    "item_knn": ItemKNN(),
    "rp3beta": RP3Beta(beta=0.4),
    "popularity": Popularity(),
}


def places_from_the_end(plays: Interactions) -> np.ndarray:
    """Number each listener's plays from the end: (n,) 0 for the last play, 1 for the one before."""
    order = np.argsort(plays.user, kind="stable")
    user = plays.user[order]
    ends = np.searchsorted(user, user, side="right") - 1
    back = np.empty(len(user), np.int64)
    back[order] = ends - np.arange(len(user))
    return back


def measure(folder: Path) -> Iterator[Row]:
    """Measure the blend, its members, and baselines."""
    plays = movielens.read(folder)
    back = places_from_the_end(plays)
    end = int(plays.time.max()) + 1

    def fits(models: dict[str, Model], hidden: int) -> dict[str, Fitted]:
        return {name: model.fit(plays.only(back >= hidden), end) for name, model in models.items()}

    def tracks(is_asked: np.ndarray) -> dict[int, np.ndarray]:
        return plays.only(is_asked).tracks_by_user()

    weights = learn_weights_of(
        [(fits(MODELS, place + 1), tracks(back > place), tracks(back == place)) for place in VALIDATION]
    )
    heard, relevant = tracks(back >= 1), tracks(back == 0)
    fitted = fits(MODELS | ALONE, 1)
    shares = " ".join(f"{name} {weight:.2f}" for name, weight in weights.items() if weight)
    blend = BlendFit({name: fitted[name] for name in MODELS}, weights, heard)
    for name, fit in {"blend": blend, **fitted}.items():
        yield Row(name, shares if name == "blend" else "", full_ranking(fit, heard, relevant, plays.shape[1]))
