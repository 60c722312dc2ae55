"""How good the family is on test: at the cutoff, within sessions, and where nothing is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.datasets.interactions import Interactions
from training.evaluate import Catalogue, RankingMetrics, by_segment, rank_all, ranking_metrics
from training.evaluate.ranking import ndcg
from training.models.recommendation.candidates import Query, best
from training.models.recommendation.knowledge import Knowledge
from training.models.recommendation.popularity import Popularity
from training.validation.evidence import OURS, Evidence
from transforms.pure.candidates.blend import blended
from transforms.pure.candidates.cold import SegmentPopularity, evidence, profile_of
from transforms.pure.candidates.neighbours import HISTORY_FADES, fading
from transforms.pure.candidates.pool import SOURCES, Pool, pool

DEPTH = 20
PICKS = 3
"""Tracks that a new listener picks."""
Lists = dict[str, dict[int, np.ndarray]]
"""Model → query → tracks, best first."""


@dataclass(frozen=True)
class Measured:
    """Metrics by question, model and segment.

    Attributes:
        by_question: question → model → metrics.
        segments: segment → metrics, of the hybrid at the cutoff.
        evidence: NDCG@10 at the cutoff, listener by listener.
    """

    by_question: dict[str, dict[str, RankingMetrics]]
    segments: dict[str, RankingMetrics] = field(default_factory=dict)
    evidence: Evidence | None = None


def collaborative(known: Knowledge, query: Query, weights: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Places and scores of ``CollaborativeFilteringModel``: candidates by taste and by what is played with it."""
    mine = collaborative_pool(query)
    return mine.places, blended(collaborative_scores(known, query.user, mine), weights)


def collaborative_pool(query: Query) -> Pool:
    """The candidates that collaborative filtering found."""
    return query.pool.keep(np.isin(query.pool.source, [SOURCES.index("taste"), SOURCES.index("similar")]))


def collaborative_scores(known: Knowledge, user: int, mine: Pool) -> dict[str, np.ndarray]:
    """What collaborative filtering says of candidates, by kind."""
    return {"taste": known.taste.track[mine.places] @ known.taste.user[user], "similar": np.log1p(mine.similar)}


def at_cutoff(
    interactions: Interactions,
    known: Knowledge,
    asked: Sequence[Query],
    hybrid: Sequence[np.ndarray],
    weights: Mapping[str, float],
) -> tuple[dict[str, RankingMetrics], dict[str, RankingMetrics], Evidence]:
    """Full lists over all tracks, heard ones left out: every model, the hybrid by segment, and its evidence.

    Args:
        interactions: all plays.
        known: at the cutoff.
        asked: queries at the cutoff.
        hybrid: the ranker's scores of each one's candidates; tracks that are none rank after them, by taste.
        weights: of the collaborative model.
    """
    always = Popularity().fit(interactions, known.cutoff).track
    lists: Lists = {name: {} for name in ("hybrid", "collaborative", "ials", "content", "popularity_28d", "popularity")}
    for number, (query, scores) in enumerate(zip(asked, hybrid, strict=True)):
        taste = known.taste.track @ known.taste.user[query.user]
        lists["hybrid"][number] = _filled(query.pool.places, scores, taste, query.seen)
        lists["collaborative"][number] = _filled(*collaborative(known, query, weights), taste, query.seen)
        lists["ials"][number] = rank_all(taste, query.seen, DEPTH)
        content = known.content[1] @ known.content[0][query.user]
        lists["content"][number] = rank_all(content, query.seen, DEPTH)
        lists["popularity_28d"][number] = rank_all(known.popular, query.seen, DEPTH)
        lists["popularity"][number] = rank_all(always, query.seen, DEPTH)
    relevant, catalogue = _relevant(asked), _catalogue(interactions, known, asked)
    metrics = {name: ranking_metrics(ranked, relevant, catalogue) for name, ranked in lists.items()}
    told = _evidence(interactions, asked, lists, relevant)
    return metrics, by_segment(lists["hybrid"], relevant, catalogue.history, catalogue.listeners), told


