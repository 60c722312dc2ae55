"""Measures what listeners hear again, and chooses the order of the answers: never one that lost to a simple one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.datasets import Interactions, TimeSplit
from training.evaluate import RankingMetrics, ranking_metrics
from training.evaluate.ranking import ndcg
from training.models.recommendation.own_listening import (
    QUESTIONS,
    ScoredQuery,
    learn_blend,
    listen,
    own_queries,
)
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from training.validation.evidence import MODEL_KEY, Evidence, combine
from transforms.pure.candidates.own import FORGOTTEN_DAYS, SCORES, SIMPLE, OwnListening, forgotten_favourites

BLEND = "blend"
NAMES = {
    BLEND: "all scores, weighted",
    "plays": "most played",
    "recent": "last played",
    "lately": "most played lately",
    "follows": "what follows the last plays",
    "hour": "at this time of day",
    "content": "described like the last plays",
}
"""Order → its name in reports."""
FEWEST_QUERIES = 10
"""Fewest moments of the validation and of the test with which anything is measured."""
SESSIONS = 150
"""Number of sessions of each listener that are measured in a period."""
RANDOM = "random"
"""Name of the baseline that orders the candidates at random."""
DEFAULT_ORDER = "plays"
"""Order of the answers where nothing could be measured."""


@dataclass(frozen=True)
class Forgotten:
    """How many forgotten favourites were heard again in the test.

    Attributes:
        favourites: number of forgotten favourites at the start of the test.
        favourites_heard: number of them that were played in the test.
        others: number of other tracks that had rested as long.
        others_heard: number of them that were played in the test.
    """

    favourites: int = 0
    favourites_heard: int = 0
    others: int = 0
    others_heard: int = 0

    def __add__(self, other: "Forgotten") -> "Forgotten":
        return Forgotten(
            self.favourites + other.favourites,
            self.favourites_heard + other.favourites_heard,
            self.others + other.others,
            self.others_heard + other.others_heard,
        )


@dataclass(frozen=True)
class Choice:
    """The order of the answers to one question, and what it follows from.

    Attributes:
        order: ``blend`` or a score.
        weights: score → weight in the blend.
        best: order that was best on validation; ``order`` is another one if that lost to a simple one on the test.
        metrics: order → metrics on the test; empty if nothing was measured.
        why_not: why nothing was measured; None if something was.
        moments: number of moments measured.
        days: number of different days (of a listener) on which they lie.
    """

    order: str = DEFAULT_ORDER
    weights: Mapping[str, float] = field(default_factory=dict)
    best: str | None = None
    metrics: Mapping[str, RankingMetrics] = field(default_factory=dict)
    why_not: str | None = None
    moments: int = 0
    days: int = 0


@dataclass(frozen=True)
class OwnEvaluation:
    """What was measured, and the orders of the answers that follow from it.

    Attributes:
        choices: question, of ``QUESTIONS`` → order of the answers.
        forgotten: forgotten favourites that were heard again.
        evidence: NDCG@10 at each moment of the test; None if nothing was measured.
    """

    choices: Mapping[str, Choice]
    forgotten: Forgotten = Forgotten()
    evidence: Evidence | None = None

    @classmethod
    def nothing(cls, why_not: str) -> "OwnEvaluation":
        """Returns the default orders, with the reason why nothing was measured."""
        return cls({question: Choice(why_not=why_not) for question in QUESTIONS})


def evaluate_own(
    interactions: Interactions,
    split: TimeSplit,
    content: Mapping[int, np.ndarray],
    users: Sequence[int],
    seed: int = 0,
) -> OwnEvaluation:
    """Learns on the validation period, and measures on the test once.

    Args:
        interactions: all plays.
        split: split of the plays by time.
        content: cutoff (of validation and of test) → (tracks, d) content vectors as of then.
        users: numbers of the listeners to measure.
        seed: seed of the samples of sessions.
    """
    rng = np.random.default_rng(seed)
    periods = ((split.validation, split.test), (split.test, split.end))
    queries: list[list[ScoredQuery]] = [[], []]
    forgotten = Forgotten()
    for user in users:
        for number, (start, end) in enumerate(periods):
            own = listen(interactions, user, start)
            if len(own.places):
                moments = own_queries(interactions, user, start, end, most=SESSIONS, rng=rng)
                queries[number] += [ScoredQuery.of(query, own, content[start]) for query in moments]
                if number:
                    forgotten += _forgotten(interactions, user, own, start, end)
    choices: dict[str, Choice] = {}
    parts = []
    for question in QUESTIONS:
        validation, test = ([item for item in part if item.query.question == question] for part in queries)
        if min(len(validation), len(test)) < FEWEST_QUERIES:
            choices[question] = Choice(why_not=_too_few(len(validation), len(test)))
        else:
            choices[question], evidence = _choose(interactions, validation, test)
            parts.append(evidence)
    return OwnEvaluation(choices, forgotten, combine(parts))


def _choose(
    interactions: Interactions, validation: Sequence[ScoredQuery], test: Sequence[ScoredQuery]
) -> tuple[Choice, Evidence]:
    """Chooses the order that is best on validation, unless it loses to a simple one on the test."""
    weights = learn_blend(validation)
    orders = (BLEND, *SCORES)
    on_validation = {order: _gains(validation, order, weights).mean() for order in orders}
    best = max(orders, key=lambda order: on_validation[order])
    gains = {order: _gains(test, order, weights) for order in orders}
    simple = max(SIMPLE, key=lambda order: gains[order].mean())
    order = simple if gains[simple].mean() > gains[best].mean() else best
    days = [f"{item.query.user} {item.query.moment // MICROSECONDS_A_DAY}" for item in test]
    evidence = Evidence.of(
        "ndcg_at_10",
        [f"{interactions.user_ids[item.query.user]} {item.query.moment} {item.query.question}" for item in test],
        {MODEL_KEY: gains[order], **{NAMES[name]: gains[name] for name in SIMPLE}, RANDOM: _random_gains(test)},
        higher_is_better=True,
        clusters=days,
    )
    return Choice(order, weights, best, _metrics(test, weights), None, len(test), len(set(days))), evidence


def _gains(queries: Sequence[ScoredQuery], order: str, weights: Mapping[str, float]) -> np.ndarray:
    return np.array([ndcg(item.ranked(order, weights)[:10], item.query.relevant) for item in queries])


def _random_gains(queries: Sequence[ScoredQuery], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([ndcg(rng.permutation(item.places)[:10], item.query.relevant) for item in queries])


def _metrics(queries: Sequence[ScoredQuery], weights: Mapping[str, float]) -> dict[str, RankingMetrics]:
    relevant = {number: item.query.relevant for number, item in enumerate(queries)}
    tracks = len(np.unique(np.concatenate([item.places for item in queries])))
    return {
        order: ranking_metrics(
            {number: item.ranked(order, weights)[:20] for number, item in enumerate(queries)}, relevant, tracks
        )
        for order in (BLEND, *SCORES)
    }


def _forgotten(interactions: Interactions, user: int, own: OwnListening, start: int, end: int) -> Forgotten:
    """Counts the forgotten favourites at the start of a period, and those that were played in it."""
    favourites = forgotten_favourites(own, start)
    rested = np.flatnonzero(own.last < start - FORGOTTEN_DAYS * MICROSECONDS_A_DAY)
    others = np.setdiff1d(rested, favourites)
    period = interactions.between(start, end)
    heard = np.isin(own.places, period.track[period.user == user])
    return Forgotten(len(favourites), int(heard[favourites].sum()), len(others), int(heard[others].sum()))


def _too_few(validation: int, test: int) -> str:
    return (
        f"something known was heard again at {test} such moments of the last fifth of the plays and at {validation} of "
        f"the fifth before; {FEWEST_QUERIES} are needed in each"
    )
