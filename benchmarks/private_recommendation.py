"""Recommendations under differential privacy of a person: NDCG@10 by ε, beside what else could be done.

Every model learns from the same rows and answers the same people. ``private_ease`` is the model of ``refrain model
private``; its answers as they are served (50 neighbours a track) are ``private_ease, 50 neighbours``. Rivals have the
whole budget: ``popularity`` with noise; ``item_knn``, cosines of the noisy sums of pairs without repair; ``textbook``,
EASE of XᵀX of 20 tracks a person with noise of that sensitivity, λ at the noise; ``local``, where each person adds
noise to their own pairs before anybody sees them. Without privacy: ``ease`` with its own best weighting, and
``popularity``.

Judged on: never seen worlds and parts. The settings of private EASE (weighting, shares, catalogue, thresholds) and of
EASE were chosen on development data: the simulated world of seed 1, and validation of the first split of MovieLens and
HetRec. Reported are other worlds, and the test parts of other splits. δ is 10^-6. Noise is seeded here, never in use.
Intervals are of 95 %, of means over people drawn with replacement; ``share`` is of EASE without privacy.

Last, a network that is trained by DP-SGD, of people who were held out (``benchmarks.protocols.private_likes``).

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.private_recommendation [--quick]
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.protocols import hetrec, movielens, private_likes
from benchmarks.protocols.private_people import People, Scores, last_fm, ndcg_of_people, simulated
from benchmarks.protocols.private_people import movielens as split_movielens
from benchmarks.surroundings import MACHINE, data_set, judged
from training.exact.solve import inverse
from training.models.recommendation.contract import strongest
from training.models.recommendation.ease import DualFit
from training.private.differential import private_popularity, zcdp
from training.private.differential.ease import ItemRelease, PrivateEASE
from training.private.differential.spectrum import radius_of
from training.private.differential.unit_rows import BITS, unit_rows
from training.validation.bootstrap import interval

EPSILONS, DELTA = (0.5, 1.0, 2.0, 4.0, 10.0), 1e-6
LIKES_DELTA = 1e-4
"""δ of networks: 629 people are learned from."""
DRAWS = 1_000
NEIGHBOURS = 50
TEXTBOOK_TRACKS = 20
SHARES = {4.0: 0.8, 10.0: 0.9}
"""Goals: ε → share of EASE without privacy that is kept, on simulated people."""


@dataclass(frozen=True)
class Case:
    """Data, and the best EASE without privacy on its development data.

    Attributes:
        name: name of the case.
        draw: returns the people.
        ease: scores of EASE without privacy.
        seed: of the noise.
        has_goals: whether the goals are judged on it.
    """

    name: str
    draw: Callable[[], People]
    ease: Callable[[People], Scores]
    seed: int
    has_goals: bool = False


def main() -> None:
    """Print one line a model and ε, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small simulated world")
    is_quick = parser.parse_args().quick
    results: list[dict[str, Any]] = []
    with threadpool_limits(1):
        folders = () if is_quick else (data_set(movielens.DATA), data_set(hetrec.DATA))
        for case in cases(folders):
            for row in measure(case, (1.0, 4.0) if is_quick else EPSILONS):
                results.append({"case": case.name, **row})
                show(results[-1])
        for row in private_likes.measure(folders[0], (1, 2), (1.0, 4.0), LIKES_DELTA) if folders else ():
            results.append({"case": f"MovieLens likes, division {row['seed']}", "metric": "auc", **row})
            show(results[-1])
    print(json.dumps({"benchmark": "private_recommendation", "machine": MACHINE, "cases": judged(results)}))


