"""Writes the bundle of the family: five models that share vectors and catalogue."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from feature_repo.bundle import BACKGROUND, GOLDEN
from feature_repo.compile_manifest import resolve_service
from feature_repo.contract import contract_of
from feature_repo.home import Home
from feature_repo.manifest import Service
from feature_repo.store import open_store
from training.bundle import BundleManifest, write_bundle
from training.datasets import Interactions, TimeSplit, TrainingSet
from training.exact.kept import FILE as SUMS
from training.exact.kept import KeptSums
from training.golden import golden
from training.models.lightgbm_onnx import to_onnx
from training.models.recommendation.evaluate import Evaluation
from training.models.recommendation.knowledge import MOST_PLAYS, Knowledge
from training.models.recommendation.ranker import HYBRID, REAL_TIME
from training.models.recommendation.trust import describe_left_out
from transforms.pure import npz
from transforms.pure.candidates.cold import SegmentPopularity
from transforms.pure.candidates.neighbours import Neighbours

if TYPE_CHECKING:
    import lightgbm

NAME = "recommendation"
BLOCK = 512
"""Number of tracks whose neighbours are compared at a time."""


@dataclass(frozen=True)
class RetrievalParts:
    """What every bundle of the family finds its candidates with, learned from all data.

    Attributes:
        interactions: all plays, with the identifiers of tracks and users.
        knowledge: vectors, neighbours and popularity at the end of the data.
        popularity: plays by segment of listeners.
    """

    interactions: Interactions
    knowledge: Knowledge
    popularity: SegmentPopularity

    def files(self) -> dict[str, bytes]:
        """Packs the files of the bundle: indexes, neighbours, popularity, catalogue."""
        knowledge = self.knowledge
        kept_tracks = np.flatnonzero(knowledge.recommendable)
        similar = restrict_neighbours(knowledge.similar, kept_tracks)
        return {
            "taste.voy": build_index(knowledge.taste.track[kept_tracks]),
            "content.voy": build_index(knowledge.content[1][kept_tracks]),
            "similar.npz": similar.to_bytes(),
            "follows.npz": restrict_neighbours(knowledge.follows, kept_tracks).to_bytes(),
            "segments.npz": restrict_segments(self.popularity, kept_tracks).to_bytes(),
            "catalogue.json": json.dumps(_catalogue(self, kept_tracks)).encode(),
            "outcomes.npz": _outcomes(self, kept_tracks, similar),
        }


@dataclass(frozen=True)
class TrainedModels(RetrievalParts):
    """The models trained on all data, as they go into the bundle.

    Attributes:
        hybrid: ranker for requests outside a session.
        real_time: ranker for requests within sessions.
        weights: model (collaborative, cold start) → score name → weight.
        kept: the sums that neighbours and popularity were solved from.
    """

    hybrid: "lightgbm.Booster"
    real_time: "lightgbm.Booster"
    weights: Mapping[str, Mapping[str, float]]
    kept: KeptSums


def bundle_writer(
    home: Home,
    trained: TrainedModels,
    training_data: TrainingSet,
    evaluation: Evaluation,
    split: TimeSplit,
    page: str,
    golden_inputs: Mapping[str, np.ndarray],
    explained: bytes,
) -> Callable[[Path, int], BundleManifest]:
    """Returns a function that writes the bundle of a version into a folder.

    Args:
        home: the data folder.
        trained: models trained on all data.
        training_data: training set of the hybrid ranker.
        evaluation: metrics on test.
        split: split of the plays by time.
        page: report as HTML.
        golden_inputs: ranker (``hybrid``, ``real_time``) → input rows whose scores serving checks.
        explained: rows of the test and what contributes to their scores (``hybrid_explanation``).
    """
    boosters = {"hybrid": trained.hybrid, "real_time": trained.real_time}
    knowledge = trained.knowledge
    trust = describe_left_out(int(knowledge.left_out.sum()), len(trained.interactions.user_ids))
    numbers = {model: asdict(values) for model, values in evaluation.by_question["at the cutoff"].items()}
    real_time = resolve_service(open_store(home), contract_of(home), REAL_TIME.service)

    def write(folder: Path, version: int) -> BundleManifest:
        files = {
            "hybrid.onnx": to_onnx(trained.hybrid),
            "real_time.onnx": to_onnx(trained.real_time),
            **trained.files(),
            SUMS: trained.kept.to_bytes(),
            GOLDEN: golden(
                {name: (rows, np.asarray(boosters[name].predict(rows))) for name, rows in golden_inputs.items()}
            ),
            BACKGROUND: explained,
            "report.html": page.encode(),
            "README.md": _model_card(version, training_data, evaluation, split, trust).encode(),
        }
        return write_bundle(
            folder,
            files,
            {
                "name": NAME,
                "version": version,
                "family": "recommendation",
                "feature_service": HYBRID.service,
                "fingerprint": training_data.manifest["fingerprint"],
                "inputs": [(name, "float32") for name in HYBRID.inputs],
                "outputs": [("score", "float32")],
                "metrics": numbers,
                "training_set": training_data.manifest["digest"],
                "cutoff": iso(knowledge.cutoff),
                "extra": {
                    "columns": list(HYBRID.inputs),
                    "taste_fit": knowledge.taste_fit,
                    "content_fit": knowledge.content_fit,
                    "weights": trained.weights,
                    "lost_to_popularity": evaluation.lost_to_popularity,
                    "real_time": {
                        "service": REAL_TIME.service,
                        "fingerprint": real_time.fingerprint,
                        "inputs": list(REAL_TIME.inputs),
                    },
                },
            },
        )

    return write


def manifest_without_ranker(
    version: int, service: Service | None, cutoff: int, metrics: Mapping[str, Any], extra: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the manifest of a bundle that orders by its own parts, without a ranker and its training set.

    Args:
        version: version of the bundle.
        service: the service that answers read; None if they read none.
        cutoff: µs since 1970 UTC; only what was before it is learned from.
        metrics: figures of the version.
        extra: what answering needs to know besides.
    """
    return {
        "name": NAME,
        "version": version,
        "family": "recommendation",
        "feature_service": "" if service is None else service.name,
        "fingerprint": "" if service is None else service.fingerprint,
        "inputs": [] if service is None else list(service.features),
        "outputs": [("score", "float32")],
        "metrics": dict(metrics),
        "training_set": "",
        "cutoff": iso(cutoff),
        "extra": dict(extra),
    }


