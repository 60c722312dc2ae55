"""A private version of the recommenders, served as usual: neighbours of tracks and popularity, from one release.

The release is paid for in the ledger and kept: a rerun with the same plays, ε and δ returns it, and costs nothing.
Taste and content vectors, what follows what, rankers, segments, plays of a track and figures of a test are left out of
the bundle: each of them tells of people. What is in it of tracks is the catalogue's.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from feature_repo import clock
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.purposes import PERSONALISATION
from training.bundle import BundleManifest, write_bundle
from training.clock import Clock
from training.datasets.interactions import Interactions
from training.models.recommendation.bundle import NAME, build_index, manifest_without_ranker
from training.models.recommendation.knowledge import NEIGHBOURS, TrackDescriptions, describe, fresh_tracks
from training.private.differential.data_digest import data_digest
from training.private.differential.ease import ItemRelease, PrivateEASE, solve
from training.private.differential.ledger import Ledger, people_of
from training.private.differential.releases import Releases
from training.private.differential.result import PrivateResult
from training.private.differential.statement import FILE as STATEMENT
from training.private.differential.statement import PrivacyStatement
from training.registry import register
from transforms.pure import npz
from transforms.pure.candidates.cold import SegmentPopularity
from transforms.pure.candidates.neighbours import Neighbours, largest
from transforms.raw.read import scan

WHAT = "tracks that the same people play, and their popularity"
WEIGHTS = {
    "collaborative": {"taste": 0.0, "similar": 1.0},
    "cold_start": {"similar": 1.0, "content": 0.0, "popular": 0.1},
}
WHY_NO_RANKER = "differentially private: ordered by noisy sums alone"
NOT_PROTECTED = (
    "which tracks the catalogue has: the list is taken as public. Tracks that are only in plays are left out.",
    "a listener's own history, which is used as it is for that listener's own answers.",
    "what several people have in common: the model is made to learn that, with or without any one of them.",
    "other versions that are trained without privacy, and other releases: what they cost together is in the ledger.",
    "the plays themselves, in the data folder.",
)


@dataclass(frozen=True)
class Parts:
    """What the bundle is made of.

    Attributes:
        track_ids: identifiers of tracks.
        artists: track → its artist as the catalogue has it: what is said in plays is of people.
        descriptions: what the catalogue says of the tracks.
        public: (tracks,) numbers of the tracks of the catalogue.
        release: noisy sums of these tracks.
        cutoff: µs since 1970 UTC.
        statement: what is guaranteed.
    """

    track_ids: Sequence[str]
    artists: dict[str, str | None]
    descriptions: TrackDescriptions
    public: np.ndarray
    release: ItemRelease
    cutoff: int
    statement: PrivacyStatement


def run_private(home: Home, epsilon: float, delta: float = 1e-6, *, progress: Progress = silent) -> PrivateResult:
    """Publishes noisy sums of all plays, solves them and registers a bundle. See the module's docstring.

    Args:
        home: the data folder.
        epsilon: ε of the release.
        delta: δ of the release.
        progress: callback for the progress of each stage.

    Raises:
        InputError: ε or δ is no number that privacy can be had with, δ is one by the number of people of the budget or
            more, or the catalogue is empty.
        BudgetSpent: the budget of personalisation does not have so much.
        StoreError: there are no plays, or features are not built or not applied.
    """
    model, timer = PrivateEASE(epsilon, delta), Clock(progress, 3)
    people = people_of(Ledger.open(home).entries(), PERSONALISATION)
    statement = model.statement(PERSONALISATION, WHAT, people)
    cutoff = int(clock.now().astimezone(UTC).timestamp() * 1e6)
    interactions = Interactions.load(home)
    descriptions = describe(home, interactions, cutoff)
    public = np.flatnonzero(descriptions.in_catalogue)
    if not len(public):
        raise InputError(
            expected="tracks of a catalogue, whose list is public",
            found="tracks in plays alone",
            next_command="refrain import FORMAT PATH  (a catalogue of tracks)",
        )
    weights = sparse.csr_array(model.weighting.matrix(interactions.before(cutoff), cutoff)[:, public])
    timer.lap("plays")
    request = f"private recommendation {data_digest(home, _parts(interactions, public, weights, model))}"
    releases = Releases.open(home)
    is_new = releases.kept(request) is None
    content = releases.once(
        request, lambda: model.release(weights).to_bytes(), purpose=PERSONALISATION, rho=model.rho, what=WHAT
    )
    release = ItemRelease.from_bytes(content)
    timer.lap("release")
    parts = Parts(interactions.track_ids, _artists(home, cutoff), descriptions, public, release, cutoff, statement)
    version, above = _register(home, parts)
    timer.lap("registration")
    notes = (_quality(len(release.catalogue), above),)
    return PrivateResult(NAME, version, statement, "plays", notes, is_new, timer.seconds)


def _parts(
    interactions: Interactions, public: np.ndarray, weights: sparse.csr_array, model: PrivateEASE
) -> Iterator[bytes]:
    """Yields all that a release is made of."""
    names = [interactions.user_ids, [interactions.track_ids[track] for track in public.tolist()]]
    yield json.dumps([model.epsilon, model.delta, *(list(part) for part in names)]).encode()
    for part in (weights.indptr.astype("<i8"), weights.indices.astype("<i8"), weights.data.astype("<f8")):
        yield part.tobytes()


def _artists(home: Home, cutoff: int) -> dict[str, str | None]:
    """Reads the newest artist of each track of the catalogue."""
    moment = datetime.fromtimestamp(cutoff / 1e6, UTC)
    rows = scan(home, "tracks").filter(pl.col("created_timestamp") < moment)
    return dict(rows.sort("event_timestamp").select("track_id", "artist_id").collect().iter_rows())


def _register(home: Home, parts: Parts) -> tuple[int, int]:
    """Registers the bundle; returns its version, and the number of directions that stand out of the noise."""
    weights, above = solve(parts.release)
    files = _files(parts, weights)
    version = register(
        home,
        NAME,
        parameters={"epsilon": parts.statement.epsilon, "delta": parts.statement.delta, "private": True},
        metrics={},
        write=_writer(parts, files, above),
    )
    return version, above


def _files(parts: Parts, weights: np.ndarray) -> dict[str, bytes]:
    """Packs the files of the bundle; those of parts that are not private are empty."""
    public, release = parts.public, parts.release
    nothing = np.zeros((len(public), 1), np.float32)
    nobody = Neighbours(np.full((len(public), 1), -1, np.int32), nothing)
    zeros = np.zeros(len(public), np.int64)
    popularity = np.maximum(release.popularity.tracks, 0)
    return {
        "taste.voy": build_index(nothing),
        "content.voy": build_index(nothing),
        "similar.npz": _neighbours(release.catalogue, weights, len(public)).to_bytes(),
        "follows.npz": nobody.to_bytes(),
        "segments.npz": SegmentPopularity.of({}, popularity).to_bytes(),
        "outcomes.npz": npz.pack({"liked": zeros, "skipped": zeros, "listeners": zeros}, compressed=False),
        "catalogue.json": json.dumps(_catalogue(parts, popularity)).encode(),
        STATEMENT: parts.statement.to_bytes(),
    }


def _neighbours(catalogue: np.ndarray, weights: np.ndarray, tracks: int) -> Neighbours:
    """The neighbours of all tracks; those outside the catalogue have none."""
    known = largest([weights], NEIGHBOURS)
    places = np.full((tracks, known.places.shape[1]), -1, np.int32)
    strengths = np.zeros(places.shape, np.float32)
    places[catalogue] = np.where(known.places >= 0, catalogue[known.places], -1)
    strengths[catalogue] = known.weights
    return Neighbours(places, strengths)


def _catalogue(parts: Parts, popularity: np.ndarray) -> dict[str, object]:
    public, known = parts.public.tolist(), parts.descriptions
    track_ids = [parts.track_ids[track] for track in public]
    new_number = {track: number for number, track in enumerate(public)}
    fresh = [track for track in fresh_tracks(known, parts.cutoff).tolist() if track in new_number]
    order = np.argsort(-popularity[parts.release.catalogue], kind="stable")
    popular = parts.release.catalogue[order]
    return {
        "track_ids": track_ids,
        "artist_ids": [parts.artists.get(track) for track in track_ids],
        "genres": [known.genres[track] for track in public],
        "popular": popular[popularity[popular] > 0].tolist(),
        "fresh": [new_number[track] for track in fresh],
        "released": [int(known.released[track]) for track in fresh],
        "listeners": round(parts.release.popularity.people),
    }


def _writer(parts: Parts, files: dict[str, bytes], above: int) -> Callable[[Path, int], BundleManifest]:
    """Returns a function that writes the bundle of a version into a folder."""

    def write(folder: Path, version: int) -> BundleManifest:
        card = _model_card(version, parts.statement, len(parts.release.catalogue), above)
        return write_bundle(
            folder,
            {**files, "README.md": card.encode()},
            manifest_without_ranker(
                version,
                None,
                parts.cutoff,
                {},
                {
                    "weights": WEIGHTS,
                    "why_no_ranker": WHY_NO_RANKER,
                    "privacy": parts.statement.to_dict(),
                },
            ),
        )

    return write


def _quality(tracks: int, above: int) -> str:
    if not above:
        return "nothing but popularity stands out of the noise: more people, or a larger ε, are needed for neighbours"
    return f"{tracks:,} tracks have neighbours; {above} directions of taste stand out of the noise"


def _model_card(version: int, statement: PrivacyStatement, tracks: int, above: int) -> str:
    return "\n".join(
        [
            f"# {NAME} {version}",
            "",
            "Neighbours of tracks (EASE) and popularity, from sums of plays with noise. Differentially private.",
            "",
            statement.text(),
            "",
            f"{_quality(tracks, above)[0].upper()}{_quality(tracks, above)[1:]}.",
            "No figure of a test is kept: it would tell of the people of the test.",
            "",
            "Not protected:",
            "",
            *(f"- {sentence}" for sentence in NOT_PROTECTED),
            "",
        ]
    )
