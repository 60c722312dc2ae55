"""The recommendation family, end to end.

1. Split the plays by time: train, validation, test (``TimeSplit``).
2. Choose how fast plays fade on validation: the half-life with the best NDCG@10 of the vectors alone.
3. At every cutoff (some within train, then the starts of validation and test, then the end) fit the vectors on what
   came before and write them into the feature tables ``user_taste`` and ``track_taste``, stamped with the cutoff.
4. At every cutoff ask for each listener's candidates; what they went on to play is the label. Pull the features of
   ``recommendation_v1`` for all of it, as of the cutoff.
5. Fit the ranker on train, its size on validation; measure everything once on test.
6. Register a bundle: the ranker as ONNX, an index over the newest track vectors, the popular tracks.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.bundle import BundleManifest, write_bundle
from training.clock import Clock
from training.datasets import Interactions, TimeSplit, TrainingSet, training_set
from training.evaluate import RankingMetrics, rank_all, ranking_metrics
from training.models.lightgbm_onnx import to_onnx
from training.models.recommendation import popularity
from training.models.recommendation.als import ALS, Vectors
from training.models.recommendation.candidates import NEAREST, POPULAR, POPULAR_DAYS, Query, queries, spine
from training.models.recommendation.ranker import INPUTS, SERVICE, Groups, Ranker, matrix
from training.registry import register
from transforms import feature_tables
from transforms.raw.table import MICROSECONDS_UTC

if TYPE_CHECKING:
    import lightgbm

NAME = "recommendation"
DEPTH = 20


@dataclass(frozen=True)
class Settings:
    """What a run may vary.

    Attributes:
        als: the vectors; their half-life is chosen from ``half_lives``.
        half_lives: in days, None for plays that never fade.
        ranker: the ranker.
        folds: cutoffs within train at which the ranker learns.
        users_per_fold: most listeners asked at one of them.
        users_measured: most listeners asked in validation and in test.
        seed: of the samples of listeners.
    """

    als: ALS = field(default_factory=ALS)
    ranker: Ranker = field(default_factory=Ranker)
    half_lives: tuple[float | None, ...] = (14.0, 30.0, 120.0, None)
    folds: int = 12
    users_per_fold: int = 100
    users_measured: int = 500
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What a run found."""

    version: int
    metrics: dict[str, RankingMetrics]
    split: TimeSplit
    training_rows: int
    training_set: Path
    seconds: dict[str, float]

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield f"{self.training_rows:,} training rows → {self.training_set}"
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield f"{'test':16}{'NDCG@10':>9}{'± 95 %':>9}{'Recall@20':>11}{'coverage':>10}{'listeners':>11}"
        for model, numbers in self.metrics.items():
            yield (
                f"{model:16}{numbers.ndcg_at_10:9.4f}{numbers.ndcg_interval:9.4f}{numbers.recall_at_20:11.4f}"
                f"{numbers.coverage_at_10:10.3f}{numbers.users:11}"
            )
        yield f"registered: {NAME} {self.version} (challenger). Next: python -m training promote {NAME}"


@dataclass(frozen=True)
class Moment:
    """Everything about one cutoff."""

    vectors: Vectors
    asked: list[Query]
    spine: pl.DataFrame


def run(home: Home, settings: Settings | None = None, *, progress: Progress = silent) -> Result:
    """Train, measure and register. See the module's docstring.

    Raises:
        InputError: too few plays, or nobody with both a past and a future.
        StoreError: features are not built or not applied.
    """
    settings = settings or Settings()
    clock = Clock(progress, 6)
    interactions = Interactions.load(home)
    split = TimeSplit.by_share(interactions.time)
    settings = replace(settings, als=choose_half_life(interactions, split, settings))
    clock.lap("half-life")
    moments, final = _moments(home, interactions, split, settings, clock)
    pulled = training_set(SERVICE, pl.concat([moment.spine for moment in moments]), home=home)
    saved = pulled.save(home)
    clock.lap("features")
    *train, validation, test = _by_moment(pulled, moments)
    booster = settings.ranker.fit([Groups.of(rows) for rows in train], Groups.of(validation))
    clock.lap("ranker")
    metrics = measure(interactions, moments[-1], np.asarray(booster.predict(matrix(test))))
    clock.lap("evaluation")
    version = register(
        home,
        NAME,
        parameters=_parameters(settings, interactions, split),
        metrics={
            f"test_{metric}_{model}": value
            for model, numbers in metrics.items()
            for metric, value in asdict(numbers).items()
        },
        write=_bundle_writer(interactions, final, booster, pulled, metrics, split),
    )
    clock.lap("registration")
    return Result(version, metrics, split, pulled.data.height, saved, clock.seconds)


