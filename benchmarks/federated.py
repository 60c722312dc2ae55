"""Models of many silos beside those of one place: the same bits, or the gap; seconds and bytes.

1. **Exact**: MovieLens 100k and Last.fm HetRec, listeners dealt to 20 silos (a hash of their ids), sums under masks
   (Bonawitz et al. 2017), all parties in one process. Three silos drop out, each in another phase of the round of sums.
   Compared, bit for bit, with models of the listeners of the silos in the sum, in one place. ``differing`` must be 0.
2. **iALS** whose listeners' vectors stay in 8 silos, on HetRec's random 8:1:1 split: NDCG@10 on the test pairs beside
   the same model in floating point in one place, with a 95 % interval of the difference over listeners.
3. **Averages**: whether a rating of MovieLens is 4 or 5, from genres, age, gender and occupation. A silo is one of the
   21 occupations, of very different sizes. The newest fifth of the ratings is the test. Log loss beside the network of
   one place, with a 95 % interval of the difference, whole listeners resampled. Settings are fixed; nothing is tuned.
4. **Liars**: the same logistic regression with 21 silos in 7 groups, in 0, 1 and 3 of which one silo sends its update
   times −50: mean of the groups, median, trimmed mean. Without masks, which do not change a sum.

Judged on: equality and gaps. The test parts are read once. Seconds are of the processor, all threads of all parties.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.federated [--quick]
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.protocols import hetrec, movielens, movielens_likes
from benchmarks.protocols.silos import dealt, secure_run
from benchmarks.surroundings import MACHINE, data_set, judged
from training.datasets import Interactions
from training.evaluate import rank_all
from training.evaluate.ranking import ndcg
from training.exact.kept import KeptSums
from training.exact.sums import Sums
from training.models.recommendation.ease import EASE
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.transitions import Transitions
from training.private.federated.agreement import Agreement
from training.private.federated.catalogue import Catalogue
from training.private.federated.network import Network, descend
from training.private.federated.procedures import logistic
from training.private.federated.procedures.item_vectors import Factors, weights_of
from training.private.federated.robust import deal, median, trimmed_mean
from training.private.federated.statistic import Scope, SiloData, count_all
from training.private.secure_aggregation.envelope import Phase
from training.validation.bootstrap import interval
from transforms.pure import npz

SILOS = 20
DROPS = {"silo03": Phase.SHARE, "silo11": Phase.MASK, "silo17": Phase.CONFIRM}
"""Silo → the phase of the round of sums in which it leaves; in that of masks without a word."""
EMPTY = Interactions([], [], [], *np.zeros((3, 0), np.int64))


def exact(plays: Interactions, statistics: Sequence[str], least_listeners: int, silos: int) -> dict[str, float]:
    """Sums under masks beside one place: figure → value."""
    cutoff, parts = int(plays.time.max()) + 1, dealt(plays, silos)
    threshold = max(2 * silos // 3 + 1, 3)
    drops = {name: phase for name, phase in DROPS.items() if name in parts}
    terms = Agreement(
        "exact",
        cutoff=cutoff,
        statistics=tuple(statistics),
        silos=silos,
        threshold=min(threshold, silos - len(drops)),
        deadline_s=60.0,
        least_listeners=least_listeners,
        parameters={"capacity": 20_000},
    )
    data = {name: SiloData(part) for name, part in parts.items()}
    result, seconds, size = secure_run(terms, data, drops)
    kept = KeptSums.from_bytes(result.result)
    total = next(total for step, total in result.run.participation.items() if step.endswith("sums"))
    agreed = result.run.agreement
    survivors = np.isin(plays.user, np.unique(np.concatenate([parts[name].user for name in total.silos])))
    began = time.process_time()
    catalogue = Catalogue(kept.items, agreed.run, is_hashed=True, version=2)
    with threadpool_limits(1):
        central = count_all(SiloData(plays.only(survivors)), Scope(agreed, catalogue))
        central_seconds = time.process_time() - began
        models: dict[str, Callable[[Sums], Any]] = {
            "ease": EASE().solve,
            "item_knn": ItemKNN().solve,
            "popularity": Popularity().solve,
            "rp3beta": RP3Beta().solve,
            **({"transitions": Transitions().solve} if "follows" in statistics else {}),
        }
        differing = sum(
            _dense(solve(kept.sums)).tobytes() != _dense(solve(central)).tobytes() for solve in models.values()
        )
    return {
        "differing": float(differing + (kept.sums.digests() != central.digests())),
        "models": float(len(models)),
        "silos_in_the_sum": float(len(total.silos)),
        "dropped": float(len(total.dropped)),
        "items": float(len(kept.items)),
        "seconds_of_all_parties": seconds,
        "seconds_of_counting_in_one_place": central_seconds,
        "megabytes_of_a_silo": size / 1e6,
        "kept_megabytes": len(result.result) / 1e6,
    }


def vectors(plays: Interactions, silos: int, factors: int, rounds: int) -> dict[str, float]:
    """iALS over silos beside floating point in one place, on HetRec's random split: figure → value."""
    part = hetrec.parts(plays.user, 0)
    train, test = plays.only(part == 0), plays.only(part == 2).tracks_by_user()
    terms = Agreement(
        "vectors",
        "item_vectors",
        cutoff=1,
        silos=silos,
        threshold=max(2 * silos // 3 + 1, 3),
        deadline_s=60.0,
        parameters={"items": list(plays.track_ids), "factors": factors, "rounds": rounds, "regularization": 0.05},
    )
    data = {name: SiloData(each) for name, each in dealt(train, silos).items()}
    result, seconds, size = secure_run(terms, data, {})
    settings = Factors.of(terms)
    catalogue = Catalogue(tuple(sorted(plays.track_ids)), terms.run)
    numbered = catalogue.number(train)
    weights = weights_of(numbered, 1, settings)
    listeners = len(np.unique(train.user))
    tracks = floats = settings.initial(plays.shape[1])
    for _ in range(rounds):
        tracks = settings.solve(settings.count(weights, tracks), listeners)
        floats = float_items(settings, weights, floats, listeners)
    differing = npz.unpack(result.result)["vectors"].tobytes() != tracks.tobytes()
    place = {item: number for number, item in enumerate(catalogue.items)}
    known = plays.only(part < 2).tracks_by_user()
    number = np.array([place[track] for track in plays.track_ids])
    figures = {}
    for name, side in (("silos", tracks), ("floats", floats)):
        scores = settings.listeners(weights, side) @ side.T
        figures[name] = np.array(
            [ndcg(rank_all(scores[user], number[known[user]], 10), number[test[user]]) for user in sorted(test)]
        )
    gap = interval(figures["silos"] - figures["floats"], np.arange(len(test)).astype(str))
    return {
        "differing": float(differing),
        "ndcg_at_10": float(figures["silos"].mean()),
        "ndcg_at_10_in_floats": float(figures["floats"].mean()),
        "gap": gap.mean,
        "gap_low": gap.low,
        "gap_high": gap.high,
        "seconds_of_all_parties": seconds,
        "megabytes_of_a_silo": size / 1e6,
    }


def float_items(settings: Factors, weights: sparse.csr_array, tracks: np.ndarray, listeners: int) -> np.ndarray:
    """The tracks' side of one iteration in floating point."""
    users = settings.listeners(weights, tracks)
    by_track = sparse.csr_array(weights.T)
    everywhere = settings.unobserved * (users.T @ users)
    vectors = np.zeros((by_track.shape[0], settings.factors))
    for track in np.flatnonzero(np.diff(by_track.indptr)).tolist():
        part = slice(by_track.indptr[track], by_track.indptr[track + 1])
        own, weight = users[by_track.indices[part]], by_track.data[part]
        ridge = settings.regularization * (weight.sum() + settings.unobserved * listeners)
        matrix = everywhere + own.T @ (weight[:, None] * own) + ridge * np.eye(settings.factors)
        vectors[track] = np.linalg.solve(matrix, weight @ own)
    return vectors


def averages(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Networks by averages beside one place: model → figure → value."""
    features, labels, user, job, is_test = movielens_likes.read(folder)
    train = ~is_test
    data = {
        f"silo{silo:02}": SiloData(
            EMPTY, features=features[train & (job == silo)], labels=labels[train & (job == silo)]
        )
        for silo in np.unique(job).tolist()
    }
    width, cases = features.shape[1], {}
    clusters = user[is_test].astype(str)
    settings = {"width": width, "epochs": 1, "rate": 0.05, "batch": 64, "clip": 5.0}
    for name, hidden, proximal in (("fedavg", 0, 0.0), ("fedprox", 0, 0.1), ("fedavg_network", 8, 0.0)):
        network = Network(width, hidden)
        terms = Agreement(
            "averages",
            "averaging",
            silos=len(data),
            threshold=2 * len(data) // 3 + 1,
            deadline_s=60.0,
            parameters={**settings, "hidden": hidden, "proximal": proximal, "rounds": rounds},
        )
        result, seconds, size = secure_run(terms, data, {})
        weights = npz.unpack(result.result)["weights"]
        central = descend(
            network, network.initial(0), features[train], labels[train], epochs=rounds, rate=0.05, batch=64
        )
        cases[name] = _gap(network, weights, central, features[is_test], labels[is_test], clusters)
        cases[name] |= {"seconds_of_all_parties": seconds, "megabytes_of_a_silo": size / 1e6}
    terms = Agreement(
        "newton", "logistic", silos=len(data), threshold=15, deadline_s=60.0, parameters={"width": width, "rounds": 6}
    )
    result, seconds, size = secure_run(terms, data, {})
    weights, central = npz.unpack(result.result)["weights"], np.zeros(width + 1)
    for _ in range(6):
        central = logistic.step(central, logistic.count(features[train], labels[train], central), logistic.RIDGE)
    cases["newton"] = _gap(Network(width), weights, central, features[is_test], labels[is_test], clusters)
    cases["newton"] |= {"differing": float(weights.tobytes() != central.tobytes()), "seconds_of_all_parties": seconds}
    alone = np.zeros(int(is_test.sum()))
    for silo in np.unique(job).tolist():
        own, rows = data[f"silo{silo:02}"], job[is_test] == silo
        weights = descend(
            Network(width), np.zeros(width + 1), own.features, own.labels, epochs=rounds, rate=0.05, batch=64
        )
        alone[rows] = Network(width).log_loss(weights, features[is_test][rows], labels[is_test][rows])
    base = labels[train].mean()
    constant = -np.log(np.where(labels[is_test] > 0.5, base, 1 - base)).mean()
    cases["each silo alone"] = {"log_loss": float(alone.mean())}
    cases["always the mean"] = {"log_loss": float(constant)}
    return cases


def liars(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Log loss with liars in some groups, by how the groups are put together."""
    features, labels, _, job, is_test = movielens_likes.read(folder)
    train, network = ~is_test, Network(features.shape[1])
    silos = [f"silo{silo:02}" for silo in np.unique(job).tolist()]
    groups = deal(silos, 7, "benchmark")
    combined: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "mean": lambda means: means.mean(axis=0),
        "median": median,
        "trimmed": lambda means: trimmed_mean(means, 2),
    }
    cases = {}
    for count in (0, 1, 3):
        lying = {group[0] for group in groups[:count]}
        for name, combine in combined.items():
            weights = network.initial(0)
            for number in range(rounds):
                means = []
                for group in groups:
                    update, rows = np.zeros(network.size), 0
                    for silo in group:
                        mask = train & (job == int(silo[4:]))
                        after = descend(
                            network, weights, features[mask], labels[mask], epochs=1, rate=0.05, batch=64, seed=number
                        )
                        factor = -50.0 if silo in lying else 1.0
                        update, rows = update + factor * mask.sum() * (after - weights), rows + int(mask.sum())
                    means.append(update / rows)
                lengths = np.linalg.norm(means, axis=1, keepdims=True)
                weights = weights + combine(np.array(means) * np.minimum(1.0, 5.0 / np.maximum(lengths, 1e-12)))
            losses = network.log_loss(weights, features[is_test], labels[is_test])
            cases[f"{count} liars, {name}"] = {"log_loss": float(losses.mean())}
    return cases


def _gap(
    network: Network,
    weights: np.ndarray,
    central: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray,
) -> dict[str, float]:
    losses = [network.log_loss(each, features, labels) for each in (weights, central)]
    gap = interval(losses[0] - losses[1], clusters)
    figures = {"log_loss": losses[0].mean(), "log_loss_in_one_place": losses[1].mean()}
    return {name: float(value) for name, value in figures.items()} | {
        "gap": gap.mean,
        "gap_low": gap.low,
        "gap_high": gap.high,
    }


def _dense(table: Any) -> np.ndarray:
    return table.toarray() if sparse.issparse(table) else np.asarray(table)


def main() -> None:
    """Print one line a case, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="six silos, fewer items and rounds")
    quick = parser.parse_args().quick
    ratings_of, artists = data_set(movielens.DATA), data_set(hetrec.DATA)
    silos, rounds = (6, 3) if quick else (SILOS, 15)
    ordered = ("co_plays", "follows", "popularity", "walks")
    films, plays = movielens.read(ratings_of), hetrec.read(artists)[0]
    runs: list[tuple[str, Callable[[], Mapping[str, Mapping[str, float]]]]] = [
        (
            "exact, ",
            lambda: {"movielens-100k": exact(films, ordered, 150 if quick else 20, silos)},
        ),
        ("exact, ", lambda: {"hetrec": exact(plays, ordered[:1] + ordered[2:], 60 if quick else 10, silos)}),
        ("vectors, ", lambda: {"hetrec": vectors(plays, 3 if quick else 8, 4 if quick else 16, 1 if quick else 5)}),
        ("averages, ", lambda: averages(ratings_of, rounds)),
        ("groups, ", lambda: liars(ratings_of, rounds)),
    ]
    cases = []
    for prefix, measure in runs:
        for name, case in measure().items():
            label = f"{prefix}{name}"
            print(f"{label:28}" + "  ".join(f"{key} {value:.5g}" for key, value in case.items()), flush=True)
            cases += [
                {"case": label, "metric": metric, "value": value} | ({"goal": "== 0"} if metric == "differing" else {})
                for metric, value in case.items()
            ]
    print(json.dumps({"benchmark": "federated", "machine": MACHINE, "cases": judged(cases)}))


if __name__ == "__main__":
    main()
