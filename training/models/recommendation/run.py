"""The recommendation family, end to end.

1. Split the plays by time: train, validation, test (``TimeSplit``).
2. Choose on validation how fast plays fade and how much tags, genres and friends say: the vectors' NDCG@10 alone.
3. At every cutoff (some within train, then the starts of validation and test, then the end) learn all there is to know
   (``knowledge``) and write the vectors into the feature tables, stamped with the cutoff.
4. At every cutoff ask for each listener's candidates, and once more in the middle of sessions between it and the next;
   what they go on to play is the label. Pull the features of ``recommendation_v1`` as of the cutoff, and those of
   ``real_time_recommendation_v1`` as of the moments within sessions.
5. Fit both rankers on train, their size on validation, and the weights of the models that blend; measure everything
   once on test.
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
from training.models.recommendation import measured, report
from training.models.recommendation.blend import NdcgLoss
from training.models.recommendation.bundle import NAME, Learned, iso, writer
from training.models.recommendation.candidates import Query, at_cutoff, fewer_negatives, in_session, sampled, spine
from training.models.recommendation.ials import IALS
from training.models.recommendation.knowledge import POPULAR_DAYS, Knowledge, describe, learn
from training.models.recommendation.measured import PICKS
from training.models.recommendation.moment import Moment
from training.models.recommendation.problem import PARAMETERS, Asked, RankerProblem
from training.models.recommendation.ranker import HYBRID, REAL_TIME, Ranked, Ranker
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from training.registry import register
from transforms.pure.candidates.blend import standardised
from transforms.pure.candidates.cold import SegmentPopularity, segments

if TYPE_CHECKING:
    import lightgbm

SEGMENT_SERVICE = "user_segment_v1"
EXPLAINED = 500
"""Rows of the test that the ranker is explained by."""


@dataclass(frozen=True)
class Settings:
    """What a run may vary.

    Attributes:
        ials: the vectors; their half-life and the weight of attributes are chosen from the next two.
        half_lives: in days, None for plays that never fade.
        attributes: weights of what describes users and tracks.
        ranker: both rankers.
        folds: cutoffs within train at which the rankers learn.
        users_per_fold: most listeners asked at one of them.
        negatives: most tracks of a question that were not played, in train.
        users_measured: most listeners asked in validation and in test.
        seed: of the samples of listeners.
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
    """What a run found."""

    version: int
    metrics: dict[str, RankingMetrics]
    measured: measured.Measured
    split: TimeSplit
    training_rows: int
    training_set: Path
    report: Path
    seconds: dict[str, float]

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield f"{self.training_rows:,} training rows → {self.training_set}"
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        for question, models in self.measured.by_question.items():
            heading = f"test: {question}"
            yield f"{heading:30}{'NDCG@10':>9}{'± 95 %':>9}{'Recall@20':>11}{'coverage':>10}{'listeners':>11}"
            for model, numbers in models.items():
                yield (
                    f"  {model:28}{numbers.ndcg_at_10:9.4f}{numbers.ndcg_interval:9.4f}{numbers.recall_at_20:11.4f}"
                    f"{numbers.coverage_at_10:10.3f}{numbers.users:11}"
                )
        yield f"report: {self.report}"
        yield f"registered: {NAME} {self.version} (challenger). Next: python -m training promote {NAME}"


@dataclass(frozen=True)
class Fitted:
    """A ranker and what it said of the test's candidates."""

    booster: "lightgbm.Booster"
    pulled: TrainingSet
    test: pl.DataFrame
    scores: list[np.ndarray]


