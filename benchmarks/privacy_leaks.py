"""What models give away about people: attacks on recommenders, rows and texts, with differential privacy and without.

*Simulated people*: 20,000 people of 24 tastes with up to 20 of 400 tracks each. Halves of them are learned from, 32
times; four of these worlds are attacked with and without each person: 80,000 decisions of each kind. The attacked sums
are those of popularity and of pairs of tracks, the weights of EASE (shadow models by changes of rank one), and
what private EASE publishes. Beside the rate of private EASE stands the largest that any attack on its sums can reach
(the test of two normal distributions that are √(2ρ) apart). *MovieLens 100k*: 943 people, their sums, EASE's
weights, item-kNN's answers; logistic regression and boosted trees that tell from films and people whether a rating is
4 or more. *SST-2*: sentences, sentiment. *Canaries*: 20 seeds, sound noise and a quarter of it, in one run by the flip
of coins, and in 40,000 runs. *Reconstruction*: ratings of people of MovieLens from two gradients of a federated factor
model, of one person and of sums. *Attributes*: gender, age and occupation from listeners' vectors.

Judged on: held out; seeds and people were not used before, settings of attacks were chosen on another seed of the
simulation (development). MovieLens and SST-2 are development data of the models themselves.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.privacy_leaks [--quick] [--only PART]
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import norm

from benchmarks.protocols import movielens
from benchmarks.quality_text import sst2
from benchmarks.surroundings import MACHINE, data_set, judged
from training.datasets.interactions import Interactions
from training.models.recommendation.ials import IALS
from training.private.differential import gaussian, noise, zcdp
from training.private.differential.ease import ItemRelease, PrivateEASE, solve
from training.private.leaks import canary, histories, lira, people_sums, private_ease, private_sums, quadratic
from training.private.leaks.attributes import infer
from training.private.leaks.halves import halves
from training.private.leaks.leak import Leak
from training.private.leaks.parallel_rows import ANGLE, from_sums
from training.private.leaks.reconstruction import Reconstruction, from_gradients
from training.private.leaks.shadows import attack_models, attack_sums, shadow_confidence
from training.private.leaks.simulated_people import simulate

Case = dict[str, Any]
SEED, DELTA, LIMIT = 101, 1e-6, 0.001
EPSILONS = (0.5, 1.0, 4.0, 10.0)
LENGTH = 20


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer people, worlds and seeds")
    parser.add_argument("--only", choices=sorted(PARTS), help="one part alone")
    options = parser.parse_args()
    for name in ("movielens-100k", "sst2"):
        data_set(name)
    started, cases = time.process_time(), list[Case]()
    for name, part in PARTS.items():
        if options.only in (None, name):
            for case in part(options.quick):
                cases.append(case)
                print(json.dumps(case), flush=True)
    seconds = round(time.process_time() - started, 1)
    result = {"benchmark": "privacy_leaks", "machine": MACHINE, "cpu_seconds": seconds, "cases": judged(cases)}
    print(json.dumps(result))


def case(name: str, metric: str, value: float | None, low: float | None = None, high: float | None = None) -> Case:
    """Create a case, with its 95 % interval if there is one; None where too few people allow no figure."""
    figures = {"value": value, "low": low, "high": high}
    return {"case": name, "metric": metric} | {
        key: round(float(figure), 5) for key, figure in figures.items() if figure is not None
    }


def of_leaks(name: str, leaks: list[Leak]) -> Iterator[Case]:
    """Turn the figures of attacks into cases."""
    for leak in leaks:
        yield case(f"{name}, {leak.attack} on {leak.part}", leak.measure, leak.value, leak.low, leak.high)


def simulated(quick: bool) -> Iterator[Case]:
    """Membership on simulated people, without and with differential privacy."""
    rng = np.random.default_rng(SEED)
    people, worlds = (4_000, 12) if quick else (20_000, 32)
    rows = simulate(people, 400, LENGTH, rng)
    is_in = halves(people, worlds, rng)
    name = f"{people:,} simulated people"
    for part, added in (("popularity", rows), ("pairs", people_sums.pairs(rows))):
        yield from of_leaks(name, attack_sums(f"sums of {part}", people_sums.scores(added, is_in), 4))
    scores = histories.ease_scores(rows, is_in, 200.0, lambda done, of, text: None)
    yield from of_leaks(name, attack_sums("weights of EASE", scores, 4))
    unit = private_ease.lengths(rows)
    for epsilon in EPSILONS:
        mechanism = PrivateEASE(epsilon, DELTA)
        releases = [mechanism.release(rows[np.flatnonzero(world)].astype(np.float64)) for world in is_in]
        figures = attack_sums(
            f"what private EASE publishes, ε = {epsilon:g}",
            quadratic.scores(np.array([private_ease.published(one, 400) for one in releases]), unit, is_in),
            4,
        )
        cases = list(of_leaks(name, figures))
        if epsilon <= 1:
            cases[0]["goal"] = "<= 0.002"
        yield from cases
        largest = norm.cdf(norm.ppf(LIMIT) + np.sqrt(2 * mechanism.rho))
        yield case(f"any attack on sums, ε = {epsilon:g}", figures[0].measure, largest)
        answers = np.array([own_answers(one, unit) for one in releases])
        yield from of_leaks(name, attack_models(f"weights of private EASE, ε = {epsilon:g}", answers, is_in)[:3])


def own_answers(release: ItemRelease, rows: sparse.csr_array) -> np.ndarray:
    """(people,) mean score of people's tracks from their others, by the weights that are solved from a release."""
    weights, _ = solve(release)
    known = sparse.csr_array(rows[:, release.catalogue])
    return lira.logit(np.asarray(known.multiply(known @ weights).sum(axis=1)).ravel())


