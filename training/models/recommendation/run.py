"""Trains, evaluates and registers the recommendation family.

1. Split the plays by time: train, validation, test (``TimeSplit``).
2. Choose the half-life of plays and the weight of tags, genres and friends by the NDCG@10 of the vectors on validation.
3. At every cutoff (some within train, the starts of validation and test, the end of the data) learn vectors, neighbours
   and popularity (``knowledge``) and write the vectors to the feature tables, with the cutoff as event time.
4. Generate candidates for each listener at every cutoff, and in the middle of sessions between it and the next. The
   label is whether the listener played the track afterwards. Pull the features of ``recommendation_v1`` as of the
   cutoff, and those of ``real_time_recommendation_v1`` as of the moments within sessions.
5. Fit both rankers on train, choose their number of trees and the weights of the blended models on validation, and
   evaluate everything once on test.
6. Register a bundle with all five models, and write a report.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets import Interactions, Sample, TimeSplit, TrainingSet, training_set
from training.evaluate import RankingMetrics, rank_all, ranking_metrics
from training.golden import ROWS
from training.models.base import FamilyModel
from training.models.ensemble import Members, WeightedEnsemble
from training.models.recommendation import evaluate, report
from training.models.recommendation.blend import NdcgLoss
from training.models.recommendation.bundle import NAME, TrainedModels, bundle_writer, iso
from training.models.recommendation.candidates import (
    Query,
    queries_at_cutoff,
    queries_in_session,
    sample_negatives,
    sample_users,
    spine,
)
from training.models.recommendation.evaluate import PICKS
from training.models.recommendation.ials import IALS
from training.models.recommendation.knowledge import POPULAR_DAYS, Knowledge, describe, learn
from training.models.recommendation.moment import Moment
from training.models.recommendation.problem import PARAMETERS, MomentQueries, RankerProblem
from training.models.recommendation.ranker import HYBRID, REAL_TIME, Ranked, Ranker
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from training.registry import register
from transforms.pure.candidates.blend import standardised
from transforms.pure.candidates.cold import SegmentPopularity, segments

if TYPE_CHECKING:
    import lightgbm

SEGMENT_SERVICE = "user_segment_v1"
EXPLAINED = 500
"""Rows of the test for which the feature contributions of the ranker are computed."""


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        ials: settings of the vectors; half-life and weight of attributes are chosen from the next two fields.
        half_lives: half-lives to try, in days; None for plays that never fade.
        attributes: weights of the attributes of users and tracks to try.
        ranker: settings of both rankers.
        folds: number of cutoffs within train at which the rankers learn.
        users_per_fold: maximal number of listeners at one of these cutoffs.
        negatives: maximal number of unplayed candidates of a query, in train.
        users_measured: maximal number of listeners in validation and in test.
        seed: seed of the samples of listeners.
    """

    ials: IALS = field(default_factory=IALS)
    ranker: Ranker = field(default_factory=Ranker)
    half_lives: tuple[float | None, ...] = (14.0, 30.0, 120.0, None)
    attributes: tuple[float, ...] = (0.0, 1.0)
    folds: int = 8
    users_per_fold: int = 150
    negatives: int = 100
    users_measured: int = 500
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """The result of a run."""

    version: int
    metrics: dict[str, RankingMetrics]
    evaluation: evaluate.Evaluation
    split: TimeSplit
    training_rows: int
    training_set: Path
    report: Path
    seconds: dict[str, float]

    def lines(self) -> Iterator[str]:
        """Formats the result as lines for a terminal."""
        yield f"{self.training_rows:,} training rows → {self.training_set}"
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        for question, models in self.evaluation.by_question.items():
            heading = f"test: {question}"
            yield f"{heading:30}{'NDCG@10':>9}{'± 95 %':>9}{'Recall@20':>11}{'coverage':>10}{'listeners':>11}"
            for model, figures in models.items():
                yield (
                    f"  {model:28}{figures.ndcg_at_10:9.4f}{figures.ndcg_interval:9.4f}{figures.recall_at_20:11.4f}"
                    f"{figures.coverage_at_10:10.3f}{figures.users:11}"
                )
        yield f"report: {self.report}"
        yield f"registered: {NAME} {self.version} (challenger). Next: python -m training promote {NAME}"


@dataclass(frozen=True)
class FittedRanker:
    """A fitted ranker, its training set, and its scores of the candidates of the test."""

    booster: "lightgbm.Booster"
    training_data: TrainingSet
    test: pl.DataFrame
    scores: list[np.ndarray]