def _evidence(
    interactions: Interactions, asked: Sequence[Query], lists: Lists, relevant: Mapping[int, np.ndarray]
) -> Evidence:
    """Of listeners who played something new, beside popularity and the vectors alone; by how much they had heard."""
    some = [number for number, tracks in relevant.items() if len(tracks)]
    gains = {
        who: np.array([ndcg(lists[name][number], relevant[number]) for number in some])
        for who, name in ((OURS, "hybrid"), ("popularity_28d", "popularity_28d"), ("ials", "ials"))
    }
    heard = [len(asked[number].seen) for number in some]
    size = ["light" if count < 20 else "medium" if count < 100 else "heavy" for count in heard]
    users = [interactions.user_ids[asked[number].user] for number in some]
    return Evidence.of("ndcg_at_10", users, gains, higher_is_better=True, segments={"listening": size})


def in_session(
    interactions: Interactions, known: Knowledge, asked: Sequence[Query], scores: Mapping[str, Sequence[np.ndarray]]
) -> dict[str, RankingMetrics]:
    """What is played next within a session.

    Args:
        interactions: all plays.
        known: at the cutoff, which is hours or days before.
        asked: queries within sessions.
        scores: model → scores of each one's candidates; beside them are measured what follows the last plays, and
            the vectors of the cutoff.
    """
    lists: Lists = {name: {} for name in (*scores, "follows", "ials", "popularity_28d")}
    for number, query in enumerate(asked):
        taste = known.taste.track @ known.taste.user[query.user]
        for name, mine in scores.items():
            lists[name][number] = _filled(query.pool.places, mine[number], taste, query.seen)
        lists["follows"][number] = _filled(query.pool.places, query.pool.follows, known.popular, query.seen)
        lists["ials"][number] = rank_all(taste, query.seen, DEPTH)
        lists["popularity_28d"][number] = rank_all(known.popular, query.seen, DEPTH)
    relevant, catalogue = _relevant(asked), _catalogue(interactions, known, asked)
    return {name: ranking_metrics(ranked, relevant, catalogue) for name, ranked in lists.items()}


def cold_pool(known: Knowledge, shares: np.ndarray, picks: np.ndarray) -> tuple[Pool, dict[str, np.ndarray]]:
    """Candidates for somebody new, and what speaks for each.

    Args:
        known: at the moment.
        shares: (tracks,) of plays among those like them.
        picks: tracks that they like, the strongest first; may be none.
    """
    amounts = fading(len(picks), HISTORY_FADES)
    profile = profile_of(known.content[1][picks], amounts) if len(picks) else None
    content = np.full(len(shares), np.nan) if profile is None else known.content[1] @ profile
    found = {"popular": best(shares, shares > 0, 300)}
    if profile is not None:
        found["content"] = best(content, known.known & (content != 0), 200)
    mine = pool(found, picks, similar=known.similar.ask(picks, amounts))
    return mine, dict(evidence(mine.similar, content[mine.places], shares[mine.places]))