def choose_half_life(interactions: Interactions, split: TimeSplit, settings: Settings) -> ALS:
    """The vectors' settings with the half-life that ranks the validation period best; the first one wins a tie."""
    history, news = interactions.heard_and_new(split.validation, split.test)
    asked = sorted(user for user, tracks in news.items() if len(tracks))
    if len(asked) > settings.users_measured:
        rng = np.random.default_rng(settings.seed)
        asked = np.sort(rng.choice(asked, settings.users_measured, replace=False)).tolist()
    scores = []
    for days in settings.half_lives:
        vectors = replace(settings.als, half_life_days=days).fit(interactions, split.validation)
        ranked = {user: rank_all(vectors.track @ vectors.user[user], history[user], DEPTH) for user in asked}
        relevant = {user: news[user] for user in asked}
        scores.append(ranking_metrics(ranked, relevant, interactions.shape[1]).ndcg_at_10)
    return replace(settings.als, half_life_days=settings.half_lives[int(np.argmax(scores))])


def measure(interactions: Interactions, test: Moment, ranker_scores: np.ndarray) -> dict[str, RankingMetrics]:
    """The ranker and its parts on the same listeners: full lists over all tracks, heard ones left out.

    Args:
        interactions: all plays.
        test: the test moment.
        ranker_scores: (rows of the spine,) scores of its candidates; tracks that are none rank after them, in the
            order of the vectors.
    """
    cutoff = test.vectors.cutoff
    always = popularity.fit(interactions, cutoff)
    recent = popularity.fit(interactions, cutoff, days=POPULAR_DAYS)
    lists: dict[str, dict[int, np.ndarray]] = {
        "hybrid": {},
        "als": {},
        "popularity": {},
        "popularity_28d": {},
    }
    ends = np.cumsum([len(query.candidates) for query in test.asked])
    for query, scores in zip(test.asked, np.split(ranker_scores, ends[:-1]), strict=True):
        taste = test.vectors.track @ test.vectors.user[query.user]
        best = query.candidates[np.argsort(-scores, kind="stable")][:DEPTH]
        rest = rank_all(taste, np.union1d(query.seen, best), DEPTH - len(best))
        lists["hybrid"][query.user] = np.concatenate([best, rest])
        lists["als"][query.user] = rank_all(taste, query.seen, DEPTH)
        lists["popularity"][query.user] = rank_all(always, query.seen, DEPTH)
        lists["popularity_28d"][query.user] = rank_all(recent, query.seen, DEPTH)
    relevant = {query.user: query.relevant for query in test.asked}
    return {name: ranking_metrics(ranked, relevant, interactions.shape[1]) for name, ranked in lists.items()}


def _moments(
    home: Home, interactions: Interactions, split: TimeSplit, settings: Settings, clock: Clock
) -> tuple[list[Moment], Vectors]:
    """Vectors and questions at every cutoff in order of time; and the vectors of the end, which serve."""
    folds = split.folds(interactions.time, settings.folds)
    periods = [*folds, (split.validation, split.test), (split.test, split.end)]
    rng = np.random.default_rng(settings.seed)
    moments: list[Moment] = []
    vectors: Vectors | None = None
    for place, (cutoff, end) in enumerate(periods):
        vectors = settings.als.fit(interactions, cutoff, start=vectors)
        _write_vectors(home, interactions, vectors, settings)
        most = settings.users_per_fold if place < len(folds) else settings.users_measured
        asked = queries(interactions, vectors, end, most_users=most, rng=rng)
        moments.append(Moment(vectors, asked, spine(interactions, vectors, asked, home.tenant)))
        clock.tell(place + 1, len(periods) + 1, "vectors")
    for name, moment in zip(("validation", "test"), moments[-2:], strict=True):
        if not any(len(query.relevant) for query in moment.asked):
            raise InputError(
                expected=f"listeners with plays before and new tracks in the {name} period",
                found="none",
                next_command="python -m transforms import FORMAT PATH  (more events, over more days)",
            )
    final = settings.als.fit(interactions, split.end, start=vectors)
    _write_vectors(home, interactions, final, settings)
    clock.lap("vectors")
    return [moment for moment in moments if moment.asked], final


def fit_identity(vectors: Vectors) -> int:
    """A number that tells this fit from every other: 52 bits of a digest, exact as a float64."""
    content = hashlib.sha256(vectors.user.tobytes() + vectors.track.tobytes())
    return int.from_bytes(content.digest()[:8], "big") >> 12


