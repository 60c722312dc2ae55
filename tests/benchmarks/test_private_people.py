"""The people of the benchmark of private models: no play of the future is learned from, and NDCG@10 is that of all."""

import numpy as np

from benchmarks.protocols.private_people import ndcg_of_people, simulated
from training.evaluate import rank_all, ranking_metrics


def test_ndcg_is_that_of_other_evaluations() -> None:
    people = simulated(80, 60, 6_000, 3, 50)
    scores = np.random.default_rng(0).random(people.plays.shape)
    ranked, relevant = {}, {}
    for user in people.users.tolist():
        ranked[user] = rank_all(scores[user], people.known[[user]].indices, 20)
        relevant[user] = people.relevant[[user]].indices
    expected = ranking_metrics(ranked, relevant, scores.shape[1]).ndcg_at_10
    assert 0 < expected < 1
    assert abs(ndcg_of_people(lambda users: scores[users], people).mean() - expected) < 1e-12


def test_what_is_relevant_was_not_known() -> None:
    people = simulated(80, 60, 6_000, 3, 50)
    assert not (people.relevant > 0).multiply(people.known > 0).nnz
    assert (np.diff(people.plays.indptr)[people.users] > 0).all()
