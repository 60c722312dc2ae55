"""Trains, evaluates and registers the recommendation family.

1. Split the plays by time: train, validation, test (``TimeSplit``).
2. Choose the half-life of plays and the weight of tags, genres and friends by the NDCG@10 of the vectors on validation.
3. At every cutoff (some within train, the starts of validation and test, the end of the data) learn vectors, neighbours
   and popularity (``knowledge``) and write the vectors to the feature tables, with the cutoff as event time.
4. Generate candidates for each listener at every cutoff, and in the middle of sessions between it and the next. The
   label is whether the listener played the track afterwards. Pull the features of ``recommendation_v1`` as of the
   cutoff, and those of ``real_time_recommendation_v1`` as of the moments within sessions.
5. Fit both rankers on train; choose their number of trees, what orders the hybrid (``hybrid_order``) and the weights of
   the blended models on validation. Evaluate everything once on test.
6. Register a bundle with all five models, and write a report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.purposes import PERSONALISATION
from training.clock import Clock
from training.datasets import Interactions, Sample, TimeSplit
from training.datasets.consent import Permission
from training.evaluate import rank_all, ranking_metrics
from training.fairness.people import groups_of
from training.fairness.providers import providers_of
from training.fairness.settings import FairnessSettings, settings_of
from training.golden import ROWS
from training.models.base import FamilyModel, Gates
from training.models.recommendation import evaluate, report
from training.models.recommendation.bundle import NAME, TrainedModels, bundle_writer, iso
from training.models.recommendation.candidates import (
    Query,
    permitted_queries,
    queries_at_cutoff,
    queries_in_session,
    sample_negatives,
    sample_users,
)
from training.models.recommendation.fitted_ranker import FittedRanker, fit_ranker, pull_features
from training.models.recommendation.hybrid_explanation import explain_rows
from training.models.recommendation.hybrid_order import ORDERS, choose_order, order_scores
from training.models.recommendation.ials import IALS
from training.models.recommendation.kept_sums import keep_sums, share_of
from training.models.recommendation.knowledge import CONTENT_SERVICE, MOST_PLAYS, Knowledge, describe, learn
from training.models.recommendation.moment import Moment
from training.models.recommendation.own_result import OwnResult
from training.models.recommendation.own_run import run_own
from training.models.recommendation.problem import PARAMETERS, MomentQueries, RankerProblem
from training.models.recommendation.ranker import HYBRID, REAL_TIME, Ranker
from training.models.recommendation.result import Result, flatten_metrics
from training.models.recommendation.score_weights import learn_cold_start_weights, learn_collaborative_weights
from training.models.recommendation.segments import SEGMENT_SERVICE, count_popularity, segments_of_users
from training.models.recommendation.segments import solve as solve_popularity
from training.models.recommendation.settings import Settings
from training.models.recommendation.trust import VIEW as TRUST
from training.models.recommendation.trust import describe_left_out
from training.registry import register

LEAST_LISTENERS = 10
"""Fewest listeners that are compared. With fewer, each gets answers from their own plays alone (``own_run``)."""
EXPLAINED = 500
"""Rows of the test for which the feature contributions of the ranker are computed."""


def run(
    home: Home,
    settings: Settings | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Result | OwnResult:
    """Trains, evaluates and registers the family. See the module's docstring.

    With fewer than ``LEAST_LISTENERS``, or plays that cannot be split, each listener gets answers from their own plays
    (``own_run``).

    Args:
        home: the data folder.
        settings: settings of the run; None for the defaults.
        parameters: parameters of both rankers by name that differ from the settings.
        progress: callback for the progress of each stage.

    Raises:
        StoreError: there are no plays, or features are not built or not applied.
    """
    settings = settings or Settings()
    settings = replace(settings, ranker=replace(settings.ranker, **(parameters or {})))
    clock = Clock(progress, 7)
    interactions = Interactions.load(home)
    try:
        split, settings, moments, final_knowledge = _prepare(home, interactions, settings, clock)
    except InputError as error:
        return run_own(home, interactions, f"they need {error.expected}, found {error.found}", progress)
    hybrid = fit_ranker(home, interactions, settings, HYBRID, [moment.queries for moment in moments])
    clock.lap("hybrid")
    real_time = fit_ranker(home, interactions, settings, REAL_TIME, _queries_in_sessions(moments))
    clock.lap("real time")
    user_segments = segments_of_users(home, interactions, moments[-1].knowledge.cutoff)
    order = _choose_hybrid_order(hybrid, moments[-2].queries)
    weights = {
        "hybrid": ORDERS[order],
        "collaborative": learn_collaborative_weights(moments[-2]),
        "cold_start": learn_cold_start_weights(interactions, moments[-2], user_segments, settings),
    }
    fairness = settings_of(home, NAME)
    people, providers = _groups(home, interactions, moments[-1].knowledge.cutoff, fairness)
    evaluation = _evaluate(
        interactions, moments[-1], hybrid, real_time, order, weights, user_segments, split.end, people, providers
    )
    clock.lap("evaluation")
    cutoff = final_knowledge.cutoff
    learned = final_knowledge.learned_from(interactions)
    kept = keep_sums(learned, cutoff, segments_of_users(home, interactions, cutoff))
    popularity = solve_popularity(kept.sums)
    trained = TrainedModels(interactions, final_knowledge, popularity, hybrid.booster, real_time.booster, weights, kept)
    golden_inputs = {
        "hybrid": HYBRID.matrix(hybrid.training_data.data.head(ROWS)),
        "real_time": REAL_TIME.matrix(real_time.training_data.data.head(ROWS)),
    }
    metrics = evaluation.by_question["at the cutoff"]
    left_out = int(final_knowledge.left_out.sum())
    parameters = _parameters(settings, interactions, split) | {"listeners_left_out": left_out}
    page = report.draw(NAME, evaluation, parameters | {"weights": weights}, trained, moments[-1])
    version = register(
        home,
        NAME,
        parameters=parameters,
        metrics=flatten_metrics(evaluation),
        write=bundle_writer(
            home,
            trained,
            hybrid.training_data,
            evaluation,
            split,
            page,
            golden_inputs,
            _explain_sample(hybrid, moments[-1].queries, ORDERS[order]),
        ),
        evidence=evaluation.evidence,
        shown=evaluation.shown,
        training_sets=[Sample.of(hybrid.training_data), Sample.of(real_time.training_data)],
    )
    clock.lap("registration")
    saved_set = hybrid.training_data.save(home)
    path = home.bundles(NAME) / str(version) / "report.html"
    rows = hybrid.training_data.data.height
    trust = describe_left_out(left_out, len(interactions.user_ids))
    return Result(version, metrics, evaluation, split, rows, saved_set, path, clock.seconds, trust)


def problem(home: Home, *, settings: Settings | None = None, progress: Progress = silent) -> RankerProblem:
    """Prepares the training data of the hybrid ranker for a search: everything of a run until its first fit.

    Args:
        home: the data folder.
        settings: settings of the run; None for the defaults.
        progress: callback for the progress of each stage.

    Raises:
        InputError: there are too few plays, or no listener has plays both before and after a cutoff.
        StoreError: features are not built or not applied.
    """
    clock = Clock(progress, 3)
    interactions = Interactions.load(home)
    _, settings, moments, _ = _prepare(home, interactions, settings or Settings(), clock)
    queries_by_moment = [moment.queries for moment in moments]
    _, parts = pull_features(home, interactions, HYBRID, queries_by_moment)
    clock.lap("training set")
    users = interactions.user_ids
    return RankerProblem(
        HYBRID,
        tuple(
            MomentQueries(
                HYBRID.groups(rows),
                np.array([len(query.relevant) for query in queries if len(query.pool)]),
                np.array([users[query.user] for query in queries if len(query.pool)]),
            )
            for queries, rows in zip(queries_by_moment, parts, strict=True)
            if rows.height
        ),
        settings.ranker,
    )


def _queries_in_sessions(moments: Sequence[Moment]) -> list[list[Query]]:
    """Returns the queries of the real-time ranker by moment: those at the cutoffs if there are none in sessions."""
    learned_from = [moment.session_queries for moment in moments[:-1]]
    if any(learned_from):
        return [*learned_from, moments[-1].session_queries]
    return [*(moment.queries for moment in moments[:-1]), moments[-1].session_queries]


def _choose_hybrid_order(hybrid: FittedRanker, queries: Sequence[Query]) -> str:
    """Chooses what orders the candidates of the hybrid, by the queries of validation."""
    queries_with_pool = [query for query in queries if len(query.pool)]
    wanted = np.array([len(query.relevant) for query in queries_with_pool])
    users = np.array([query.user for query in queries_with_pool])
    return choose_order(HYBRID, hybrid.validation, hybrid.validation_scores, wanted, users)


def _explain_sample(hybrid: FittedRanker, queries: Sequence[Query], weights: Mapping[str, float]) -> bytes:
    """Explains a sample of at most ``EXPLAINED`` rows of the test."""
    rows = hybrid.test
    positions = pl.int_range(rows.height, eager=True).sample(min(rows.height, EXPLAINED), seed=0).to_numpy()
    scores = np.concatenate([*hybrid.scores, np.empty(0)])
    sizes = np.array([len(query.pool) for query in queries], int)
    return explain_rows(hybrid.booster, HYBRID, HYBRID.matrix(rows), scores, sizes, weights, positions)


def _prepare(
    home: Home, interactions: Interactions, settings: Settings, clock: Clock
) -> tuple[TimeSplit, Settings, list[Moment], Knowledge]:
    """Splits the plays, chooses the vectors, and collects all moments and the knowledge at the end.

    Raises:
        InputError: the plays are of too few listeners, or too few, to compare listeners by.
    """
    if interactions.shape[0] < LEAST_LISTENERS:
        raise InputError(
            expected=f"at least {LEAST_LISTENERS} listeners",
            found=f"{interactions.shape[0]}",
            next_command="refrain import FORMAT PATH  (plays of more people)",
        )
    split = TimeSplit.by_share(interactions.time)
    settings = replace(settings, ials=choose_vectors(home, interactions, split, settings))
    clock.lap("vectors chosen")
    return split, settings, *_collect_moments(home, interactions, split, settings, clock)


def choose_vectors(home: Home, interactions: Interactions, split: TimeSplit, settings: Settings) -> IALS:
    """Chooses the settings of the vectors with the best NDCG@10 on validation; the first one wins a tie."""
    history, new_tracks = interactions.heard_and_new(split.validation, split.test)
    users = np.array(sorted(user for user, tracks in new_tracks.items() if len(tracks)), np.int64)
    users = sample_users(users, settings.users_measured, np.random.default_rng(settings.seed))
    attributes = describe(home, interactions, split.validation).attributes

    def validation_ndcg(ials: IALS) -> float:
        vectors = ials.fit(interactions, split.validation, attributes)
        rows = zip(users.tolist(), vectors.scores(users), strict=True)
        ranked = {user: rank_all(scores, history[user], evaluate.DEPTH) for user, scores in rows}
        relevant = {user: new_tracks[user] for user in users.tolist()}
        return ranking_metrics(ranked, relevant, interactions.shape[1]).ndcg_at_10

    def best_on_validation(candidates: Sequence[IALS]) -> IALS:
        return (
            candidates[int(np.argmax([validation_ndcg(candidate) for candidate in candidates]))]
            if len(candidates) > 1
            else candidates[0]
        )

    best_half_life = best_on_validation([replace(settings.ials, half_life_days=days) for days in settings.half_lives])
    if not attributes.tracks.nnz:
        return best_half_life
    return best_on_validation(
        [replace(best_half_life, user_attributes=weight, track_attributes=weight) for weight in settings.attributes]
    )


def _collect_moments(
    home: Home, interactions: Interactions, split: TimeSplit, settings: Settings, clock: Clock
) -> tuple[list[Moment], Knowledge]:
    """Collects knowledge and queries at every cutoff in order of time, and the knowledge at the end, for serving."""
    folds = split.folds(interactions.time, settings.folds)
    periods = [*folds, (split.validation, split.test), (split.test, split.end)]
    rng = np.random.default_rng(settings.seed)
    permission = Permission.of(home, PERSONALISATION)
    moments: list[Moment] = []
    knowledge: Knowledge | None = None
    for number, (cutoff, end) in enumerate(periods):
        knowledge = learn(home, interactions, cutoff, settings.ials, before=knowledge, detection=settings.detection)
        training = number < len(folds)
        max_users = settings.users_per_fold if training else settings.users_measured
        queries = queries_at_cutoff(interactions, knowledge, end, most_users=max_users, rng=rng)
        session_queries = queries_in_session(interactions, knowledge, end, most_users=max_users, rng=rng)
        queries, session_queries = (
            permitted_queries(permission, interactions, part) for part in (queries, session_queries)
        )
        if training:
            left_out = knowledge.left_out
            queries, session_queries = (
                [query for query in part if not left_out[query.user]] for part in (queries, session_queries)
            )
            queries, session_queries = (
                sample_negatives(part, settings.negatives, rng) for part in (queries, session_queries)
            )
        moments.append(Moment(knowledge, queries, session_queries))
        clock.report(number + 1, len(periods) + 1, "knowledge")
    for name, moment in zip(("validation", "test"), moments[-2:], strict=True):
        if not any(len(query.relevant) for query in moment.queries):
            raise InputError(
                expected=f"listeners with plays before and new tracks in the {name} period",
                found="none",
                next_command="refrain import FORMAT PATH  (more events, over more days)",
            )
    final_knowledge = learn(
        home, interactions, split.end, settings.ials, before=knowledge, detection=settings.detection
    )
    clock.lap("knowledge")
    return moments, final_knowledge


def _evaluate(
    interactions: Interactions,
    test: Moment,
    hybrid: FittedRanker,
    real_time: FittedRanker,
    order: str,
    weights: Mapping[str, Mapping[str, float]],
    user_segments: Mapping[int, tuple[str, ...]],
    end: int,
    people: Mapping[str, np.ndarray],
    providers: Mapping[str, np.ndarray],
) -> evaluate.Evaluation:
    knowledge = test.knowledge

    def hybrid_scores(rows: pl.DataFrame, ranker_scores: np.ndarray, queries: Sequence[Query]) -> list[np.ndarray]:
        sizes = np.array([len(query.pool) for query in queries])
        return order_scores(HYBRID, ranker_scores, HYBRID.matrix(rows), sizes, weights["hybrid"])

    metrics, by_segment, listener_evidence, shown = evaluate.evaluate_at_cutoff(
        interactions,
        knowledge,
        test.queries,
        hybrid_scores(hybrid.test, np.concatenate(hybrid.scores), test.queries),
        hybrid.scores,
        weights["collaborative"],
        people,
        providers,
    )
    questions = {"at the cutoff": metrics}
    if test.session_queries:
        ranker_scores = np.asarray(hybrid.booster.predict(HYBRID.matrix(real_time.test)))
        in_sessions = hybrid_scores(real_time.test, ranker_scores, test.session_queries)
        scores = {"real_time": real_time.scores, "hybrid": in_sessions}
        questions["next in the session"] = evaluate.evaluate_in_session(
            interactions, knowledge, test.session_queries, scores
        )
    popularity = count_popularity(knowledge.learned_from(interactions), knowledge.cutoff, user_segments, MOST_PLAYS)
    questions |= evaluate.evaluate_new_listeners(
        interactions, knowledge, popularity, user_segments, end, weights["cold_start"]
    )
    new_track_metrics = evaluate.evaluate_new_tracks(interactions, knowledge, end)
    all_questions = questions | ({"new tracks, among themselves": new_track_metrics} if new_track_metrics else {})
    return evaluate.Evaluation(all_questions, by_segment, listener_evidence, order, shown)


def _groups(
    home: Home, interactions: Interactions, cutoff: int, fairness: FairnessSettings
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the groups of the listeners, and of those whose work the tracks are, as of the cutoff."""
    times = np.full(len(interactions.user_ids), cutoff)
    people = groups_of(home, fairness.groups, "user_id", interactions.user_ids, times)
    past = interactions.before(cutoff)
    pairs = np.unique(past.user * past.shape[1] + past.track)
    listeners = np.bincount(pairs % past.shape[1], minlength=past.shape[1])
    return people, providers_of(interactions, listeners, cutoff, fairness.providers)