def cases(folders: Sequence[Path]) -> Iterator[Case]:
    """Yield the cases of a run: one small one without data sets, else all."""
    if not folders:
        yield Case("5,000 simulated", partial(simulated, 5_000, 500, 400_000, 11, 1_000), _ease_of_worlds, 0)
        return
    for seed in (11, 12):
        name = f"20,000 simulated, world {seed}"
        yield Case(name, partial(simulated, 20_000, 2_000, 2_000_000, seed, 3_000), _ease_of_worlds, seed, True)
    yield Case("100,000 simulated", partial(simulated, 100_000, 2_000, 6_000_000, 13, 3_000), _ease_of_worlds, 13)
    yield Case("2,000 simulated", partial(simulated, 2_000, 2_000, 200_000, 14, 3_000), _ease_of_worlds, 14)
    ratings, artists = folders
    for seed in (1, 2):
        split_name = f"split {seed}"
        yield Case(f"MovieLens 100k, {split_name}", partial(split_movielens, ratings, seed, 2), _ease_of_films, seed)
        yield Case(f"HetRec, {split_name}", partial(last_fm, artists, seed, 2), _ease_of_artists, seed)


def measure(case: Case, epsilons: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """Measure all models of a case."""
    people = case.draw()
    plays = np.bincount(people.plays.indices, minlength=people.plays.shape[1]).astype(float)
    open_ease = ndcg_of_people(case.ease(people), people)
    yield {"model": "ease", "metric": "ndcg_at_10", **_mean(open_ease)}
    yield {"model": "popularity", "metric": "ndcg_at_10", **_mean(ndcg_of_people(_same(plays), people))}
    for epsilon in epsilons:
        figures = {
            name: ndcg_of_people(scores, people)
            for name, scores in private_models(people, epsilon, np.random.default_rng(case.seed)).items()
        }
        for name, values in figures.items():
            yield {"model": name, "epsilon": epsilon, "metric": "ndcg_at_10", **_mean(values)}
        private = figures["private_ease"]
        share_goal = SHARES.get(epsilon) if case.has_goals else None
        yield {
            "model": "private_ease",
            "epsilon": epsilon,
            "metric": "share",
            **_share(private, open_ease),
            **({} if share_goal is None else {"goal": f">= {share_goal}"}),
        }
        gain = interval(private - figures["popularity"], draws=DRAWS)
        yield {
            "model": "private_ease",
            "epsilon": epsilon,
            "metric": "gain_over_private_popularity_low",
            "value": round(gain.low, 4),
            **({"goal": ">= 0"} if case.has_goals else {}),
        }


def private_models(people: People, epsilon: float, rng: np.random.Generator) -> dict[str, Scores]:
    """Fit all models at one ε: name → scores."""
    model, weights = PrivateEASE(epsilon, DELTA), people.weights
    release = model.release(weights, rng)
    fit = model.solve(release, weights)
    popularity = private_popularity.count(unit_rows(weights), BITS, model.rho, rng)
    strong = strongest(sparse.csr_array(np.maximum(fit.weights, 0)), NEIGHBOURS).toarray()
    return {
        "private_ease": fit.scores,
        f"private_ease, {NEIGHBOURS} neighbours": replace(fit, weights=strong).scores,
        "popularity": _same(popularity.tracks),
        "item_knn": _item_knn(release, weights),
        "textbook": _textbook(weights, model.rho, rng),
        "local": _local(weights, model.rho, rng),
    }


def show(row: dict[str, Any]) -> None:
    """Print one row."""
    epsilon = "" if "epsilon" not in row else f"ε {row['epsilon']:g}"
    ends = f"  ({row['low']:.4f} to {row['high']:.4f})" if "low" in row else ""
    print(f"{row['case']:28}{row['model']:30}{epsilon:8}{row['metric']:34}{row['value']:8.4f}{ends}", flush=True)


def _mean(values: np.ndarray) -> dict[str, float]:
    result = interval(values, draws=DRAWS)
    return {"value": round(result.mean, 4), "low": round(result.low, 4), "high": round(result.high, 4)}


def _share(values: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """The share of two means, and its interval over people."""
    draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1) / others[draws].mean(axis=1), [0.025, 0.975])
    return {"value": round(values.mean() / others.mean(), 4), "low": round(low, 4), "high": round(high, 4)}


def _same(scores: np.ndarray) -> Scores:
    return lambda users: np.broadcast_to(scores, (len(users), len(scores)))


