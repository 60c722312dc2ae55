"""Evaluates the family on test: at the cutoff, within sessions, for new listeners and for new tracks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.datasets.interactions import Interactions
from training.evaluate import Catalogue, RankingMetrics, by_segment, rank_all, ranking_metrics
from training.evaluate.ranking import ndcg
from training.fairness.lists import Lists as ShownLists
from training.models.recommendation.candidates import Query, top_tracks
from training.models.recommendation.hybrid_order import BY_POPULARITY, DECLARED
from training.models.recommendation.knowledge import Knowledge
from training.models.recommendation.popularity import Popularity
from training.validation.evidence import MODEL_KEY, Evidence
from transforms.pure.candidates.blend import blended
from transforms.pure.candidates.cold import SegmentPopularity, evidence, profile_of
from transforms.pure.candidates.neighbours import HISTORY_FADES, fading
from transforms.pure.candidates.pool import SOURCES, Pool, pool

DEPTH = 20
RANDOM = "random"
"""Name of the baseline that lists unheard tracks at random."""
PICKS = 3
"""Number of tracks that a new listener picks."""
Lists = dict[str, dict[int, np.ndarray]]
"""Model → query → tracks, best first."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics by test question, model and segment.

    Attributes:
        by_question: test question → model → metrics.
        segments: segment of listeners → metrics of the hybrid at the cutoff.
        evidence: NDCG@10 of each listener at the cutoff.
        order: what orders the candidates of the hybrid, one of ``hybrid_order.ORDERS``.
        shown: lists of the hybrid at the cutoff, for the figures of fairness; None if there are none.
    """

    by_question: dict[str, dict[str, RankingMetrics]]
    segments: dict[str, RankingMetrics] = field(default_factory=dict)
    evidence: Evidence | None = None
    order: str = DECLARED
    shown: ShownLists | None = None

    @property
    def lost_to_popularity(self) -> bool:
        """Whether the hybrid orders by popularity, as it was surely better on validation."""
        return self.order == BY_POPULARITY


def rank_collaborative(
    knowledge: Knowledge, query: Query, weights: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns tracks and scores of ``CollaborativeFilteringModel``: candidates by taste and by co-played tracks."""
    candidates = collaborative_pool(query)
    return candidates.places, blended(collaborative_scores(knowledge, query.user, candidates), weights)


def collaborative_pool(query: Query) -> Pool:
    """Keeps the candidates whose source is collaborative filtering."""
    return query.pool.keep(np.isin(query.pool.source, [SOURCES.index("taste"), SOURCES.index("similar")]))


def collaborative_scores(knowledge: Knowledge, user: int, candidates: Pool) -> dict[str, np.ndarray]:
    """Scores candidates by collaborative filtering: score name → one score for each candidate."""
    return {
        "taste": knowledge.taste.track[candidates.places] @ knowledge.taste.user[user],
        "similar": np.log1p(candidates.similar),
    }


def evaluate_at_cutoff(
    interactions: Interactions,
    knowledge: Knowledge,
    queries: Sequence[Query],
    hybrid: Sequence[np.ndarray],
    ranker: Sequence[np.ndarray],
    weights: Mapping[str, float],
    groups: Mapping[str, np.ndarray] | None = None,
    providers: Mapping[str, np.ndarray] | None = None,
) -> tuple[dict[str, RankingMetrics], dict[str, RankingMetrics], Evidence, ShownLists]:
    """Evaluates full rankings over all unheard tracks: every model, the hybrid by segment, its evidence and its lists.

    Args:
        interactions: all plays.
        knowledge: knowledge at the cutoff.
        queries: queries at the cutoff.
        hybrid: scores of the hybrid for the candidates of each query; other tracks rank after them, by taste.
        ranker: scores of its ranker alone for the same candidates.
        weights: weights of the collaborative model.
        groups: division → (users,) group of each listener at the cutoff.
        providers: division → (tracks,) group of those whose work each track is.
    """
    all_time_plays = Popularity().fit(interactions, knowledge.cutoff).track
    models = ("hybrid", "ranker", "collaborative", "ials", "content", "popularity_28d", "popularity")
    lists: Lists = {name: {} for name in models}
    random_lists: dict[int, np.ndarray] = {}
    rng = np.random.default_rng(0)
    for number, (query, scores, ranker_scores) in enumerate(zip(queries, hybrid, ranker, strict=True)):
        taste = knowledge.taste.track @ knowledge.taste.user[query.user]
        lists["hybrid"][number] = _complete_list(query.pool.places, scores, taste, query.seen)
        lists["ranker"][number] = _complete_list(query.pool.places, ranker_scores, taste, query.seen)
        lists["collaborative"][number] = _complete_list(
            *rank_collaborative(knowledge, query, weights), taste, query.seen
        )
        lists["ials"][number] = rank_all(taste, query.seen, DEPTH)
        content = knowledge.content[1] @ knowledge.content[0][query.user]
        lists["content"][number] = rank_all(content, query.seen, DEPTH)
        lists["popularity_28d"][number] = rank_all(knowledge.popular, query.seen, DEPTH)
        lists["popularity"][number] = rank_all(all_time_plays, query.seen, DEPTH)
        random_lists[number] = rank_all(rng.random(len(all_time_plays)), query.seen, DEPTH)
    relevant, catalogue = _relevant_by_query(queries), _catalogue(interactions, knowledge, queries)
    metrics = {name: ranking_metrics(ranked, relevant, catalogue) for name, ranked in lists.items()}
    numbers = [number for number, tracks in relevant.items() if len(tracks)]
    listener_evidence = _evidence(interactions, queries, {**lists, RANDOM: random_lists}, relevant, groups or {})
    shown = ShownLists(
        [lists["hybrid"][number] for number in numbers],
        [relevant[number] for number in numbers],
        [queries[number].seen for number in numbers],
        catalogue.listeners,
        catalogue.past_users,
        knowledge.recommendable,
        providers or {},
        listener_evidence.units,
        knowledge.genres,
    )
    segments = by_segment(lists["hybrid"], relevant, catalogue.history, catalogue.listeners)
    return metrics, segments, listener_evidence, shown