def real(quick: bool) -> Iterator[Case]:
    """Membership of the people of MovieLens in recommenders."""
    plays = films()
    rows, rng = histories.histories(plays), np.random.default_rng(SEED)
    people, worlds = rows.shape[0], 12 if quick else 24
    name = f"MovieLens, {people} people"
    is_in = halves(people, worlds, rng)
    for part, added in (
        ("popularity", rows),
        ("pairs", people_sums.pairs(rows)),
        ("transitions", histories.bounded_steps(plays)),
    ):
        yield from of_leaks(name, attack_sums(f"sums of {part}", people_sums.scores(added, is_in), worlds))
    scores = histories.ease_scores(rows, is_in[: 12 if quick else 16], 200.0, lambda done, of, text: None)
    yield from of_leaks(name, attack_sums("weights of EASE", scores))
    confidence = np.array([histories.knn_confidence(rows, world) for world in is_in[:12]])
    yield from of_leaks(name, attack_models("answers of item-kNN", confidence, is_in[:12]))


def films() -> Interactions:
    """Read MovieLens 100k."""
    return movielens.read(data_set("movielens-100k"))


def rows_of_people(quick: bool) -> Iterator[Case]:
    """Membership of people in models of rows: whether a person rates a film 4 or more."""
    from training.estimators import learner

    folder = data_set("movielens-100k")
    ratings = np.loadtxt(folder / "u.data", np.int64)
    people = [line.split("|") for line in (folder / "u.user").read_text().splitlines()]
    described = np.array([(float(age), gender == "F") for _, age, gender, *_ in people])
    genres = [line.split("|") for line in (folder / "u.item").read_text("latin-1").splitlines()]
    of_film = np.array([[float(flag) for flag in line[5:]] for line in genres])
    person = ratings[:, 0] - 1
    inputs = np.column_stack([described[person], of_film[ratings[:, 1] - 1], ratings[:, 1]]).astype(np.float32)
    labels = (ratings[:, 2] >= 4).astype(np.float64)
    size = np.bincount(person)
    for name in ("linear", "lightgbm"):
        algorithm = learner(name)

        def fit(is_in: np.ndarray, algorithm: Any = algorithm) -> np.ndarray:
            known = is_in[person]
            answers = algorithm.fit(inputs[known], labels[known], "binary", {}).predict(inputs)
            return np.asarray(np.bincount(person, lira.logit(np.where(labels > 0, answers, 1 - answers))) / size)

        worlds = 10 if quick else 16
        confidence, is_in = shadow_confidence(len(size), worlds, fit, SEED, lambda done, of, text: None)
        yield from of_leaks(f"ratings of {len(size)} people", attack_models(f"chances of {name}", confidence, is_in))


