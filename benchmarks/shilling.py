"""Fake accounts against the recommender: what they move, with and without the filter, and what the filter costs.

The model is EASE as the recommendation family fits it (λ = 200, every pair counts once), of MovieLens 100k and Last.fm
HetRec; fakes are 0.3, 1 and 3 % of the listeners. Exposure is the number of real listeners in whose first ten unheard
tracks the target is; growth is after / max(before, floor), with the floor of ``training.shilling.exposure``: the median
exposure of the target's popularity band, at least the fair share of a list drawn by lot. Targets have 3 to 5 listeners
(tail) or 21 to 40 (middle). What follows what and what is popular are flooded by bots on MovieLens, which has times.
The cost is the difference of NDCG@10 on clean data, filter less no filter, in per cent, paired over listeners, with
95 % intervals by bootstrap: one in ten pairs of each listener at random is relevant, and on MovieLens also what comes
after the split by time, of which there are too few listeners to decide.

Judged on: held out targets and seeds. Limits of the filter were set on the clean profiles of both data sets and on
MovieLens attacks of other targets; the attack that knows the filter (``adaptive``) is reported whatever it reaches.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.shilling [--quick]
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from benchmarks.protocols import hetrec, movielens
from benchmarks.surroundings import MACHINE, data_set, judged
from training.datasets.interactions import Interactions
from training.datasets.splits import TimeSplit
from training.evaluate import rank_all
from training.evaluate.ranking import ndcg
from training.models.recommendation.contract import Fitted
from training.models.recommendation.ease import EASE
from training.models.recommendation.knowledge import FOLLOWS, MOST_PLAYS, POPULAR_DAYS
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.transitions import Transitions
from training.shilling.attacks.contract import find
from training.shilling.detection import Detection, matrix
from training.shilling.exposure import exposures, floors
from training.shilling.known import Known
from training.shilling.profiles import add_fakes
from training.shilling.signals.spectral import spectral
from training.validation.bootstrap import interval

BANDS = {"tail": (3, 5), "middle": (21, 40)}
SEEDS = {"movielens": 11, "hetrec": 12}
TARGETS = {"movielens": 2, "hetrec": 1}
"""Targets of each band, at 1 % of fakes."""
SHARES = (0.003, 0.01, 0.03)
SPLITS = (0, 1, 2)
FALSE_POSITIVES = 0.01
FLOODED: dict[str, tuple[Any, Any]] = {
    "follows": (Transitions(), FOLLOWS),
    "popular": (Popularity(days=POPULAR_DAYS), Popularity(days=POPULAR_DAYS, most_plays=MOST_PLAYS)),
}


@dataclass(frozen=True)
class OnHistories:
    """EASE's weights, asked about the histories of all real listeners, whether they were learned from or not."""

    fit: Any
    history: sparse.csr_array

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Score all tracks for listeners."""
        return np.asarray(self.fit.score_histories(self.history[users]))


class World:
    """A data set, and the model that is attacked."""

    def __init__(self, name: str, plays: Interactions, seed: int) -> None:
        self.name, self.plays, self.seed = name, plays, seed
        self.end = int(plays.time.max()) + 1
        self.fakes: dict[tuple[str, int, int], list[np.ndarray]] = {}
        self.known = Known.of(plays)
        self.before = exposures(self.ease(plays), self.known.played)
        self.floor = floors(self.before, self.known.listeners, plays.shape[0])

    def ease(self, plays: Interactions) -> Fitted:
        """Fit EASE to some plays, for all real listeners."""
        return OnHistories(EASE().fit(plays, self.end), self.known.played)

    def targets(self, band: str, count: int) -> list[int]:
        """Draw targets of a popularity band."""
        low, high = BANDS[band]
        tracks = np.flatnonzero((self.known.listeners >= low) & (self.known.listeners <= high))
        return np.random.default_rng([self.seed, low]).choice(tracks, count, replace=False).tolist()

    def attacked(self, attack: str, target: int, share: float, burst_days: float | None = None) -> Interactions:
        """Add the fakes of an attack, which are made once."""
        plan = attack, target, max(round(share * self.plays.shape[0]), 1)
        if plan not in self.fakes:
            rng = np.random.default_rng([self.seed, target])
            self.fakes[plan] = find()[attack].make(self.known, target, plan[2], rng)
        rng = np.random.default_rng([self.seed, target, 1])
        return add_fakes(self.plays, self.fakes[plan], rng, burst_days=burst_days)


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="MovieLens alone, one target of each band")
    quick = parser.parse_args().quick
    cases: list[dict[str, Any]] = []
    for name in ("movielens",) if quick else ("movielens", "hetrec"):
        protocol = movielens if name == "movielens" else hetrec
        plays = protocol.read(data_set(protocol.DATA))
        world = World(name, plays[0] if isinstance(plays, tuple) else plays, SEEDS[name])
        parts = cost(world), growth(world, 1 if quick else TARGETS[name]), flooded(world), seen(world), releases(world)
        for case in chain.from_iterable(parts):
            cases.append(case)
            print(json.dumps(case), flush=True)
    print(json.dumps({"benchmark": "shilling", "machine": MACHINE, "cases": judged(cases)}))


def growth(world: World, count: int) -> Iterator[dict[str, Any]]:
    """Growth of the exposure under EASE: the largest over the targets of both bands."""
    for attack, shares in (("optimised", SHARES), ("adaptive", (0.01,))):
        for share in shares:
            each = count if share == 0.01 else 1
            targets = [target for band in BANDS for target in world.targets(band, count)[:each]]
            shown = {"before": world.before[targets]}
            for target in targets:
                plays = world.attacked(attack, target, share)
                learned = Detection().assess(plays).learned_from(plays)
                for name, rows in (("attacked", plays), ("with the filter", learned)):
                    after = exposures(world.ease(rows), world.known.played)[target]
                    shown[name] = np.append(shown.get(name, np.empty(0)), after)
            case = {"case": f"{world.name}, {attack}, {share:.1%} fakes, {len(targets)} targets"}
            unit = np.maximum(shown["before"], world.floor[targets])
            listeners = {name: values.astype(int).tolist() for name, values in shown.items()}
            goal = {"goal": "<= 2"} if attack == "optimised" and share == 0.01 else {}
            free, filtered = (_round((shown[name] / unit).max()) for name in ("attacked", "with the filter"))
            yield {**case, "metric": "growth without the filter", "value": free, "listeners": listeners}
            yield {**case, "metric": "growth with the filter", "value": filtered, **goal}


def flooded(world: World) -> Iterator[dict[str, Any]]:
    """Exposure of a tail target among what follows and what is popular, flooded by 1 % bots."""
    if world.plays.time.min() == world.plays.time.max():
        return
    target = world.targets("tail", 1)[0]
    plays = world.attacked("flood", target, 0.01)
    learned = Detection().assess(plays).learned_from(plays)
    for name, (free, bounded) in FLOODED.items():
        parts = {
            "before": (free, world.plays),
            "flooded": (free, plays),
            "flooded, plays bounded": (bounded, plays),
            "flooded, filter and bound": (bounded, learned),
        }
        for metric, (model, rows) in parts.items():
            fit = model.fit(rows, world.end)
            if name == "follows":  # the histories of everybody, by the weights of who is learned from
                fit = OnHistories(fit, model.fit(plays, world.end).history)
            value = int(exposures(fit, world.known.played)[target])
            yield {"case": f"{world.name}, {name}, 1 % bots", "metric": f"listeners shown, {metric}", "value": value}


def seen(world: World) -> Iterator[dict[str, Any]]:
    """Which fakes of each attack are seen, at 1 % of a tail target; and by principal components alone."""
    target = world.targets("tail", 1)[0]
    people = world.plays.shape[0]
    has_times = bool(world.plays.time.min() < world.plays.time.max())
    for attack, days in (*((name, None) for name in find()), *[("adaptive", 1.0)] * has_times):
        plays = world.attacked(attack, target, 0.01, days)
        assessment = Detection().assess(plays)
        fake = np.arange(plays.shape[0]) >= people
        case = {"case": f"{world.name}, detection of {attack}, 1 % fakes{' that begin in one day' * bool(days)}"}
        yield {**case, "metric": "recall", "value": _round(assessment.left_out[fake].mean())}
        yield {**case, "metric": "false positives", "value": _round(assessment.left_out[~fake].mean(), 4)}
        for name, score in (("filter", assessment.score), ("principal components", spectral(matrix(plays)))):
            limit = np.quantile(score[~fake], 1 - FALSE_POSITIVES)
            hits, alarms = (score[fake] > limit).sum(), (score > limit).sum()
            precision = _round(hits / max(alarms, 1))
            yield {**case, "metric": f"AUC, {name}", "value": _round(area(score, fake), 3)}
            yield {**case, "metric": f"precision at 1 % false positives, {name}", "value": precision}


def releases(world: World) -> Iterator[dict[str, Any]]:
    """False positives among real fans of a release that is hot for two days: old listeners, and fans who join for it.

    One in twenty listeners plays a track of the middle band within two days. Those who join are real listeners whose
    first play is moved to these days, with all they play.
    """
    if world.plays.time.min() == world.plays.time.max():
        return
    rng = np.random.default_rng(world.seed)
    people, day = world.plays.shape[0], 86_400_000_000
    fans = rng.choice(people, people // 20, replace=False)
    target = world.targets("middle", 1)[0]
    release = int(np.quantile(world.plays.time, 0.6))
    times = release + rng.integers(2 * day, size=len(fans))
    clean = Detection().assess(world.plays).left_out[fans]
    for who in ("listeners who were there", "listeners who join for it"):
        plays = world.plays
        moved = plays.time.copy()
        if who.endswith("for it"):
            for fan, begin in zip(fans.tolist(), times.tolist(), strict=True):
                own = plays.user == fan
                moved[own] += begin - moved[own].min()
        user, track = np.append(plays.user, fans), np.append(plays.track, np.full(len(fans), target))
        time = np.append(moved, times + day // 2)
        order = np.argsort(time, kind="stable")
        hot = Interactions(plays.user_ids, plays.track_ids, plays.artist_ids, user[order], track[order], time[order])
        assessment = Detection().assess(hot)
        case = f"{world.name}, a hot release, {len(fans)} {who}"
        yield {"case": case, "metric": "left out", "value": _round(assessment.left_out[fans].mean(), 3)}
        yield {"case": case, "metric": "of them left out without the release", "value": _round(clean.mean(), 3)}
        yield {
            "case": case,
            "metric": "with evidence of a burst",
            "value": _round((assessment.burst[fans] > 3).mean(), 3),
        }


def cost(world: World) -> Iterator[dict[str, Any]]:
    """Cost of the filter on clean data, in per cent of NDCG@10."""
    splits = [(f"one in ten at random, {len(SPLITS)} seeds", [_at_random(world.plays, seed) for seed in SPLITS])]
    if world.plays.time.min() < world.plays.time.max():
        splits.append(("by time", [_by_time(world.plays)]))
    for name, parts in splits:
        figures, people, left_out = [], [], []
        for train, heard, relevant in parts:
            assessment, history = Detection().assess(train), matrix(train)
            fits = [EASE().fit(plays, world.end) for plays in (train, assessment.learned_from(train))]
            figures.append(np.stack([_ndcg(OnHistories(fit, history), heard, relevant) for fit in fits]))
            people.append(np.array(sorted(user for user, tracks in relevant.items() if len(tracks))))
            left_out.append(assessment.left_out.mean())
        free, filtered = np.concatenate(figures, axis=1)
        change = interval((filtered - free) / free.mean() * 100, np.concatenate(people))
        case = {"case": f"{world.name}, clean, {name}, {len(np.unique(np.concatenate(people)))} listeners"}
        yield {**case, "metric": "NDCG@10 without the filter", "value": _round(free.mean(), 4)}
        yield {**case, "metric": "left out", "value": _round(np.mean(left_out), 4)}
        goal = {"goal": ">= -0.5"} if len(parts) > 1 else {}
        band = {"interval": [_round(change.low, 3), _round(change.high, 3)]}
        yield {**case, "metric": "change of NDCG@10 in %", "value": _round(change.mean, 3), **band, **goal}


Split = tuple[Interactions, Mapping[int, np.ndarray], Mapping[int, np.ndarray]]


def _at_random(plays: Interactions, seed: int) -> Split:
    part = hetrec.parts(plays.user, seed)
    return plays.only(part < 2), hetrec.by_user(plays, part < 2), hetrec.by_user(plays, part == 2)


def _by_time(plays: Interactions) -> Split:
    split = TimeSplit.by_share(plays.time)
    return plays.before(split.test), *plays.heard_and_new(split.test, split.end)


def _ndcg(fit: Fitted, heard: Mapping[int, np.ndarray], relevant: Mapping[int, np.ndarray]) -> np.ndarray:
    users = np.array(sorted(user for user, tracks in relevant.items() if len(tracks)), np.int64)
    values = []
    for first in range(0, len(users), 200):
        block = users[first : first + 200]
        for user, scores in zip(block.tolist(), fit.scores(block), strict=True):
            values.append(ndcg(rank_all(scores, heard.get(user, np.empty(0, np.int64)), 10), relevant[user], 10))
    return np.array(values)


def area(score: np.ndarray, fake: np.ndarray) -> float:
    """Area under the ROC curve."""
    count = int(fake.sum())
    ranks = rankdata(score)[fake].sum()
    return float((ranks - count * (count + 1) / 2) / (count * (len(score) - count)))


def _round(value: float, digits: int = 2) -> float:
    return round(float(value), digits)


if __name__ == "__main__":
    main()