def _evidence(
    interactions: Interactions,
    queries: Sequence[Query],
    lists: Lists,
    relevant: Mapping[int, np.ndarray],
    groups: Mapping[str, np.ndarray],
) -> Evidence:
    """Returns NDCG@10 of each listener with relevant tracks, of the hybrid and its baselines, by volume and group."""
    numbers = [number for number, tracks in relevant.items() if len(tracks)]
    gains = {
        label: np.array([ndcg(lists[name][number], relevant[number]) for number in numbers])
        for label, name in ((MODEL_KEY, "hybrid"), *((name, name) for name in ("popularity_28d", "ials", RANDOM)))
    }
    heard_counts = [len(queries[number].seen) for number in numbers]
    activity = ["light" if count < 20 else "medium" if count < 100 else "heavy" for count in heard_counts]
    user_numbers = [queries[number].user for number in numbers]
    users = [interactions.user_ids[user] for user in user_numbers]
    segments = {"listening": np.array(activity), **{name: group[user_numbers] for name, group in groups.items()}}
    return Evidence.of("ndcg_at_10", users, gains, higher_is_better=True, segments=segments)


def evaluate_in_session(
    interactions: Interactions,
    knowledge: Knowledge,
    queries: Sequence[Query],
    scores: Mapping[str, Sequence[np.ndarray]],
) -> dict[str, RankingMetrics]:
    """Evaluates predictions of the next plays within a session, beside transitions, vectors and popularity.

    Args:
        interactions: all plays.
        knowledge: knowledge at the cutoff, which is hours or days before the queries.
        queries: queries within sessions.
        scores: model → scores for the candidates of each query.
    """
    lists: Lists = {name: {} for name in (*scores, "follows", "ials", "popularity_28d")}
    for number, query in enumerate(queries):
        taste = knowledge.taste.track @ knowledge.taste.user[query.user]
        for name, model_scores in scores.items():
            lists[name][number] = _complete_list(query.pool.places, model_scores[number], taste, query.seen)
        lists["follows"][number] = _complete_list(query.pool.places, query.pool.follows, knowledge.popular, query.seen)
        lists["ials"][number] = rank_all(taste, query.seen, DEPTH)
        lists["popularity_28d"][number] = rank_all(knowledge.popular, query.seen, DEPTH)
    relevant, catalogue = _relevant_by_query(queries), _catalogue(interactions, knowledge, queries)
    return {name: ranking_metrics(ranked, relevant, catalogue) for name, ranked in lists.items()}


def cold_pool(knowledge: Knowledge, shares: np.ndarray, picks: np.ndarray) -> tuple[Pool, dict[str, np.ndarray]]:
    """Generates the candidates of a new listener, and the scores of each by name.

    Args:
        knowledge: knowledge at the moment of the request.
        shares: (tracks,) share of the plays in the listener's segments.
        picks: tracks that the listener picked, the most liked first; may be empty.
    """
    amounts = fading(len(picks), HISTORY_FADES)
    profile = profile_of(knowledge.content[1][picks], amounts) if len(picks) else None
    content = np.full(len(shares), np.nan) if profile is None else knowledge.content[1] @ profile
    tracks_by_source = {"popular": top_tracks(shares, shares > 0, 300)}
    if profile is not None:
        tracks_by_source["content"] = top_tracks(content, knowledge.recommendable & (content != 0), 200)
    candidates = pool(tracks_by_source, picks, similar=knowledge.similar.scores(picks, amounts))
    return candidates, dict(evidence(candidates.similar, content[candidates.places], shares[candidates.places]))