def texts(quick: bool) -> Iterator[Case]:
    """Membership of sentences in the sentiment model."""
    from training.datasets.texts import owners, whole_texts
    from training.models.text.problem import chances
    from training.models.text.sentiment_model import fit_sentiment

    every = sst2(data_set("sst2") / "train.tsv")
    whole = np.array(whole_texts(owners(every.tokens[:20_000])))
    part = every.take(np.random.default_rng(SEED).permutation(whole)[: 600 if quick else 2_000])

    def fit(is_in: np.ndarray) -> np.ndarray:
        known = part.take(np.flatnonzero(is_in))
        model = fit_sentiment(list(known.tokens), known.labels)
        return lira.logit(chances(model, list(part.tokens), part.classes)[np.arange(len(part)), part.labels])

    confidence, is_in = shadow_confidence(len(part), 10 if quick else 12, fit, SEED, lambda done, of, text: None)
    yield from of_leaks(f"SST-2, {len(part):,} sentences", attack_models("chances", confidence, is_in, "text"))


def canaries(quick: bool) -> Iterator[Case]:
    """Lower bounds of ε, of sound noise and of a quarter of it."""
    length, seeds = 8, 4 if quick else 20
    sensitivity = (length * (length + 1) / 2) ** 0.5
    people = simulate(2_000, 600, length, np.random.default_rng(SEED))
    for epsilon in (1.0, 4.0):
        sigma = gaussian.sigma(epsilon, DELTA, sensitivity)
        for part, spread in (("sound noise", sigma), ("a quarter of the noise", sigma / 4)):

            def release(sums: np.ndarray, spread: float = spread) -> np.ndarray:
                return np.asarray(sums + noise.integers(sums.shape, spread))

            one, many = [], []
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                one.append(private_sums.canary_leak("", people, release, length, epsilon, DELTA, rng).value or 0.0)
                inside, outside = (
                    shift + noise.integers((20_000,), spread * sensitivity) for shift in (round(sensitivity**2), 0)
                )
                many.append(canary.epsilon_lower_bound(inside, outside, DELTA))
            for way, bounds in (("one run", one), ("40,000 runs", many)):
                name = f"lower bound of ε, stated {epsilon:g}, {part}, {way}, {seeds} seeds"
                yield from bound_cases(name, bounds, epsilon, is_sound=spread == sigma)
    yield from private_ease_canaries(seeds)


def private_ease_canaries(seeds: int) -> Iterator[Case]:
    """Lower bound of ε of private EASE from end to end: canaries among its people, judged by what it publishes."""
    rows = simulate(2_000, 400, LENGTH, np.random.default_rng(SEED))
    for epsilon in (1.0, 4.0):
        sound = PrivateEASE(epsilon, DELTA)
        broken = PrivateEASE(zcdp.epsilon(16 * sound.rho, DELTA), DELTA)  # a quarter of the noise
        for part, mechanism in (("as it is", sound), ("a quarter of the noise", broken)):
            bounds = [
                private_ease.canary_bound(mechanism, rows, np.random.default_rng(seed), epsilon)
                for seed in range(seeds)
            ]
            name = f"lower bound of ε of private EASE, stated {epsilon:g}, {part}, one run, {seeds} seeds"
            yield from bound_cases(name, bounds, epsilon, is_sound=mechanism is sound)


def bound_cases(name: str, bounds: list[float], epsilon: float, *, is_sound: bool) -> Iterator[Case]:
    """Turn lower bounds over seeds into cases: none above the stated ε if the noise is sound, else all."""
    yield case(name, "largest", max(bounds)) | ({"goal": f"<= {epsilon:g}"} if is_sound else {})
    yield case(name, "smallest", min(bounds))
    if not is_sound:
        yield case(name, "share of the seeds that convict it", np.mean(np.array(bounds) > epsilon)) | {"goal": ">= 1"}