def run(
    home: Home,
    settings: Settings | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Result:
    """Train, measure and register. See the module's docstring.

    Args:
        home: the data folder.
        settings: what differs from the defaults.
        parameters: of both rankers, by name, likewise.
        progress: told of each stage.

    Raises:
        InputError: too few plays, or nobody with both a past and a future.
        StoreError: features are not built or not applied.
    """
    settings = settings or Settings()
    settings = replace(settings, ranker=replace(settings.ranker, **(parameters or {})))
    clock = Clock(progress, 7)
    interactions, split, settings, moments, final = _prepared(home, settings, clock)
    hybrid = _ranker(home, interactions, settings, HYBRID, [moment.asked for moment in moments])
    clock.lap("hybrid")
    real_time = _ranker(home, interactions, settings, REAL_TIME, [moment.sessions for moment in moments])
    clock.lap("real time")
    told = _segments(home, interactions, moments[-1].known.cutoff)
    weights = {
        "collaborative": _collaborative_weights(moments[-2]),
        "cold_start": _cold_weights(interactions, moments[-2], told, settings),
    }
    found = _measure(interactions, moments[-1], hybrid, real_time, weights, told, split.end)
    clock.lap("evaluation")
    learned = Learned(
        interactions,
        final,
        hybrid.booster,
        real_time.booster,
        weights,
        _popularity(interactions, final.cutoff, _segments(home, interactions, final.cutoff)),
    )
    asked = {
        "hybrid": HYBRID.matrix(hybrid.pulled.data.head(ROWS)),
        "real_time": REAL_TIME.matrix(real_time.pulled.data.head(ROWS)),
    }
    metrics = found.by_question["at the cutoff"]
    parameters = _parameters(settings, interactions, split)
    page = report.draw(NAME, found, parameters | {"weights": weights}, learned, moments[-1])
    version = register(
        home,
        NAME,
        parameters=parameters,
        metrics=_flat(found),
        write=writer(home, learned, hybrid.pulled, found, split, page, asked, HYBRID.matrix(_some(hybrid.test))),
        evidence=found.evidence,
        training_sets=[Sample.of(hybrid.pulled), Sample.of(real_time.pulled)],
    )
    clock.lap("registration")
    saved = hybrid.pulled.save(home)
    path = home.bundles(NAME) / str(version) / "report.html"
    return Result(version, metrics, found, split, hybrid.pulled.data.height, saved, path, clock.seconds)


def problem(home: Home, *, progress: Progress = silent) -> RankerProblem:
    """What the hybrid ranker learns from and is asked about: everything of a run until its first fit.

    Raises:
        InputError: too few plays, or nobody with both a past and a future.
        StoreError: features are not built or not applied.
    """
    clock = Clock(progress, 3)
    interactions, _, settings, moments, _ = _prepared(home, Settings(), clock)
    asked = [moment.asked for moment in moments]
    _, parts = _pulled(home, interactions, HYBRID, asked)
    clock.lap("training set")
    users = interactions.user_ids
    return RankerProblem(
        HYBRID,
        tuple(
            Asked(
                HYBRID.groups(rows),
                np.array([len(query.relevant) for query in queries if len(query.pool)]),
                np.array([users[query.user] for query in queries if len(query.pool)]),
            )
            for queries, rows in zip(asked, parts, strict=True)
            if rows.height
        ),
        settings.ranker,
    )


def _some(rows: pl.DataFrame) -> pl.DataFrame:
    """As many as explain a ranker."""
    return rows.sample(min(rows.height, EXPLAINED), seed=0)


def _prepared(
    home: Home, settings: Settings, clock: Clock
) -> tuple[Interactions, TimeSplit, Settings, list[Moment], Knowledge]:
    """All plays and their split, settings with the vectors chosen, all moments, and what is known at the end."""
    interactions = Interactions.load(home)
    split = TimeSplit.by_share(interactions.time)
    settings = replace(settings, ials=choose_vectors(home, interactions, split, settings))
    clock.lap("vectors chosen")
    return interactions, split, settings, *_moments(home, interactions, split, settings, clock)


def choose_vectors(home: Home, interactions: Interactions, split: TimeSplit, settings: Settings) -> IALS:
    """The vectors' settings that rank the validation period best; the first one wins a tie."""
    history, news = interactions.heard_and_new(split.validation, split.test)
    asked = np.array(sorted(user for user, tracks in news.items() if len(tracks)), np.int64)
    asked = sampled(asked, settings.users_measured, np.random.default_rng(settings.seed))
    described = describe(home, interactions, split.validation).attributes

    def score(ials: IALS) -> float:
        vectors = ials.fit(interactions, split.validation, described)
        rows = zip(asked.tolist(), vectors.scores(asked), strict=True)
        ranked = {user: rank_all(scores, history[user], measured.DEPTH) for user, scores in rows}
        relevant = {user: news[user] for user in asked.tolist()}
        return ranking_metrics(ranked, relevant, interactions.shape[1]).ndcg_at_10

    def best(tried: Sequence[IALS]) -> IALS:
        return tried[int(np.argmax([score(one) for one in tried]))] if len(tried) > 1 else tried[0]

    faded = best([replace(settings.ials, half_life_days=days) for days in settings.half_lives])
    if not described.tracks.nnz:
        return faded
    return best([replace(faded, user_attributes=weight, track_attributes=weight) for weight in settings.attributes])


def _moments(
    home: Home, interactions: Interactions, split: TimeSplit, settings: Settings, clock: Clock
) -> tuple[list[Moment], Knowledge]:
    """What is known and asked at every cutoff in order of time; and what is known at the end, which serves."""
    folds = split.folds(interactions.time, settings.folds)
    periods = [*folds, (split.validation, split.test), (split.test, split.end)]
    rng = np.random.default_rng(settings.seed)
    moments: list[Moment] = []
    known: Knowledge | None = None
    for place, (cutoff, end) in enumerate(periods):
        known = learn(home, interactions, cutoff, settings.ials, before=known)
        training = place < len(folds)
        most = settings.users_per_fold if training else settings.users_measured
        asked = at_cutoff(interactions, known, end, most_users=most, rng=rng)
        sessions = in_session(interactions, known, end, most_users=most, rng=rng)
        if training:
            asked, sessions = (fewer_negatives(part, settings.negatives, rng) for part in (asked, sessions))
        moments.append(Moment(known, asked, sessions))
        clock.tell(place + 1, len(periods) + 1, "what is known")
    for name, moment in zip(("validation", "test"), moments[-2:], strict=True):
        if not any(len(query.relevant) for query in moment.asked):
            raise InputError(
                expected=f"listeners with plays before and new tracks in the {name} period",
                found="none",
                next_command="python -m transforms import FORMAT PATH  (more events, over more days)",
            )
    final = learn(home, interactions, split.end, settings.ials, before=known)
    clock.lap("knowledge")
    return moments, final


def _ranker(
    home: Home, interactions: Interactions, settings: Settings, ranked: Ranked, asked: list[list[Query]]
) -> Fitted:
    """Fit on all but the last two moments, stop by the last but one, score the last."""
    pulled, parts = _pulled(home, interactions, ranked, asked)
    *train, validation, test = parts
    learnable = [ranked.groups(rows) for rows in train if rows.height]
    held_out = ranked.groups(validation) if validation.height else learnable[-1]
    booster = settings.ranker.fit(ranked, learnable or [held_out], held_out)
    scores = np.asarray(booster.predict(ranked.matrix(test))) if test.height else np.empty(0)
    bounds = np.cumsum([len(query.pool) for query in asked[-1]])[:-1]
    return Fitted(booster, pulled, test, np.split(scores, bounds) if asked[-1] else [])


def _pulled(
    home: Home, interactions: Interactions, ranked: Ranked, asked: list[list[Query]]
) -> tuple[TrainingSet, list[pl.DataFrame]]:
    """Features of all candidates; all of them, and the rows of each moment."""
    spines = [spine(interactions, part, home.tenant, context=ranked is REAL_TIME) for part in asked]
    pulled = training_set(ranked.service, pl.concat(spines), home=home)
    ends = np.cumsum([part.height for part in spines])
    rows = [pulled.data[int(end) - part.height : int(end)] for part, end in zip(spines, ends, strict=True)]
    return pulled, rows


def _learned_weights(
    questions: Sequence[tuple[Mapping[str, np.ndarray], np.ndarray, int]], otherwise: dict[str, float]
) -> dict[str, float]:
    """Weights of standardised scores that rank best by NDCG@10.

    Args:
        questions: scores of each candidate by name, whether it was played, and how many tracks were.
        otherwise: if there is no question.
    """
    if not questions:
        return otherwise
    group = np.repeat(np.arange(len(questions)), [len(truth) for _, truth, _ in questions])
    names = tuple(questions[0][0])
    values = np.concatenate(
        [np.column_stack([standardised(scores[name]) for name in names]) for scores, *_ in questions]
    )
    truth = np.concatenate([truth for _, truth, _ in questions]).astype(float)
    loss = NdcgLoss.of(group, np.array([count for *_, count in questions]))
    return WeightedEnsemble(loss=loss, steps=20).fit(Members(names, values, truth, group)).weights


def _collaborative_weights(moment: Moment) -> dict[str, float]:
    """Of taste and of what is played together, on validation."""
    questions = []
    for query in moment.asked:
        mine = measured.collaborative_pool(query)
        scores = measured.collaborative_scores(moment.known, query.user, mine)
        questions.append((scores, np.isin(mine.places, query.relevant), len(query.relevant)))
    return _learned_weights(questions, {"taste": 1.0, "similar": 0.0})


def _cold_weights(
    interactions: Interactions, moment: Moment, told: Mapping[int, tuple[str, ...]], settings: Settings
) -> dict[str, float]:
    """Of what speaks for a track where only a few picks are known: listeners of validation, all but a few picks of
    whose history is forgotten."""
    popularity = _popularity(interactions, moment.known.cutoff, told)
    rng = np.random.default_rng(settings.seed)
    questions = []
    for query in moment.asked:
        if len(query.seen) < PICKS:
            continue
        picks = rng.choice(query.seen, PICKS, replace=False)
        mine, speaks = measured.cold_pool(moment.known, popularity.shares(told.get(query.user, ())), picks)
        wanted = np.union1d(query.relevant, np.setdiff1d(query.seen[: 2 * PICKS], picks))
        questions.append((speaks, np.isin(mine.places, wanted), len(wanted)))
    return _learned_weights(questions, {"similar": 1 / 3, "content": 1 / 3, "popular": 1 / 3})


def _segments(home: Home, interactions: Interactions, cutoff: int) -> dict[int, tuple[str, ...]]:
    """User → segments, of what they had told by the cutoff."""
    ids = pl.Series(interactions.user_ids, dtype=pl.String)
    stamp = pl.repeat(cutoff, len(ids), dtype=pl.Int64, eager=True).cast(pl.Datetime("us", "UTC"))
    rows = training_set(SEGMENT_SERVICE, pl.DataFrame({"user_id": ids, "event_timestamp": stamp}), home=home).data
    told = zip(rows["user_profile__country"], rows["user_profile__birth_year"], strict=True)
    return {user: segments(country, year) for user, (country, year) in enumerate(told)}


def _popularity(interactions: Interactions, cutoff: int, told: Mapping[int, tuple[str, ...]]) -> SegmentPopularity:
    """Of the weeks before the cutoff."""
    recent = interactions.between(cutoff - POPULAR_DAYS * MICROSECONDS_A_DAY, cutoff)
    names = sorted({name for mine in told.values() for name in mine})
    number = {name: place for place, name in enumerate(names)}
    belongs = np.zeros((interactions.shape[0], len(names)), bool)
    for user, mine in told.items():
        belongs[user, [number[name] for name in mine]] = True
    members = ((name, recent.track[belongs[recent.user, place]]) for name, place in number.items())
    of_all = np.bincount(recent.track, minlength=interactions.shape[1]).astype(float)
    return SegmentPopularity.count(members, of_all)


def _measure(
    interactions: Interactions,
    test: Moment,
    hybrid: Fitted,
    real_time: Fitted,
    weights: Mapping[str, Mapping[str, float]],
    told: Mapping[int, tuple[str, ...]],
    end: int,
) -> measured.Measured:
    known = test.known
    metrics, by_segment, told_apart = measured.at_cutoff(
        interactions, known, test.asked, hybrid.scores, weights["collaborative"]
    )
    questions = {"at the cutoff": metrics}
    if test.sessions:
        bounds = np.cumsum([len(query.pool) for query in test.sessions])[:-1]
        without = np.split(np.asarray(hybrid.booster.predict(HYBRID.matrix(real_time.test))), bounds)
        scores = {"real_time": real_time.scores, "hybrid": without}
        questions["next in the session"] = measured.in_session(interactions, known, test.sessions, scores)
    popularity = _popularity(interactions, known.cutoff, told)
    questions |= measured.new_listeners(interactions, known, popularity, told, end, weights["cold_start"])
    cold = measured.new_tracks(interactions, known, end)
    every = questions | ({"new tracks, among themselves": cold} if cold else {})
    return measured.Measured(every, by_segment, told_apart)


def _flat(found: measured.Measured) -> dict[str, float]:
    """As MLflow takes them; what was not measured is left out."""
    told = {f"test_{metric}_{model}": value for model, metric, value in _numbers(found.by_question["at the cutoff"])}
    for question, models in found.by_question.items():
        if question != "at the cutoff":
            told |= {f"{_plain(question)}/{metric}_{_plain(model)}": value for model, metric, value in _numbers(models)}
    told |= {f"segments/{metric}_{name}": value for name, metric, value in _numbers(found.segments)}
    return {name: value for name, value in told.items() if np.isfinite(value)}


def _numbers(models: Mapping[str, RankingMetrics]) -> Iterator[tuple[str, str, float]]:
    return ((model, metric, value) for model, numbers in models.items() for metric, value in asdict(numbers).items())


def _plain(name: str) -> str:
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
    asks=problem,
)