def _write_vectors(home: Home, interactions: Interactions, vectors: Vectors, settings: Settings) -> None:
    """Into the feature tables, for everybody and everything with a past, stamped with the cutoff."""
    moment = datetime.fromtimestamp(vectors.cutoff / 1e6, UTC)
    fit = fit_identity(vectors)
    inputs = hashlib.sha256(f"{settings.als} {fit}".encode()).hexdigest()
    views = feature_tables.tables()
    for view, key, ids, values in (
        ("user_taste", "user_id", interactions.user_ids, vectors.user),
        ("track_taste", "track_id", interactions.track_ids, vectors.track),
    ):
        known = np.any(values != 0, axis=1)
        stamp = pl.repeat(vectors.cutoff, int(known.sum()), dtype=pl.Int64, eager=True).cast(MICROSECONDS_UTC)
        rows = pl.DataFrame(
            {
                key: pl.Series(ids, dtype=pl.String).filter(pl.Series(known)),
                "event_timestamp": stamp,
                "created_timestamp": stamp,
                "vector": pl.Series(values[known], dtype=pl.Array(pl.Float32, values.shape[1])).arr.to_list(),
                "fit": pl.repeat(fit, int(known.sum()), dtype=pl.Int64, eager=True),
            }
        )
        feature_tables.write_partition(
            home,
            views[view],
            rows,
            date=str(moment.date()),
            inputs=inputs,
            part=f"part-{vectors.cutoff}.parquet",
        )


def _by_moment(pulled: TrainingSet, moments: list[Moment]) -> list[pl.DataFrame]:
    ends = np.cumsum([moment.spine.height for moment in moments])
    return [pulled.data[int(end) - moment.spine.height : int(end)] for moment, end in zip(moments, ends, strict=True)]


def _parameters(settings: Settings, interactions: Interactions, split: TimeSplit) -> dict[str, Any]:
    users, tracks = interactions.shape
    return {
        **{f"als_{key}": value for key, value in asdict(settings.als).items()},
        **{f"ranker_{key}": value for key, value in asdict(settings.ranker).items()},
        "folds": settings.folds,
        "seed": settings.seed,
        "plays": len(interactions.time),
        "users": users,
        "tracks": tracks,
        **{f"split_{name}": _iso(moment) for name, moment in asdict(split).items()},
    }


def _bundle_writer(
    interactions: Interactions,
    final: Vectors,
    booster: "lightgbm.Booster",
    pulled: TrainingSet,
    metrics: dict[str, RankingMetrics],
    split: TimeSplit,
) -> Callable[[Path, int], BundleManifest]:
    known = np.flatnonzero(np.any(final.track != 0, axis=1))
    recent = popularity.fit(interactions, final.cutoff, days=POPULAR_DAYS)[known]
    catalogue = {
        "track_ids": [interactions.track_ids[track] for track in known.tolist()],
        "artist_ids": [interactions.artist_ids[track] for track in known.tolist()],
        "popular": np.argsort(-recent, kind="stable").tolist(),
    }
    numbers = {model: asdict(values) for model, values in metrics.items()}

    def write(folder: Path, version: int) -> BundleManifest:
        files = {
            "model.onnx": to_onnx(booster),
            "index.voy": _index(final.track[known]),
            "catalogue.json": json.dumps(catalogue).encode(),
            "README.md": _card(version, pulled, metrics, split).encode(),
        }
        return write_bundle(
            folder,
            files,
            {
                "name": NAME,
                "version": version,
                "family": "recommendation",
                "feature_service": SERVICE,
                "fingerprint": pulled.manifest["fingerprint"],
                "inputs": [(name, "float32") for name in INPUTS],
                "outputs": [("score", "float32")],
                "metrics": numbers,
                "training_set": pulled.manifest["digest"],
                "cutoff": _iso(final.cutoff),
                "extra": {"fit": fit_identity(final), "nearest": NEAREST, "popular": POPULAR},
            },
        )

    return write


def _index(vectors: np.ndarray) -> bytes:
    """Nearest-neighbour index by inner product; items are numbered as in ``catalogue.json``."""
    import voyager

    index = voyager.Index(voyager.Space.InnerProduct, num_dimensions=vectors.shape[1], M=24, ef_construction=200)
    index.add_items(vectors, np.arange(len(vectors)), num_threads=1)
    return index.as_bytes()


def _card(version: int, pulled: TrainingSet, metrics: dict[str, RankingMetrics], split: TimeSplit) -> str:
    lines = [
        f"# {NAME} {version}",
        "",
        "Candidates by collaborative filtering and recent popularity, ordered by LambdaRank. Recommends tracks that",
        "the listener has not heard.",
        "",
        f"Trained on {pulled.data.height:,} rows of `{SERVICE}` (fingerprint {pulled.manifest['fingerprint']}), ",
        f"training set {pulled.manifest['digest'][:16]}. Validation from {_iso(split.validation)}, test from",
        f"{_iso(split.test)} to {_iso(split.end)}.",
        "",
        "Test: full ranking over all tracks, heard ones left out, listeners with a past.",
        "",
        "| model | NDCG@10 | ± 95 % | Recall@20 | coverage@10 | listeners |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {m.ndcg_at_10:.4f} | {m.ndcg_interval:.4f} | {m.recall_at_20:.4f} | {m.coverage_at_10:.3f} "
            f"| {m.users} |"
            for name, m in metrics.items()
        ),
        "",
        "Limits: tracks nobody played before the cutoff are never recommended; a listener without plays gets what is",
        "popular.",
        "",
    ]
    return "\n".join(lines)


def _iso(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat()
