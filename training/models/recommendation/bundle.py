"""What serving needs of the family, as one bundle: five models that share vectors and catalogue."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.bundle import GOLDEN
from feature_repo.home import Home
from feature_repo.manifest import resolve_service
from feature_repo.store import open_store
from training.background import background
from training.bundle import BACKGROUND, BundleManifest, write_bundle
from training.datasets import Interactions, TimeSplit, TrainingSet
from training.golden import golden
from training.models.lightgbm_onnx import to_onnx
from training.models.recommendation.knowledge import Knowledge
from training.models.recommendation.measured import Measured
from training.models.recommendation.ranker import HYBRID, REAL_TIME
from transforms.pure.candidates.cold import SegmentPopularity
from transforms.pure.candidates.neighbours import Neighbours

if TYPE_CHECKING:
    import lightgbm

NAME = "recommendation"


@dataclass(frozen=True)
class Learned:
    """All that was learned from everything there is.

    Attributes:
        interactions: whose tracks are meant.
        known: at the end of the data.
        hybrid: the ranker at any time.
        real_time: the ranker within sessions.
        weights: of the collaborative and of the cold-start model.
        popularity: by segment.
    """

    interactions: Interactions
    known: Knowledge
    hybrid: "lightgbm.Booster"
    real_time: "lightgbm.Booster"
    weights: Mapping[str, Mapping[str, float]]
    popularity: SegmentPopularity


def writer(
    home: Home,
    learned: Learned,
    pulled: TrainingSet,
    found: Measured,
    split: TimeSplit,
    page: str,
    asked: Mapping[str, np.ndarray],
    shown: np.ndarray,
) -> Callable[[Path, int], BundleManifest]:
    """A function that writes the bundle of a version into a folder.

    Args:
        home: the data folder.
        learned: everything.
        pulled: the hybrid's training set.
        found: metrics.
        split: of the plays.
        page: the report.
        asked: some rows that each ranker eats, by ``hybrid`` and ``real_time``: serving asks about them, too.
        shown: (n, d) rows of the test that the hybrid ranker is explained by.
    """
    boosters = {"hybrid": learned.hybrid, "real_time": learned.real_time}
    known = learned.known
    kept = np.flatnonzero(known.known)
    numbers = {model: asdict(values) for model, values in found.by_question["at the cutoff"].items()}
    real_time = resolve_service(open_store(home), REAL_TIME.service)

    def write(folder: Path, version: int) -> BundleManifest:
        files = {
            "hybrid.onnx": to_onnx(learned.hybrid),
            "real_time.onnx": to_onnx(learned.real_time),
            "taste.voy": index(known.taste.track[kept]),
            "content.voy": index(known.content[1][kept]),
            "similar.npz": among(known.similar, kept).to_bytes(),
            "follows.npz": among(known.follows, kept).to_bytes(),
            "segments.npz": among_segments(learned.popularity, kept).to_bytes(),
            "catalogue.json": json.dumps(_catalogue(learned, kept)).encode(),
            "outcomes.npz": _outcomes(learned, kept),
            GOLDEN: golden({name: (rows, np.asarray(boosters[name].predict(rows))) for name, rows in asked.items()}),
            BACKGROUND: _background(learned.hybrid, shown),
            "report.html": page.encode(),
            "README.md": _card(version, pulled, found, split).encode(),
        }
        return write_bundle(
            folder,
            files,
            {
                "name": NAME,
                "version": version,
                "family": "recommendation",
                "feature_service": HYBRID.service,
                "fingerprint": pulled.manifest["fingerprint"],
                "inputs": [(name, "float32") for name in HYBRID.inputs],
                "outputs": [("score", "float32")],
                "metrics": numbers,
                "training_set": pulled.manifest["digest"],
                "cutoff": iso(known.cutoff),
                "extra": {
                    "columns": list(HYBRID.inputs),
                    "taste_fit": known.taste_fit,
                    "content_fit": known.content_fit,
                    "weights": learned.weights,
                    "real_time": {
                        "service": REAL_TIME.service,
                        "fingerprint": real_time.fingerprint,
                        "inputs": list(REAL_TIME.inputs),
                    },
                },
            },
        )

    return write


def _background(booster: "lightgbm.Booster", shown: np.ndarray) -> bytes:
    """Rows, and what each column contributed to their scores (LightGBM's TreeSHAP)."""
    told = booster.predict(shown, pred_contrib=True) if len(shown) else np.zeros((0, shown.shape[1] + 1))
    return background(shown, np.asarray(told), "hybrid.onnx")


def index(vectors: np.ndarray) -> bytes:
    """Nearest-neighbour index by inner product; items are numbered as in ``catalogue.json``."""
    import voyager

    found = voyager.Index(voyager.Space.InnerProduct, num_dimensions=vectors.shape[1], M=24, ef_construction=200)
    found.add_items(vectors, np.arange(len(vectors)), num_threads=1)
    return found.as_bytes()


def among(table: Neighbours, kept: np.ndarray) -> Neighbours:
    """Between the tracks that are kept alone, numbered anew."""
    number = np.full(len(table.places) + 1, -1, np.int32)
    number[kept] = np.arange(len(kept))
    places = number[table.places[kept]]
    return Neighbours(places, np.where(places >= 0, table.weights[kept], 0).astype(np.float32))


def among_segments(table: SegmentPopularity, kept: np.ndarray) -> SegmentPopularity:
    """Of the tracks that are kept alone, numbered anew; whatever was played is kept."""
    number = np.full(len(table.of_all), -1, np.int32)
    number[kept] = np.arange(len(kept))
    return SegmentPopularity(table.names, table.starts, number[table.places], table.plays, table.of_all[kept])


def _catalogue(learned: Learned, kept: np.ndarray) -> dict[str, Any]:
    plays, known = learned.interactions, learned.known
    place = {track: number for number, track in enumerate(kept.tolist())}
    recent = known.popular[kept]
    return {
        "track_ids": [plays.track_ids[track] for track in kept.tolist()],
        "artist_ids": [plays.artist_ids[track] for track in kept.tolist()],
        "genres": [known.genres[track] for track in kept.tolist()],
        "popular": np.argsort(-recent, kind="stable")[: int((recent > 0).sum())].tolist(),
        "fresh": [place[track] for track in known.fresh.tolist() if track in place],
    }


def _outcomes(learned: Learned, kept: np.ndarray) -> bytes:
    """How often each track was heard to its end, and how often not."""
    plays = learned.interactions.before(learned.known.cutoff)
    tracks = plays.shape[1]
    skipped = np.bincount(plays.track[plays.skipped], minlength=tracks)
    all_plays = np.bincount(plays.track, minlength=tracks)
    out = io.BytesIO()
    np.savez(out, liked=(all_plays - skipped)[kept], skipped=skipped[kept])
    return out.getvalue()


def _card(version: int, pulled: TrainingSet, found: Measured, split: TimeSplit) -> str:
    lines = [
        f"# {NAME} {version}",
        "",
        "Five models that share vectors and catalogue: collaborative filtering, content, hybrid (LambdaRank), real",
        "time (LambdaRank within sessions), cold start. Recommends tracks that the listener has not heard.",
        "",
        f"Trained on {pulled.data.height:,} rows of `{HYBRID.service}` (fingerprint {pulled.manifest['fingerprint']}),",
        f"training set {pulled.manifest['digest'][:16]}, and on moments within sessions by `{REAL_TIME.service}`.",
        f"Validation from {iso(split.validation)}, test from {iso(split.test)} to {iso(split.end)}.",
        "",
        "Test: full ranking over all tracks, heard ones left out.",
    ]
    for question, models in found.by_question.items():
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
    """As text, UTC."""
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat()