def run(
    home: Home,
    settings: Settings | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Result:
    """Trains, evaluates and registers the family. See the module's docstring.

    Args:
        home: the data folder.
        settings: settings of the run; None for the defaults.
        parameters: parameters of both rankers by name that differ from the settings.
        progress: callback for the progress of each stage.

    Raises:
        InputError: there are too few plays, or no listener has plays both before and after a cutoff.
        StoreError: features are not built or not applied.
    """
    settings = settings or Settings()
    settings = replace(settings, ranker=replace(settings.ranker, **(parameters or {})))
    clock = Clock(progress, 7)
    interactions, split, settings, moments, final_knowledge = _prepare(home, settings, clock)
    hybrid = _fit_ranker(home, interactions, settings, HYBRID, [moment.queries for moment in moments])
    clock.lap("hybrid")
    real_time = _fit_ranker(home, interactions, settings, REAL_TIME, [moment.session_queries for moment in moments])
    clock.lap("real time")
    user_segments = _user_segments(home, interactions, moments[-1].knowledge.cutoff)
    weights = {
        "collaborative": _collaborative_weights(moments[-2]),
        "cold_start": _cold_weights(interactions, moments[-2], user_segments, settings),
    }
    evaluation = _evaluate(interactions, moments[-1], hybrid, real_time, weights, user_segments, split.end)
    clock.lap("evaluation")
    trained = TrainedModels(
        interactions,
        final_knowledge,
        hybrid.booster,
        real_time.booster,
        weights,
        _segment_popularity(
            interactions, final_knowledge.cutoff, _user_segments(home, interactions, final_knowledge.cutoff)
        ),
    )
    golden_inputs = {
        "hybrid": HYBRID.matrix(hybrid.training_data.data.head(ROWS)),
        "real_time": REAL_TIME.matrix(real_time.training_data.data.head(ROWS)),
    }
    metrics = evaluation.by_question["at the cutoff"]
    parameters = _parameters(settings, interactions, split)
    page = report.draw(NAME, evaluation, parameters | {"weights": weights}, trained, moments[-1])
    version = register(
        home,
        NAME,
        parameters=parameters,
        metrics=_flat_metrics(evaluation),
        write=bundle_writer(
            home,
            trained,
            hybrid.training_data,
            evaluation,
            split,
            page,
            golden_inputs,
            HYBRID.matrix(_sample_rows(hybrid.test)),
        ),
        evidence=evaluation.evidence,
        training_sets=[Sample.of(hybrid.training_data), Sample.of(real_time.training_data)],
    )
    clock.lap("registration")
    saved_set = hybrid.training_data.save(home)
    path = home.bundles(NAME) / str(version) / "report.html"
    return Result(version, metrics, evaluation, split, hybrid.training_data.data.height, saved_set, path, clock.seconds)


def problem(home: Home, *, progress: Progress = silent) -> RankerProblem:
    """Prepares the training data of the hybrid ranker for a search: everything of a run until its first fit.

    Raises:
        InputError: there are too few plays, or no listener has plays both before and after a cutoff.
        StoreError: features are not built or not applied.
    """
    clock = Clock(progress, 3)
    interactions, _, settings, moments, _ = _prepare(home, Settings(), clock)
    queries_by_moment = [moment.queries for moment in moments]
    _, parts = _pull_features(home, interactions, HYBRID, queries_by_moment)
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


def _sample_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Draws a sample of at most ``EXPLAINED`` rows."""
    return rows.sample(min(rows.height, EXPLAINED), seed=0)


def _prepare(
    home: Home, settings: Settings, clock: Clock
) -> tuple[Interactions, TimeSplit, Settings, list[Moment], Knowledge]:
    """Loads the plays, splits them, chooses the vectors, and collects all moments and the knowledge at the end."""
    interactions = Interactions.load(home)
    split = TimeSplit.by_share(interactions.time)
    settings = replace(settings, ials=choose_vectors(home, interactions, split, settings))
    clock.lap("vectors chosen")
    return interactions, split, settings, *_collect_moments(home, interactions, split, settings, clock)


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
    moments: list[Moment] = []
    knowledge: Knowledge | None = None
    for number, (cutoff, end) in enumerate(periods):
        knowledge = learn(home, interactions, cutoff, settings.ials, before=knowledge)
        training = number < len(folds)
        max_users = settings.users_per_fold if training else settings.users_measured
        queries = queries_at_cutoff(interactions, knowledge, end, most_users=max_users, rng=rng)
        session_queries = queries_in_session(interactions, knowledge, end, most_users=max_users, rng=rng)
        if training:
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
                next_command="python -m transforms import FORMAT PATH  (more events, over more days)",
            )
    final_knowledge = learn(home, interactions, split.end, settings.ials, before=knowledge)
    clock.lap("knowledge")
    return moments, final_knowledge


def _fit_ranker(
    home: Home, interactions: Interactions, settings: Settings, ranked: Ranked, queries_by_moment: list[list[Query]]
) -> FittedRanker:
    """Fits a ranker on all but the last two moments, stops early by the last but one, and scores the last."""
    training_data, parts = _pull_features(home, interactions, ranked, queries_by_moment)
    *train, validation, test = parts
    training_groups = [ranked.groups(rows) for rows in train if rows.height]
    held_out = ranked.groups(validation) if validation.height else training_groups[-1]
    booster = settings.ranker.fit(ranked, training_groups or [held_out], held_out)
    scores = np.asarray(booster.predict(ranked.matrix(test))) if test.height else np.empty(0)
    bounds = np.cumsum([len(query.pool) for query in queries_by_moment[-1]])[:-1]
    return FittedRanker(booster, training_data, test, np.split(scores, bounds) if queries_by_moment[-1] else [])


def _pull_features(
    home: Home, interactions: Interactions, ranked: Ranked, queries_by_moment: list[list[Query]]
) -> tuple[TrainingSet, list[pl.DataFrame]]:
    """Pulls the features of all candidates; returns the training set, and its rows of each moment."""
    spines = [spine(interactions, part, home.tenant, context=ranked is REAL_TIME) for part in queries_by_moment]
    training_data = training_set(ranked.service, pl.concat(spines), home=home)
    ends = np.cumsum([part.height for part in spines])
    rows = [training_data.data[int(end) - part.height : int(end)] for part, end in zip(spines, ends, strict=True)]
    return training_data, rows


def _learn_weights(
    questions: Sequence[tuple[Mapping[str, np.ndarray], np.ndarray, int]], default: dict[str, float]
) -> dict[str, float]:
    """Learns the weights of standardised scores that rank best by NDCG@10.

    Args:
        questions: for each query the scores of its candidates by name, whether each is relevant, and the number of
            relevant tracks.
        default: weights where there are no queries.
    """
    if not questions:
        return default
    group = np.repeat(np.arange(len(questions)), [len(truth) for _, truth, _ in questions])
    names = tuple(questions[0][0])
    values = np.concatenate(
        [np.column_stack([standardised(scores[name]) for name in names]) for scores, *_ in questions]
    )
    truth = np.concatenate([truth for _, truth, _ in questions]).astype(float)
    loss = NdcgLoss.of(group, np.array([count for *_, count in questions]))
    return WeightedEnsemble(loss=loss, steps=20).fit(Members(names, values, truth, group)).weights


def _collaborative_weights(moment: Moment) -> dict[str, float]:
    """Learns the weights of taste and of co-played tracks on validation."""
    questions = []
    for query in moment.queries:
        candidates = evaluate.collaborative_pool(query)
        scores = evaluate.collaborative_scores(moment.knowledge, query.user, candidates)
        questions.append((scores, np.isin(candidates.places, query.relevant), len(query.relevant)))
    return _learn_weights(questions, {"taste": 1.0, "similar": 0.0})


def _cold_weights(
    interactions: Interactions, moment: Moment, user_segments: Mapping[int, tuple[str, ...]], settings: Settings
) -> dict[str, float]:
    """Learns the weights of the cold-start scores on listeners of validation, with a few picks as their history."""
    popularity = _segment_popularity(interactions, moment.knowledge.cutoff, user_segments)
    rng = np.random.default_rng(settings.seed)
    questions = []
    for query in moment.queries:
        if len(query.seen) < PICKS:
            continue
        picks = rng.choice(query.seen, PICKS, replace=False)
        candidates, candidate_scores = evaluate.cold_pool(
            moment.knowledge, popularity.shares(user_segments.get(query.user, ())), picks
        )
        relevant = np.union1d(query.relevant, np.setdiff1d(query.seen[: 2 * PICKS], picks))
        questions.append((candidate_scores, np.isin(candidates.places, relevant), len(relevant)))
    return _learn_weights(questions, {"similar": 1 / 3, "content": 1 / 3, "popular": 1 / 3})


def _user_segments(home: Home, interactions: Interactions, cutoff: int) -> dict[int, tuple[str, ...]]:
    """Returns user → segments, from the profiles as known at the cutoff."""
    ids = pl.Series(interactions.user_ids, dtype=pl.String)
    stamp = pl.repeat(cutoff, len(ids), dtype=pl.Int64, eager=True).cast(pl.Datetime("us", "UTC"))
    rows = training_set(SEGMENT_SERVICE, pl.DataFrame({"user_id": ids, "event_timestamp": stamp}), home=home).data
    profiles = zip(rows["user_profile__country"], rows["user_profile__birth_year"], strict=True)
    return {user: segments(country, year) for user, (country, year) in enumerate(profiles)}


def _segment_popularity(
    interactions: Interactions, cutoff: int, user_segments: Mapping[int, tuple[str, ...]]
) -> SegmentPopularity:
    """Counts plays by segment in the weeks before the cutoff."""
    recent = interactions.between(cutoff - POPULAR_DAYS * MICROSECONDS_A_DAY, cutoff)
    names = sorted({name for memberships in user_segments.values() for name in memberships})
    column_of = {name: column for column, name in enumerate(names)}
    is_member = np.zeros((interactions.shape[0], len(names)), bool)
    for user, memberships in user_segments.items():
        is_member[user, [column_of[name] for name in memberships]] = True
    plays_by_segment = ((name, recent.track[is_member[recent.user, column]]) for name, column in column_of.items())
    of_all = np.bincount(recent.track, minlength=interactions.shape[1]).astype(float)
    return SegmentPopularity.count(plays_by_segment, of_all)


def _evaluate(
    interactions: Interactions,
    test: Moment,
    hybrid: FittedRanker,
    real_time: FittedRanker,
    weights: Mapping[str, Mapping[str, float]],
    user_segments: Mapping[int, tuple[str, ...]],
    end: int,
) -> evaluate.Evaluation:
    knowledge = test.knowledge
    metrics, by_segment, listener_evidence = evaluate.evaluate_at_cutoff(
        interactions, knowledge, test.queries, hybrid.scores, weights["collaborative"]
    )
    questions = {"at the cutoff": metrics}
    if test.session_queries:
        bounds = np.cumsum([len(query.pool) for query in test.session_queries])[:-1]
        hybrid_scores = np.split(np.asarray(hybrid.booster.predict(HYBRID.matrix(real_time.test))), bounds)
        scores = {"real_time": real_time.scores, "hybrid": hybrid_scores}
        questions["next in the session"] = evaluate.evaluate_in_session(
            interactions, knowledge, test.session_queries, scores
        )
    popularity = _segment_popularity(interactions, knowledge.cutoff, user_segments)
    questions |= evaluate.evaluate_new_listeners(
        interactions, knowledge, popularity, user_segments, end, weights["cold_start"]
    )
    new_track_metrics = evaluate.evaluate_new_tracks(interactions, knowledge, end)
    all_questions = questions | ({"new tracks, among themselves": new_track_metrics} if new_track_metrics else {})
    return evaluate.Evaluation(all_questions, by_segment, listener_evidence)


def _flat_metrics(evaluation: evaluate.Evaluation) -> dict[str, float]:
    """Flattens the metrics for MLflow; values that are not finite are left out."""
    figures = {
        f"test_{metric}_{model}": value for model, metric, value in _figures(evaluation.by_question["at the cutoff"])
    }
    for question, models in evaluation.by_question.items():
        if question != "at the cutoff":
            figures |= {
                f"{_metric_name(question)}/{metric}_{_metric_name(model)}": value
                for model, metric, value in _figures(models)
            }
    figures |= {f"segments/{metric}_{name}": value for name, metric, value in _figures(evaluation.segments)}
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _figures(models: Mapping[str, RankingMetrics]) -> Iterator[tuple[str, str, float]]:
    return ((model, metric, value) for model, figures in models.items() for metric, value in asdict(figures).items())


def _metric_name(name: str) -> str:
    return name.replace(",", "").replace(" ", "_")


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


MODEL = FamilyModel(
    name=NAME,
    family="recommendation",
    about="What might this listener want to hear that they have not heard?",
    services=(
        HYBRID.service,
        REAL_TIME.service,
        SEGMENT_SERVICE,
        "track_content_v1",
    ),
    raw=(
        "plays",
        "tracks",
    ),
    writes=(
        "user_taste",
        "track_taste",
        "artist_taste",
        "user_content",
        "track_content",
    ),
    program=run,
    parameters={name: getattr(Ranker(), name) for name in PARAMETERS},
    make_problem=problem,
)
