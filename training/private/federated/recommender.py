"""A bundle of recommendations from the sums of all silos, in the data folder of one of them.

The sums are renumbered to the tracks of the folder: a track of others that it does not have is no candidate, and what
follows from it goes into the weights all the same. Kept beside the bundle are the sums of the folder's tracks, so that
a person is erased as from every version: the successor is the next run without the person. Descriptions of tracks and
plays of a listener's own come from the folder alone; there are no rankers, which learn from rows of people.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from scipy import sparse

from feature_repo.compile_manifest import resolve_service
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.store import open_store
from training.bundle import BundleManifest, write_bundle
from training.datasets import Interactions
from training.exact import gram
from training.exact.kept import FILE as SUMS
from training.exact.kept import KeptSums
from training.exact.sums import Sums, Table
from training.models.base import Gates
from training.models.recommendation import segments
from training.models.recommendation.bundle import NAME, RetrievalParts, iso, manifest_without_ranker
from training.models.recommendation.contract import FromHistory
from training.models.recommendation.knowledge import FOLLOWS, Knowledge, neighbours
from training.models.recommendation.own_run import SERVICE, own_knowledge
from training.private.federated.agreement import Agreement
from training.private.federated.catalogue import Catalogue
from training.private.federated.check_recommender import check_recommender, solve_ease
from training.private.federated.measure import ALONE, POPULARITY, RANDOM, Measured, measure
from training.private.federated.statistics.outcomes import LIKED, LISTENERS, SKIPPED
from training.registered_files import RUN
from training.registry import register
from transforms.pure import npz
from transforms.pure.candidates.neighbours import Neighbours

GATES = Gates(plain={POPULARITY: 0.0}, required=(POPULARITY, RANDOM))
WHY_NO_RANKER = "learned from sums of silos, which keep the rows that a ranker is trained on"
WHY = "the sums of several silos hold no rows that rankers learn from"


@dataclass(frozen=True)
class Registered:
    """A version that was registered.

    Attributes:
        version: its number.
        tracks: number of tracks of the folder that are in the catalogue of the run.
        items: number of items of the catalogue.
        measured: figures on plays of the folder after the cutoff; None if there are too few.
    """

    version: int
    tracks: int
    items: int
    measured: Measured | None


def register_recommender(home: Home, result: bytes, terms: Agreement, silos: int, erasures: int) -> Registered:
    """Solves the models from the sums of a run, measures them on the folder's own later plays, and registers a bundle.

    Args:
        home: the data folder of a silo.
        result: bytes of the kept sums of the run.
        terms: the terms of the run.
        silos: number of silos in the sums.
        erasures: number of erasures of this folder without whose people the sums are; later ones make the version due.

    Raises:
        InputError: the sums are not those of a recommender.
        StoreError: there are no plays, or features are not built or not applied.
    """
    kept = read_sums(result)
    check_recommender(kept)
    interactions = Interactions.load(home)
    is_hashed = "items" not in terms.parameters
    places = Catalogue(kept.items, terms.run, is_hashed).places(interactions.track_ids)
    sums = renumber(kept.sums, places)
    own_tracks, weights = np.flatnonzero(places >= 0), solve_ease(kept.sums)
    similar = FromHistory(
        sparse.csr_array((1, len(own_tracks))), weights[np.ix_(places[own_tracks], places[own_tracks])]
    )
    knowledge = _knowledge(home, interactions, terms.cutoff, sums, similar, own_tracks)
    if not knowledge.recommendable.any():
        raise InputError(
            expected=f"tracks of this folder in the catalogue of the run, or plays before {iso(terms.cutoff)[:16]}",
            found="none: nothing can be recommended here",
            next_command="refrain model federate join URL --no-register  (takes part, without a version)",
        )
    measured = measure(interactions, terms.cutoff, similar.weights, own_tracks, knowledge.popular)
    ids = [interactions.track_ids[track] for track in own_tracks.tolist()]
    own = kept_of(ids, terms.cutoff, renumber(kept.sums, places[own_tracks]))
    parts = RetrievalParts(interactions, knowledge, segments.solve(sums))
    record: dict[str, Any] = {
        "run": terms.run,
        "name": terms.name,
        "agreement": terms.digest(),
        "silos": silos,
        "statistics": list(terms.statistics),
        "listeners": int(kept.sums[LISTENERS].sum()),
    }
    token: Token[Mapping[str, Any]] = RUN.set({"key": terms.digest(), "erasures": erasures})
    try:
        version = register(
            home,
            NAME,
            parameters={f"federated_{name}": value for name, value in record.items()} | {"tracks": len(own_tracks)},
            metrics={} if measured is None else measured.flat(),
            write=_writer(home, parts, own, sums, record, measured),
            evidence=None if measured is None else measured.evidence,
            gates=GATES,
        )
    finally:
        RUN.reset(token)
    return Registered(version, len(own_tracks), len(kept.items), measured)


def read_sums(result: bytes) -> KeptSums:
    """The sums of a run.

    Raises:
        InputError: they are damaged.
    """
    try:
        return KeptSums.from_bytes(result)
    except (ValueError, KeyError, TypeError, IndexError, EOFError, BadZipFile) as error:
        raise InputError(
            expected="the sums of a run",
            found=f"{type(error).__name__}: {str(error)[:200]}",
            next_command="refrain model federate recommendation --name ANOTHER_NAME",
        ) from error


def renumber(sums: Sums, places: np.ndarray) -> Sums:
    """The sums with the tracks numbered otherwise; those that are not numbered are left out.

    Args:
        sums: sums by the items of a catalogue.
        places: (tracks,) place in the catalogue of each track, -1 for none.

    >>> plays = Sums({"plays": Table.of(sparse.csr_array([[4, 0, 5]]), 5, "plays")})
    >>> renumber(plays, np.array([2, -1, 0]))["plays"].toarray().tolist()
    [[5, 0, 4]]
    """
    tracks = np.flatnonzero(places >= 0)
    tables = {}
    for name, table in sums.tables.items():
        if table.cells.shape == (1, 1):
            tables[name] = table
            continue
        choice = sparse.csr_array(
            (np.ones(len(tracks), np.int64), (places[tracks], tracks)), (table.cells.shape[1], len(places))
        )
        cells = table.cells @ choice
        cells = cells if table.cells.shape[0] == 1 else choice.T @ cells
        tables[name] = Table.of(sparse.csr_array(cells), table.bound, name, is_signed=table.is_signed)
    return Sums(tables)


def kept_of(track_ids: Sequence[str], cutoff: int, sums: Sums) -> KeptSums:
    """What a bundle keeps of renumbered sums: the tables that a person's share is counted of.

    Args:
        track_ids: ids of the tracks; only those of the catalogue, as plays of others were not counted.
        cutoff: µs since 1970 UTC.
        sums: the sums by these tracks.
    """
    tables = {name: table for name, table in sums.tables.items() if name not in (LIKED, SKIPPED, LISTENERS)}
    return KeptSums(track_ids, cutoff, Sums(tables))


def _knowledge(
    home: Home,
    interactions: Interactions,
    cutoff: int,
    sums: Sums,
    similar: FromHistory,
    own_tracks: np.ndarray,
) -> Knowledge:
    """What the folder knows by itself, with neighbours and popularity of all silos."""
    own = own_knowledge(home, interactions, cutoff)
    table = neighbours(similar) if len(own_tracks) else Neighbours(np.zeros((0, 1), np.int32), np.zeros((0, 1)))
    places = np.full((interactions.shape[1], table.places.shape[1]), -1, np.int32)
    weights = np.zeros(places.shape, np.float32)
    places[own_tracks] = (
        np.where(table.places >= 0, own_tracks[np.maximum(table.places, 0)], -1) if len(own_tracks) else 0
    )
    weights[own_tracks] = table.weights
    return replace(
        own,
        similar=Neighbours(places, weights),
        follows=neighbours(FromHistory(sparse.csr_array((1, interactions.shape[1])), FOLLOWS.solve(sums))),
        popular=sums[segments.EVERYBODY].toarray()[0].astype(np.float64),
        recommendable=own.recommendable | (sums[gram.NAME].diagonal() > 0),
    )


def _outcomes(sums: Sums, kept_tracks: np.ndarray, similar: Neighbours) -> bytes:
    """Packs plays, skips and listeners of each track, and listeners of it and its neighbour, 255 at most."""
    pairs = sums[gram.NAME]
    shared = np.zeros(similar.places.shape, np.uint8)
    rows, columns = np.nonzero(similar.places >= 0)
    others = similar.places[rows, columns]
    if len(rows):  # SciPy takes no empty arrays of places
        shared[rows, columns] = np.minimum(np.asarray(pairs[kept_tracks[rows], kept_tracks[others]]).ravel(), 255)
    return npz.pack(
        {
            "liked": sums[LIKED].toarray()[0][kept_tracks],
            "skipped": sums[SKIPPED].toarray()[0][kept_tracks],
            "listeners": pairs.diagonal()[kept_tracks],
            "shared_listeners": shared,
        },
        compressed=False,
    )


def _writer(
    home: Home,
    parts: RetrievalParts,
    kept: KeptSums,
    sums: Sums,
    record: Mapping[str, Any],
    measured: Measured | None,
) -> Callable[[Path, int], BundleManifest]:
    """Returns a function that writes the bundle of a version into a folder."""
    service = resolve_service(open_store(home), contract_of(home), SERVICE)

    def write(folder: Path, version: int) -> BundleManifest:
        files = parts.files()
        files["outcomes.npz"] = _outcomes(
            sums, np.flatnonzero(parts.knowledge.recommendable), Neighbours.from_bytes(files["similar.npz"])
        )
        files |= {SUMS: kept.to_bytes(), "README.md": _card(version, record, measured).encode()}
        figures = {} if measured is None else {name: asdict(each) for name, each in measured.metrics.items()}
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
                        "collaborative": {"taste": 0.0, "similar": 1.0},
                        "cold_start": {"similar": 1.0, "content": 0.0, "popular": 0.0},
                    },
                    "own": {"orders": {}, "listeners": record["listeners"], "unheard": 0, "why": WHY},
                    "why_no_ranker": WHY_NO_RANKER,
                    "federated": dict(record),
                },
            ),
        )

    return write


def _card(version: int, record: Mapping[str, Any], measured: Measured | None) -> str:
    lines = [
        f"# {NAME} {version}",
        "",
        f"Learned from the sums of {record['silos']} silos with {record['listeners']:,} listeners: run",
        f"{record['name']}, terms {record['agreement'][:16]}. Nobody saw a silo's own sums. No rankers: {WHY}.",
        "",
    ]
    if measured is None:
        return "\n".join([*lines, "Not measured: too few listeners of this folder have plays after the cutoff.", ""])
    lines += [
        f"Measured on {measured.listeners:,} listeners of this folder, on what they first played after the",
        f"cutoff. `{ALONE}` is the same model from this folder alone.",
        "",
        "| model | NDCG@10 | ± 95 % | Recall@20 |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {figures.ndcg_at_10:.4f} | {figures.ndcg_interval:.4f} | {figures.recall_at_20:.4f} |"
        for name, figures in measured.metrics.items()
    ]
    return "\n".join([*lines, ""])