def _parameters(settings: Settings, interactions: Interactions, split: TimeSplit) -> dict[str, Any]:
    users, tracks = interactions.shape
    return {
        **{f"ials_{key}": value for key, value in asdict(settings.ials).items()},
        **{f"ranker_{key}": value for key, value in asdict(settings.ranker).items()},
        "folds": settings.folds,
        "seed": settings.seed,
        "plays": len(interactions.time),
        "users": users,
        "tracks": tracks,
        **{f"split_{name}": iso(moment) for name, moment in asdict(split).items()},
    }


VECTORS = ("user_taste", "track_taste", "artist_taste", "user_content", "track_content")
VECTORS_OF = (
    CONTENT_SERVICE,
    *(f"plays.{column}" for column in ("user_id", "track_id", "artist_id", "event_timestamp")),
    *(f"tracks.{column}" for column in ("track_id", "artist_id", "event_timestamp", "created_timestamp")),
    "friendships",
    "tags",
)
"""Views of vectors, and what they are made of: who played what and when, friends, tags, and what describes a track."""


MODEL = FamilyModel(
    name=NAME,
    family="recommendation",
    about="What might this listener want to hear that they have not heard?",
    services=(
        HYBRID.service,
        REAL_TIME.service,
        SEGMENT_SERVICE,
        CONTENT_SERVICE,
    ),
    raw=(
        "plays",
        "tracks",
        "friendships",
        "tags",
    ),
    writes=(*VECTORS, "user_own_listening", TRUST),
    made_of={
        **dict.fromkeys(VECTORS, VECTORS_OF),
        "user_own_listening": ("plays", "tracks"),
        TRUST: tuple(f"plays.{column}" for column in ("user_id", "track_id", "event_timestamp")),
    },
    gates=Gates(plain={"popularity_28d": 0.0, "ials": 0.05}, required=("popularity_28d", evaluate.RANDOM)),
    program=run,
    parameters={name: getattr(Ranker(), name) for name in PARAMETERS},
    make_problem=problem,
    share=share_of,
)