def evaluate_new_listeners(
    interactions: Interactions,
    knowledge: Knowledge,
    popularity: SegmentPopularity,
    segments: Mapping[int, tuple[str, ...]],
    end: int,
    weights: Mapping[str, float],
) -> dict[str, dict[str, RankingMetrics]]:
    """Evaluates listeners whose first play is after the cutoff: by profile alone, and with their first tracks as picks.

    Args:
        interactions: all plays.
        knowledge: knowledge at the cutoff.
        popularity: plays by segment in the weeks before the cutoff.
        segments: user → segments.
        end: end of the period in µs since 1970 UTC; plays at or after it are ignored.
        weights: score name → weight, for the candidates of a listener with picks.
    """
    past = interactions.before(knowledge.cutoff).tracks_by_user()
    later = interactions.between(knowledge.cutoff, end)
    without_picks: Lists = {"cold_start": {}, "popularity_28d": {}}
    with_picks: Lists = {"cold_start": {}, "segment popularity": {}, "popularity_28d": {}}
    relevant: tuple[dict[int, np.ndarray], dict[int, np.ndarray]] = ({}, {})
    for user in np.setdiff1d(np.unique(later.user), np.fromiter(past, np.int64, len(past))).tolist():
        tracks = later.newest_first(user)[::-1]
        shares = popularity.shares(segments.get(user, ()))
        no_tracks = np.empty(0, np.int64)
        without_picks["cold_start"][user] = rank_all(shares, no_tracks, DEPTH)
        without_picks["popularity_28d"][user] = rank_all(knowledge.popular, no_tracks, DEPTH)
        relevant[0][user] = np.unique(tracks)
        if len(tracks) > PICKS:
            picks = tracks[:PICKS]
            candidates, candidate_scores = cold_pool(knowledge, shares, picks)
            with_picks["cold_start"][user] = _complete_list(
                candidates.places, blended(candidate_scores, weights), shares, picks
            )
            with_picks["segment popularity"][user] = rank_all(shares, picks, DEPTH)
            with_picks["popularity_28d"][user] = rank_all(knowledge.popular, picks, DEPTH)
            relevant[1][user] = np.unique(tracks[PICKS:])
    catalogue = Catalogue(interactions.shape[1])
    return {
        name: {model: ranking_metrics(ranked, truth, catalogue) for model, ranked in lists.items()}
        for name, lists, truth in (
            ("new listeners", without_picks, relevant[0]),
            ("new listeners, three picks", with_picks, relevant[1]),
        )
        if truth
    }


def evaluate_new_tracks(interactions: Interactions, knowledge: Knowledge, end: int) -> dict[str, RankingMetrics]:
    """Evaluates tracks without plays before the cutoff, ranked among themselves for listeners who later played one."""
    played = np.bincount(interactions.before(knowledge.cutoff).track, minlength=interactions.shape[1]) > 0
    cold = np.flatnonzero(~played & knowledge.recommendable)
    later = interactions.between(knowledge.cutoff, end)
    cold_plays = later.only(np.isin(later.track, cold)).tracks_by_user()
    cold_number = np.full(interactions.shape[1], -1)
    cold_number[cold] = np.arange(len(cold))
    relevant = {
        user: cold_number[tracks]
        for user, tracks in cold_plays.items()
        if knowledge.taste.user[user].any() and len(cold) > DEPTH
    }
    lists: Lists = {"cold_start": {}, "content": {}, "newest first": {}}
    recency = np.zeros(interactions.shape[1])
    recency[knowledge.fresh] = np.arange(len(knowledge.fresh), 0, -1)
    no_tracks = np.empty(0, np.int64)
    for user in relevant:
        lists["cold_start"][user] = rank_all(knowledge.taste.track[cold] @ knowledge.taste.user[user], no_tracks, DEPTH)
        lists["content"][user] = rank_all(knowledge.content[1][cold] @ knowledge.content[0][user], no_tracks, DEPTH)
        lists["newest first"][user] = rank_all(recency[cold], no_tracks, DEPTH)
    return {name: ranking_metrics(ranked, relevant, len(cold)) for name, ranked in lists.items()} if relevant else {}


def _complete_list(places: np.ndarray, scores: np.ndarray, fallback_scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Ranks the candidates by score and fills the list up with other unheard tracks by ``fallback_scores``."""
    top = places[np.argsort(-scores, kind="stable")][:DEPTH]
    if len(top) == DEPTH:
        return np.asarray(top)
    return np.concatenate([top, rank_all(fallback_scores, np.union1d(seen, top).astype(np.int64), DEPTH - len(top))])


def _relevant_by_query(queries: Sequence[Query]) -> dict[int, np.ndarray]:
    return {number: query.relevant for number, query in enumerate(queries)}


def _catalogue(interactions: Interactions, knowledge: Knowledge, queries: Sequence[Query]) -> Catalogue:
    seen = interactions.before(knowledge.cutoff)
    pairs = np.unique(seen.user * interactions.shape[1] + seen.track)
    return Catalogue(
        tracks=int(knowledge.recommendable.sum()),
        listeners=np.bincount(pairs % interactions.shape[1], minlength=interactions.shape[1]).astype(float),
        past_users=len(np.unique(seen.user)),
        vectors=knowledge.content[1] if knowledge.content[1].any() else knowledge.taste.track,
        history={number: query.seen for number, query in enumerate(queries)},
    )
