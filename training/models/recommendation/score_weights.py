"""Weights of the blended models, learned on the validation period: of collaborative filtering and of cold start."""

from collections.abc import Mapping, Sequence

import numpy as np

from training.datasets import Interactions
from training.models.ensemble import Members, WeightedEnsemble
from training.models.recommendation import evaluate
from training.models.recommendation.blend import NdcgLoss
from training.models.recommendation.evaluate import PICKS
from training.models.recommendation.knowledge import MOST_PLAYS
from training.models.recommendation.moment import Moment
from training.models.recommendation.segments import count_popularity
from training.models.recommendation.settings import Settings
from transforms.pure.candidates.blend import standardised


def learn_score_weights(
    questions: Sequence[tuple[Mapping[str, np.ndarray], np.ndarray, int]], default: dict[str, float]
) -> dict[str, float]:
    """Learns the weights of standardised scores that rank best by NDCG@10.

    Args:
        questions: for each query the scores of its candidates by name, whether each is relevant, and the number of
            relevant tracks.
        default: weights where there are no queries.
    """
    if not questions:
        return default
    group = np.repeat(np.arange(len(questions)), [len(truth) for _, truth, _ in questions])
    names = tuple(questions[0][0])
    values = np.concatenate(
        [np.column_stack([standardised(scores[name]) for name in names]) for scores, *_ in questions]
    )
    truth = np.concatenate([truth for _, truth, _ in questions]).astype(float)
    loss = NdcgLoss.of(group, np.array([count for *_, count in questions]))
    return WeightedEnsemble(loss=loss, steps=20).fit(Members(names, values, truth, group)).weights


def learn_collaborative_weights(moment: Moment) -> dict[str, float]:
    """Learns the weights of taste and of co-played tracks on validation."""
    questions = []
    for query in moment.queries:
        candidates = evaluate.collaborative_pool(query)
        scores = evaluate.collaborative_scores(moment.knowledge, query.user, candidates)
        questions.append((scores, np.isin(candidates.places, query.relevant), len(query.relevant)))
    return learn_score_weights(questions, {"taste": 1.0, "similar": 0.0})


def learn_cold_start_weights(
    interactions: Interactions, moment: Moment, user_segments: Mapping[int, tuple[str, ...]], settings: Settings
) -> dict[str, float]:
    """Learns the weights of the cold-start scores on listeners of validation, with a few picks as their history."""
    learned = moment.knowledge.learned_from(interactions)
    popularity = count_popularity(learned, moment.knowledge.cutoff, user_segments, MOST_PLAYS)
    rng = np.random.default_rng(settings.seed)
    questions = []
    for query in moment.queries:
        if len(query.seen) < PICKS:
            continue
        picks = rng.choice(query.seen, PICKS, replace=False)
        candidates, candidate_scores = evaluate.cold_pool(
            moment.knowledge, popularity.shares(user_segments.get(query.user, ())), picks
        )
        relevant = np.union1d(query.relevant, np.setdiff1d(query.seen[: 2 * PICKS], picks))
        questions.append((candidate_scores, np.isin(candidates.places, relevant), len(relevant)))
    return learn_score_weights(questions, {"similar": 1 / 3, "content": 1 / 3, "popular": 1 / 3})