def _item_knn(release: ItemRelease, weights: sparse.csr_array) -> Scores:
    gram = release.gram.astype(float)
    floor = radius_of(release.sigma, len(gram)) * 4.0**BITS  # without it, rare tracks have cosines of noise
    lengths = np.sqrt(np.maximum(np.diag(gram), floor))
    table = strongest(sparse.csr_array(np.maximum(gram / np.outer(lengths, lengths), 0)), NEIGHBOURS)

    def scores(users: np.ndarray) -> np.ndarray:
        result = np.full((len(users), weights.shape[1]), -1.0)
        result[:, release.catalogue] = (weights[users][:, release.catalogue] @ table).toarray()
        return result

    return scores


def _textbook(weights: sparse.csr_array, rho: float, rng: np.random.Generator) -> Scores:
    """EASE of XᵀX of at most 20 tracks a person, each cell with the same noise; on the tracks that fit, if many."""
    rows = (weights[:, _most_played(weights)] > 0).astype(float)
    order = rng.random(rows.nnz)
    people = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    ranks = np.empty(rows.nnz, int)
    ranks[np.lexsort((order, people))] = np.arange(rows.nnz) - rows.indptr[people]
    rows.data = (ranks < TEXTBOOK_TRACKS).astype(float)
    sigma = zcdp.sigma_of(rho, math.sqrt(TEXTBOOK_TRACKS * (TEXTBOOK_TRACKS + 1) / 2))
    noise = np.triu(rng.normal(size=(rows.shape[1],) * 2) * sigma)
    matrix = (rows.T @ rows).toarray() + noise + np.triu(noise, 1).T
    return _solved(matrix, radius_of(sigma * math.sqrt(2), len(matrix)), weights, _most_played(weights))


def _local(weights: sparse.csr_array, rho: float, rng: np.random.Generator) -> Scores:
    """Each of n people adds noise for a change of one row to another: their sum has √n times its σ, drawn at once."""
    places = _most_played(weights)
    rows = unit_rows(sparse.csr_array(weights[:, places])).astype(float) / 2**BITS
    sigma = zcdp.sigma_of(rho, math.sqrt(2)) * math.sqrt(rows.shape[0])
    noise = rng.normal(size=(len(places),) * 2) * sigma
    matrix = (rows.T @ rows).toarray() + (noise + noise.T) / 2
    return _solved(matrix, radius_of(sigma, len(places)), weights, places)


def _most_played(weights: sparse.csr_array) -> np.ndarray:
    """The tracks of the rivals, at most 2,000; they are chosen without noise, which is to the rivals' advantage."""
    counts = np.bincount(weights.indices, minlength=weights.shape[1])
    return np.sort(np.argsort(-counts, kind="stable")[:2_000])


def _solved(matrix: np.ndarray, regularization: float, weights: sparse.csr_array, places: np.ndarray) -> Scores:
    table = matrix.copy()
    lowest = float(np.linalg.eigvalsh(table)[0])
    table[np.diag_indices_from(table)] += max(regularization, 1e-3 * regularization - lowest)
    solved = inverse(table)
    solved = -solved / np.diag(solved)
    np.fill_diagonal(solved, 0)

    def scores(users: np.ndarray) -> np.ndarray:
        result = np.full((len(users), weights.shape[1]), -1e9)
        result[:, places] = weights[users][:, places] @ solved
        return result

    return scores


def _ease_of_worlds(people: People) -> Scores:
    return _open_ease(people, power=2.0, share=0.3)


def _ease_of_films(people: People) -> Scores:
    return _open_ease(people, power=1.0, share=10.0)


def _ease_of_artists(people: People) -> Scores:
    weights = people.weights
    return DualFit.of(weights, 4_000.0, None, (weights.shape[0], weights.shape[1])).scores


def _open_ease(people: People, power: float, share: float) -> Scores:
    """EASE of log₂(1 + plays)^power over the root of a person's norm; λ is a share of the mean diagonal."""
    rows = people.weights
    rows.data = rows.data**power
    norms = np.sqrt(np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel()))
    rows.data = rows.data / np.repeat(np.maximum(norms, 1e-9), np.diff(rows.indptr))
    matrix = (rows.T @ rows).toarray()
    return _solved(matrix, share * float(np.trace(matrix)) / len(matrix), rows, np.arange(rows.shape[1]))


if __name__ == "__main__":
    main()
