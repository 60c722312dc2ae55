"""Trains for few listeners: what each of them may want to hear again, from their own plays; and what cannot be learned.

1. Split the plays by time: the last fifth is the test, the fifth before it validation.
2. On validation, learn the weights of the scores of ``transforms.pure.candidates.own``, and choose among their blend
   and each score alone. Measure all of them once on the test. What lost there to most played or last played gives way.
3. Write the own plays of the listeners to ``user_own_listening``, and register a bundle that says how they are ordered.

Models that compare listeners are not trained; the result says so.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress
from feature_repo.compile_manifest import resolve_service
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.store import open_store
from training.bundle import BundleManifest, write_bundle
from training.clock import Clock
from training.datasets import Interactions, TimeSplit
from training.models.base import Gates
from training.models.recommendation.bundle import NAME, RetrievalParts, manifest_without_ranker
from training.models.recommendation.feature_rows import write_rows
from training.models.recommendation.ials import Vectors
from training.models.recommendation.knowledge import (
    POPULAR_DAYS,
    Knowledge,
    content_vectors,
    describe,
    fresh_tracks,
    sparse_neighbours,
)
from training.models.recommendation.own_evaluation import NAMES, RANDOM, OwnEvaluation, evaluate_own
from training.models.recommendation.own_listening import listen
from training.models.recommendation.own_result import (
    OwnData,
    OwnResult,
    draw_card,
    draw_page,
    flatten,
    metrics_by_question,
)
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.segments import count_popularity, segments_of_users
from training.models.recommendation.transitions import Transitions
from training.registry import register
from transforms.pure.candidates.neighbours import Neighbours
from transforms.pure.candidates.own import SIMPLE
from transforms.raw.table import MICROSECONDS_UTC

SERVICE, VIEW = "own_listening_v1", "user_own_listening"
SHARE = 0.2
"""Share of the plays in the test, and in validation."""
GATES = Gates(plain={NAMES[order]: 0.05 for order in SIMPLE}, required=(RANDOM,))
"""The simple orders may serve themselves, where they are best; an order at random must surely be beaten."""
MOST_LISTENERS = 50
"""Number of listeners, those with most plays first, whose own plays are measured and written."""


def run_own(home: Home, interactions: Interactions, why: str, progress: Progress) -> OwnResult:
    """Trains, measures and registers for few listeners.

    Args:
        home: the data folder.
        interactions: all plays.
        why: why the models that compare listeners are not trained.
        progress: callback for the progress of each stage.

    Raises:
        StoreError: features are not built or not applied.
    """
    clock = Clock(progress, 4)
    end = int(interactions.time[-1]) + 1
    most_plays = np.argsort(-np.bincount(interactions.user, minlength=interactions.shape[0]), kind="stable")
    users = most_plays[:MOST_LISTENERS].tolist()
    evaluation = _evaluate(home, interactions, users)
    clock.lap("evaluation")
    knowledge = own_knowledge(home, interactions, end)
    _write_own_listening(home, interactions, users, end)
    clock.lap("own plays")
    popularity = count_popularity(interactions, end, segments_of_users(home, interactions, end))
    parts = RetrievalParts(interactions, knowledge, popularity)
    played = np.zeros(interactions.shape[1], bool)
    played[interactions.track] = True
    data = OwnData(
        plays=len(interactions.time),
        listeners=interactions.shape[0],
        tracks=interactions.shape[1],
        unheard=int((knowledge.recommendable & ~played).sum()),
        first=int(interactions.time[0]),
        end=end,
    )
    parameters = {
        "listeners": data.listeners,
        "plays": data.plays,
        "tracks": data.tracks,
        **{
            f"{question}_{name}": value
            for question, choice in evaluation.choices.items()
            for name, value in {"order": choice.order, **choice.weights}.items()
        },
    }
    version = register(
        home,
        NAME,
        parameters=parameters,
        metrics=flatten(evaluation),
        write=_writer(home, parts, data, why, evaluation),
        evidence=evaluation.evidence,
        gates=GATES,
    )
    clock.lap("registration")
    path = home.bundles(NAME) / str(version) / "report.html"
    return OwnResult(version, data, why, evaluation, path, clock.seconds)


def _evaluate(home: Home, interactions: Interactions, users: list[int]) -> OwnEvaluation:
    try:
        split = TimeSplit.by_share(interactions.time, validation=SHARE, test=SHARE)
    except InputError as error:
        return OwnEvaluation.nothing(f"it needs {error.expected}, found {error.found}")
    content = {
        cutoff: content_vectors(describe(home, interactions, cutoff).rows, interactions.before(cutoff))[1]
        for cutoff in (split.validation, split.test)
    }
    return evaluate_own(interactions, split, content, users)


def own_knowledge(home: Home, interactions: Interactions, cutoff: int) -> Knowledge:
    """Learns what candidates are found with where listeners are not compared: content, popularity, what follows what.

    Args:
        home: the data folder.
        interactions: all plays.
        cutoff: µs since 1970 UTC.
    """
    descriptions = describe(home, interactions, cutoff)
    users, tracks = interactions.shape
    past = interactions.before(cutoff)
    nothing = np.zeros((tracks, 1), np.float32)
    return Knowledge(
        cutoff=cutoff,
        taste=Vectors(np.zeros((users, 1), np.float32), nothing, cutoff),
        taste_fit=0,
        content=content_vectors(descriptions.rows, past),
        content_fit=0,
        similar=Neighbours(np.full((tracks, 1), -1, np.int32), nothing),
        follows=sparse_neighbours(Transitions().fit(interactions, cutoff).weights),
        popular=Popularity(days=POPULAR_DAYS).fit(interactions, cutoff).track,
        fresh=fresh_tracks(descriptions, cutoff),
        released=descriptions.released,
        recommendable=(np.bincount(past.track, minlength=tracks) > 0) | descriptions.has_description,
        genres=descriptions.genres,
        in_catalogue=descriptions.in_catalogue,
    )


def _write_own_listening(home: Home, interactions: Interactions, users: list[int], end: int) -> None:
    track_ids = np.array(interactions.track_ids, object)
    own = [listen(interactions, user, end) for user in users]
    stamp = pl.repeat(end, len(users), dtype=pl.Int64, eager=True).cast(MICROSECONDS_UTC)
    columns: dict[str, list[Any]] = {
        "track_ids": [track_ids[item.places].tolist() for item in own],
        "plays": [item.plays.tolist() for item in own],
        "last": [item.last.tolist() for item in own],
        "faded": [item.faded.tolist() for item in own],
        "by_part": [item.by_part.ravel().tolist() for item in own],
        "followers": [item.follows.places.ravel().tolist() for item in own],
        "follow_weights": [item.follows.weights.ravel().tolist() for item in own],
    }
    ids = [interactions.user_ids[user] for user in users]
    rows = pl.DataFrame({"user_id": ids, "event_timestamp": stamp, "created_timestamp": stamp, **columns})
    write_rows(home, VIEW, rows, end, str(rows.hash_rows(seed=0).sum()))


def _writer(
    home: Home, parts: RetrievalParts, data: OwnData, why: str, evaluation: OwnEvaluation
) -> Callable[[Path, int], BundleManifest]:
    """Returns a function that writes the bundle of a version into a folder."""
    service = resolve_service(open_store(home), contract_of(home), SERVICE)

    def write(folder: Path, version: int) -> BundleManifest:
        files = {
            **parts.files(),
            "report.html": draw_page(data, why, evaluation).encode(),
            "README.md": draw_card(version, data, why, evaluation).encode(),
        }
        figures = {
            f"{question}: {NAMES[order]}": asdict(metrics)
            for question, orders in metrics_by_question(evaluation).items()
            for order, metrics in orders.items()
        }
        return write_bundle(
            folder,
            files,
            manifest_without_ranker(
                version,
                service,
                parts.knowledge.cutoff,
                figures,
                {
                    "weights": {
                        "collaborative": {"taste": 1.0, "similar": 0.0},
                        "cold_start": {"similar": 1 / 3, "content": 1 / 3, "popular": 1 / 3},
                    },
                    "own": {
                        "orders": {
                            question: {
                                "order": choice.order,
                                "weights": dict(choice.weights),
                                "measured": choice.why_not is None,
                            }
                            for question, choice in evaluation.choices.items()
                        },
                        "listeners": data.listeners,
                        "unheard": data.unheard,
                        "why": why,
                    },
                },
            ),
        )

    return write