def reconstruction(quick: bool) -> Iterator[Case]:
    """Ratings of MovieLens from two gradients of sums of people, by models of 32 factors."""
    plays = np.loadtxt(data_set("movielens-100k") / "u.data", np.int64)
    ratings = np.zeros((plays[:, 0].max(), plays[:, 1].max()))
    ratings[plays[:, 0] - 1, plays[:, 1] - 1] = plays[:, 2]
    rng = np.random.default_rng(SEED)
    items, rate = rng.normal(0, 0.1, (ratings.shape[1], 32)), 0.001
    for count, regularization, bits in SUMS:
        known, together = [], []
        for _ in range(3 if quick else max(40 // count, 3)):
            people = rng.permutation(len(ratings))[:count]
            first, second = uploads(ratings[people], items, rate, regularization, rng)
            if bits:
                first, second = (np.rint(one * 2**bits) / 2**bits for one in (first, second))
            settings = {"rate": rate, "regularization": regularization}
            if count == 1:
                results = [from_gradients(first, second, items, items, **settings)]
            else:
                results = from_sums(first, second, items, items, **settings, angle=1e-6 if bits else ANGLE)
            for person in people:
                shares = [shares_known(one, ratings[person]) for one in results] or [(0.0, 0.0)]
                known.append(max(share for share, _ in shares))
                together.append(max(share for _, share in shares))
        name = f"gradients of {count} " + ("person" if count == 1 else "people, summed") + f", λ = {regularization:g}"
        name += f", rounded to {bits} bits" if bits else ""
        goal = {"goal": ">= 0.95"} if count == 1 else {"goal": "<= 0.05"} if count >= 60 else {}
        yield case(name, "share of a person's ratings that are known", np.mean(known)) | goal
        yield case(name, "share of a person's films that are told to be one person's", np.mean(together))


SUMS = (
    *((1, 0.0, 0), (1, 0.01, 0), (1, 0.0, 16), (2, 0.0, 0), (3, 0.0, 0), (3, 0.01, 0), (3, 0.0, 16)),
    *((5, 0.0, 0), (5, 0.01, 0), (20, 0.0, 0), (60, 0.0, 0), (200, 0.0, 0)),
)
"""People of a sum, λ, and bits after the point that gradients are rounded to; 0 for none."""


def uploads(
    ratings: np.ndarray, items: np.ndarray, rate: float, regularization: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over people of two consecutive gradients of the items' vectors."""
    sums = np.zeros((2, *items.shape))
    for row in ratings:
        rated, person = row > 0, rng.normal(0, 0.1, items.shape[1])
        for total in sums:
            errors = row[rated] - items[rated] @ person
            total[rated] += 2 * regularization * items[rated] - 2 * np.outer(errors, person)
            person = person + 2 * rate * (errors @ items[rated] - regularization * person)
    return sums[0], sums[1]


def shares_known(result: Reconstruction, ratings: np.ndarray) -> tuple[float, float]:
    """Share of a person's ratings that are right, and of their films, where only theirs are claimed."""
    own = ratings[result.items] > 0
    right = own & (np.abs(np.nan_to_num(result.ratings, nan=-9.0) - ratings[result.items]) < 0.5)
    total = max(int((ratings > 0).sum()), 1)
    return float(right.sum() / total), float(own.sum() / total) if own.all() else 0.0


def attributes(quick: bool) -> Iterator[Case]:
    """Gender, age and occupation from vectors of MovieLens's people."""
    plays, folder = films(), data_set("movielens-100k")
    lines = [line.split("|") for line in (folder / "u.user").read_text().splitlines()]
    described = {number: (gender, f"{int(age) // 15 * 15}", job) for number, age, gender, job, _ in lines}
    values = np.array([described[user] for user in plays.user_ids], object)
    vectors = IALS(seed=SEED).fit(plays, int(plays.time.max()) + 1).user
    release = PrivateEASE(1.0, DELTA).release(histories.histories(plays).astype(np.float64))
    directions = np.linalg.eigh(release.gram.astype(np.float64))[1][:, -32:]
    unit = private_ease.lengths(sparse.csr_array(histories.histories(plays)[:, release.catalogue]))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    noised = vectors / np.maximum(lengths, 1e-9)
    noised = noised + np.random.default_rng(SEED).normal(0, gaussian.sigma(4.0, DELTA, 2.0), noised.shape)
    for name, table in (
        ("vectors of iALS", vectors),
        ("own history by a private model, ε = 1", np.asarray(unit @ directions)),
        ("vectors of iALS with noise at the listener, ε = 4", noised),
    ):
        for column, attribute in enumerate(("gender", "age group", "occupation")):
            result = infer(table, values[:, column], seed=SEED)
            if result is None:
                continue
            gain = result.gain
            yield case(f"{attribute} from {name}", "gain on the majority", gain.mean, gain.low, gain.high)
            yield case(f"{attribute} from {name}", "accuracy, each value counted alike", result.balanced)


PARTS: dict[str, Callable[[bool], Iterator[Case]]] = {
    "simulated": simulated,
    "real": real,
    "rows": rows_of_people,
    "texts": texts,
    "canaries": canaries,
    "reconstruction": reconstruction,
    "attributes": attributes,
}
"""Name → part of the program."""

if __name__ == "__main__":
    main()