def build_index(vectors: np.ndarray) -> bytes:
    """Builds a nearest-neighbour index by inner product; items are numbered as in ``catalogue.json``."""
    import voyager

    vector_index = voyager.Index(voyager.Space.InnerProduct, num_dimensions=vectors.shape[1], M=24, ef_construction=200)
    vector_index.add_items(vectors, np.arange(len(vectors)), num_threads=1)
    return vector_index.as_bytes()


def restrict_neighbours(table: Neighbours, kept_tracks: np.ndarray) -> Neighbours:
    """Restricts neighbours to the kept tracks and renumbers them."""
    new_number = np.full(len(table.places) + 1, -1, np.int32)
    new_number[kept_tracks] = np.arange(len(kept_tracks))
    places = new_number[table.places[kept_tracks]]
    return Neighbours(places, np.where(places >= 0, table.weights[kept_tracks], 0).astype(np.float32))


def restrict_segments(table: SegmentPopularity, kept_tracks: np.ndarray) -> SegmentPopularity:
    """Restricts the popularity by segment to the kept tracks, which include every played track, and renumbers them."""
    new_number = np.full(len(table.of_all), -1, np.int32)
    new_number[kept_tracks] = np.arange(len(kept_tracks))
    return SegmentPopularity(
        table.names, table.starts, new_number[table.places], table.plays, table.of_all[kept_tracks]
    )