def new_listeners(
    interactions: Interactions,
    known: Knowledge,
    popularity: SegmentPopularity,
    told: Mapping[int, tuple[str, ...]],
    end: int,
    weights: Mapping[str, float],
) -> dict[str, dict[str, RankingMetrics]]:
    """Listeners whose first play came after the cutoff: with nothing but what they told, and with their first picks.

    Args:
        interactions: all plays.
        known: at the cutoff.
        popularity: by segment, of the weeks before the cutoff.
        told: user → segments.
        end: plays from there on are not looked at.
        weights: of what speaks for a candidate.
    """
    past = interactions.before(known.cutoff).tracks_by_user()
    later = interactions.between(known.cutoff, end)
    nothing: Lists = {"cold_start": {}, "popularity_28d": {}}
    picked: Lists = {"cold_start": {}, "segment popularity": {}, "popularity_28d": {}}
    relevant: tuple[dict[int, np.ndarray], dict[int, np.ndarray]] = ({}, {})
    for user in np.setdiff1d(np.unique(later.user), np.fromiter(past, np.int64, len(past))).tolist():
        first = later.newest_first(user)[::-1]
        shares = popularity.shares(told.get(user, ()))
        none = np.empty(0, np.int64)
        nothing["cold_start"][user] = rank_all(shares, none, DEPTH)
        nothing["popularity_28d"][user] = rank_all(known.popular, none, DEPTH)
        relevant[0][user] = np.unique(first)
        if len(first) > PICKS:
            picks = first[:PICKS]
            mine, speaks = cold_pool(known, shares, picks)
            picked["cold_start"][user] = _filled(mine.places, blended(speaks, weights), shares, picks)
            picked["segment popularity"][user] = rank_all(shares, picks, DEPTH)
            picked["popularity_28d"][user] = rank_all(known.popular, picks, DEPTH)
            relevant[1][user] = np.unique(first[PICKS:])
    catalogue = Catalogue(interactions.shape[1])
    return {
        name: {model: ranking_metrics(ranked, wanted, catalogue) for model, ranked in lists.items()}
        for name, lists, wanted in (
            ("new listeners", nothing, relevant[0]),
            ("new listeners, three picks", picked, relevant[1]),
        )
        if wanted
    }


def new_tracks(interactions: Interactions, known: Knowledge, end: int) -> dict[str, RankingMetrics]:
    """Tracks that nobody had played before the cutoff, ranked among themselves for whoever went on to play one."""
    played = np.bincount(interactions.before(known.cutoff).track, minlength=interactions.shape[1]) > 0
    cold = np.flatnonzero(~played & known.known)
    later = interactions.between(known.cutoff, end)
    wanted = later.only(np.isin(later.track, cold)).tracks_by_user()
    place = np.full(interactions.shape[1], -1)
    place[cold] = np.arange(len(cold))
    relevant = {
        user: place[tracks] for user, tracks in wanted.items() if known.taste.user[user].any() and len(cold) > DEPTH
    }
    lists: Lists = {"cold_start": {}, "content": {}, "newest first": {}}
    newest = np.zeros(interactions.shape[1])
    newest[known.fresh] = np.arange(len(known.fresh), 0, -1)
    none = np.empty(0, np.int64)
    for user in relevant:
        lists["cold_start"][user] = rank_all(known.taste.track[cold] @ known.taste.user[user], none, DEPTH)
        lists["content"][user] = rank_all(known.content[1][cold] @ known.content[0][user], none, DEPTH)
        lists["newest first"][user] = rank_all(newest[cold], none, DEPTH)
    return {name: ranking_metrics(ranked, relevant, len(cold)) for name, ranked in lists.items()} if relevant else {}


def _filled(places: np.ndarray, scores: np.ndarray, rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Candidates by their score, then other tracks by ``rest``, none of them seen."""
    first = places[np.argsort(-scores, kind="stable")][:DEPTH]
    if len(first) == DEPTH:
        return np.asarray(first)
    return np.concatenate([first, rank_all(rest, np.union1d(seen, first).astype(np.int64), DEPTH - len(first))])


def _relevant(asked: Sequence[Query]) -> dict[int, np.ndarray]:
    return {number: query.relevant for number, query in enumerate(asked)}


def _catalogue(interactions: Interactions, known: Knowledge, asked: Sequence[Query]) -> Catalogue:
    seen = interactions.before(known.cutoff)
    pairs = np.unique(seen.user * interactions.shape[1] + seen.track)
    return Catalogue(
        tracks=int(known.known.sum()),
        listeners=np.bincount(pairs % interactions.shape[1], minlength=interactions.shape[1]).astype(float),
        past_users=len(np.unique(seen.user)),
        vectors=known.content[1] if known.content[1].any() else known.taste.track,
        history={number: query.seen for number, query in enumerate(asked)},
    )
