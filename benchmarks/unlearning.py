"""A person out of models in closed form: by subtraction from their sums, beside a retrain and a low-rank update.

Each model is trained on all but one listener (``retrain``), and solved from the sums of all minus those of the
listener (``subtract``); the two are compared bit for bit. EASE is also corrected by the formula of Sherman, Morrison
and Woodbury for its inverse (``low_rank``), whose error is stated; it needs the inverse beside the model. Seconds are
of the processor, one thread, median of the listeners, in turns. Sizes are of the sums as they are kept.

Judged on: exactness and time, for a seeded sample of the listeners. Nothing is tuned. The third case is drawn: 20,000
listeners of 1,500 tracks, whose popularity falls with their rank.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.unlearning
"""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.protocols import hetrec, movielens
from benchmarks.surroundings import MACHINE, data_set, judged
from training.datasets import Interactions
from training.exact import gram, walks
from training.exact.fixed_point import to_floats
from training.exact.kept import KeptSums
from training.exact.solve import inverse
from training.exact.sums import Sums
from training.models.recommendation.ease import EASE
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.weighting import Weighting

PEOPLE = 5
LISTENERS_OF_ARTIST = 8
"""Fewest listeners of an artist of HetRec: EASE is then solved on the side of the artists."""
LOGARITHMS = EASE(4_000.0, Weighting(logarithm=True), Weighting(logarithm=True))


def main() -> None:
    """Print one line a model, then one line of JSON."""
    cases: list[dict[str, Any]] = []
    for name, plays in (
        ("movielens-100k", movielens.read(data_set(movielens.DATA))),
        ("hetrec", _known(hetrec.read(data_set(hetrec.DATA))[0])),
        ("drawn", _drawn()),
    ):
        for model, case in measure(plays).items():
            print(f"{name:16}{model:18}" + "  ".join(f"{key} {value:.4g}" for key, value in case.items()), flush=True)
            cases += [
                {"case": name, "model": model, "metric": metric, "value": value} | _goal(metric)
                for metric, value in case.items()
            ]
    print(json.dumps({"benchmark": "unlearning", "machine": MACHINE, "cases": judged(cases)}))


def measure(plays: Interactions) -> dict[str, dict[str, float]]:
    """Measure every model on some plays: model → figure → value."""
    cutoff = int(plays.time.max()) + 1

    def played(rows: Interactions) -> sparse.csr_array:
        return Weighting().matrix(rows, cutoff)

    models: dict[str, tuple[Callable[[Interactions], Sums], Callable[[Sums], Any]]] = {
        "ease": (lambda rows: gram.count(EASE().rows(rows, cutoff)), EASE().solve),
        "ease, log counts": (lambda rows: gram.count(LOGARITHMS.rows(rows, cutoff)), LOGARITHMS.solve),
        "item_knn": (lambda rows: gram.count(gram.rounded(played(rows), 0)), ItemKNN().solve),
        "rp3beta": (lambda rows: walks.count(played(rows), 1.0), RP3Beta().solve),
        "transitions": (lambda rows: Transitions().count(rows, cutoff), Transitions().solve),
        "popularity": (lambda rows: Popularity().count(rows, cutoff), Popularity().solve),
    }
    people = np.random.default_rng(0).choice(plays.shape[0], PEOPLE, replace=False)
    with threadpool_limits(1):
        results = {name: _one_model(plays, people.tolist(), *parts) for name, parts in models.items()}
        for name, model in (("ease", EASE()), ("ease, log counts", LOGARITHMS)):
            results[name] |= _low_rank(plays, people.tolist(), cutoff, model)
    return results


def _one_model(
    plays: Interactions, people: list[int], count: Callable[[Interactions], Sums], solve: Callable[[Sums], Any]
) -> dict[str, float]:
    every = count(plays)
    seconds: dict[str, list[float]] = {"retrain": [], "subtract": [], "sums": [], "sums_without": []}
    differing, largest = 0, 0.0
    for person in people:
        others = plays.only(plays.user != person)
        began = time.process_time()
        sums = count(others)
        counted = time.process_time()
        trained = _dense(solve(sums))
        solved = time.process_time()
        rest = every - count(plays.only(plays.user == person))
        subtracted = time.process_time()
        forgot = _dense(solve(rest))
        ended = time.process_time()
        for name, value in (
            ("retrain", solved - began),
            ("sums", counted - began),
            ("subtract", ended - solved),
            ("sums_without", subtracted - solved),
        ):
            seconds[name].append(value)
        differing += trained.tobytes() != forgot.tobytes()
        largest = max(largest, float(np.abs(trained - forgot).max()))
    size = len(KeptSums(plays.track_ids, 0, every).to_bytes())
    figures = {f"{name}_seconds": float(np.median(values)) for name, values in seconds.items()}
    return {**figures, "differing": float(differing), "largest_difference": largest, "kept_megabytes": size / 1e6}


def _low_rank(plays: Interactions, people: list[int], cutoff: int, model: EASE) -> dict[str, float]:
    """Correct the inverse for one row less, and compare with the retrain: seconds, and the largest difference."""
    rows = model.rows(plays, cutoff)
    matrix = to_floats(gram.count(rows)[gram.NAME].toarray(), 2 * model.bits)
    matrix[np.diag_indices_from(matrix)] += model.regularization
    whole = inverse(matrix)
    seconds, largest = [], 0.0
    for person in people:
        own = rows[[person]]
        values, places = to_floats(own.data, model.bits), own.indices
        began = time.process_time()
        column = whole[:, places] @ values
        corrected = whole + np.outer(column, column / (1 - values @ column[places]))
        weights = -corrected / np.diag(corrected)
        np.fill_diagonal(weights, 0)
        seconds.append(time.process_time() - began)
        trained = model.solve(gram.count(model.rows(plays.only(plays.user != person), cutoff)))
        largest = max(largest, float(np.abs(weights - trained).max()))
    return {
        "low_rank_seconds": float(np.median(seconds)),
        "low_rank_difference": largest,
        "low_rank_megabytes": whole.nbytes / 1e6,
    }


def _dense(table: Any) -> np.ndarray:
    return table.toarray() if sparse.issparse(table) else np.asarray(table)


def _known(plays: Interactions) -> Interactions:
    """The plays of artists with enough listeners."""
    listeners = np.bincount(plays.track, minlength=plays.shape[1])
    kept = np.flatnonzero(listeners >= LISTENERS_OF_ARTIST)
    rest = plays.only(np.isin(plays.track, kept))
    names = [plays.track_ids[place] for place in kept.tolist()]
    return Interactions(
        plays.user_ids, names, names, rest.user, np.searchsorted(kept, rest.track), rest.time, rest.weight
    )


def _drawn(users: int = 20_000, tracks: int = 1_500, plays: int = 1_000_000) -> Interactions:
    rng = np.random.default_rng(0)
    chances = 1 / np.arange(5, tracks + 5)
    track = rng.choice(tracks, plays, p=chances / chances.sum())
    names = [f"{number:04}" for number in range(tracks)]
    users_of_plays = rng.integers(users, size=plays)
    times = np.sort(rng.integers(10**15, size=plays))
    return Interactions([f"{number:05}" for number in range(users)], names, names, users_of_plays, track, times)


def _goal(metric: str) -> dict[str, str]:
    goals = {"differing": "== 0", "low_rank_difference": "<= 1e-12"}
    return {"goal": goals[metric]} if metric in goals else {}


if __name__ == "__main__":
    main()