def _catalogue(trained: RetrievalParts, kept_tracks: np.ndarray) -> dict[str, Any]:
    plays, knowledge = trained.interactions, trained.knowledge
    new_number = {track: number for number, track in enumerate(kept_tracks.tolist())}
    fresh = [track for track in knowledge.fresh.tolist() if track in new_number]
    recent_plays = knowledge.popular[kept_tracks]
    return {
        "track_ids": [plays.track_ids[track] for track in kept_tracks.tolist()],
        "artist_ids": [plays.artist_ids[track] for track in kept_tracks.tolist()],
        "genres": [knowledge.genres[track] for track in kept_tracks.tolist()],
        "not_in_catalogue": np.flatnonzero(~knowledge.in_catalogue[kept_tracks]).tolist(),
        "popular": np.argsort(-recent_plays, kind="stable")[: int((recent_plays > 0).sum())].tolist(),
        "fresh": [new_number[track] for track in fresh],
        "released": [int(knowledge.released[track]) for track in fresh],
        "listeners": len(np.unique(plays.user)),
    }


def _outcomes(trained: RetrievalParts, kept_tracks: np.ndarray, similar: Neighbours) -> bytes:
    """Packs plays and listeners of each track, and how many listeners played both a track and its neighbour."""
    plays = trained.interactions.before(trained.knowledge.cutoff)
    tracks = plays.shape[1]
    skipped = np.bincount(plays.track[plays.skipped], minlength=tracks)
    all_plays = np.bincount(plays.track, minlength=tracks)
    listened = sparse.csr_array((np.ones(len(plays.user)), (plays.track, plays.user)), (tracks, plays.shape[0]))
    listened.data[:] = 1
    listened = listened[kept_tracks]
    outcomes = {
        "liked": (all_plays - skipped)[kept_tracks],
        "skipped": skipped[kept_tracks],
        "listeners": np.diff(listened.indptr),
        "shared_listeners": count_shared_listeners(listened, similar),
    }
    return npz.pack(outcomes, compressed=False)


def count_shared_listeners(listened: sparse.csr_array, similar: Neighbours) -> np.ndarray:
    """(tracks, k) uint8 listeners who played both a track and its neighbour, 255 at most; 0 where there is none.

    Args:
        listened: (tracks, users) 1 where the user played the track.
        similar: neighbours of the tracks.
    """
    shared = np.zeros(similar.places.shape, np.uint8)
    for first in range(0, len(similar.places), BLOCK):
        neighbours = similar.places[first : first + BLOCK]
        rows, columns = np.nonzero(neighbours >= 0)
        both = listened[first + rows].multiply(listened[neighbours[rows, columns]])
        shared[first + rows, columns] = np.minimum(np.asarray(both.sum(axis=1)).ravel(), 255)
    return shared


def _model_card(version: int, training_data: TrainingSet, evaluation: Evaluation, split: TimeSplit, trust: str) -> str:
    lines = [
        f"# {NAME} {version}",
        "",
        "Five models that share vectors and catalogue: collaborative filtering, content, hybrid (LambdaRank), real",
        "time (LambdaRank within sessions), cold start. Recommends tracks that the listener has not heard.",
        "",
        f"Trained on {training_data.data.height:,} rows of `{HYBRID.service}` "
        f"(fingerprint {training_data.manifest['fingerprint']}),",
        f"training set {training_data.manifest['digest'][:16]}, and on moments within sessions "
        f"by `{REAL_TIME.service}`.",
        f"Validation from {iso(split.validation)}, test from {iso(split.test)} to {iso(split.end)}.",
        f"{trust[0].upper()}{trust[1:]}.",
        f"A listener's plays of a track count {MOST_PLAYS} times at most in what is popular.",
        "",
        "Test: full ranking over all tracks, heard ones left out.",
    ]
    for question, models in evaluation.by_question.items():
        lines += [
            "",
            f"## {question.capitalize()}",
            "",
            "| model | NDCG@10 | ± 95 % | Recall@20 | coverage@10 | listeners |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {name} | {m.ndcg_at_10:.4f} | {m.ndcg_interval:.4f} | {m.recall_at_20:.4f} | {m.coverage_at_10:.3f} "
            f"| {m.users} |"
            for name, m in models.items()
        ]
    return "\n".join([*lines, "", "All metrics, segments and pictures: `report.html`.", ""])


def iso(micros: int) -> str:
    """Formats µs since 1970 UTC as ISO 8601."""
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat()
