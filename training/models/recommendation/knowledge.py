"""Everything the recommenders use at one cutoff: vectors, neighbours of tracks, popularity and new releases.

It is learned from the plays before the cutoff and from features as of it (``track_content_v1``). Vectors are written to
the feature tables ``user_taste``, ``track_taste``, ``artist_taste``, ``user_content`` and ``track_content``, with
the cutoff as event time, so that training sets of later moments join them point-in-time and serving reads them online.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from scipy import sparse

from feature_repo.home import Home
from feature_repo.purposes import PERSONALISATION
from training.datasets import training_set
from training.datasets.attributes import Attributes, tf_idf, unit_rows
from training.datasets.columns import to_matrix
from training.datasets.consent import raw_rows
from training.datasets.interactions import Interactions, distinct
from training.models.recommendation.cold_start import ColdStart
from training.models.recommendation.contract import FromHistory
from training.models.recommendation.ease import EASE, DualFit
from training.models.recommendation.feature_rows import write_rows
from training.models.recommendation.ials import IALS, Vectors
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.trust import judge
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from training.shilling.detection import Detection
from transforms.pure.candidates.neighbours import HISTORY_FADES, MOST_ASKED, Neighbours, fading, largest
from transforms.raw.read import scan
from transforms.raw.table import MICROSECONDS_UTC

POPULAR_DAYS, FRESH_DAYS = 28, 28
NEIGHBOURS = 50
MOST_PLAYS, MOST_IN_PAIRS = 10, 30
"""Plays of a listener and a track that count in what is popular, and in what follows what: no bot counts for more."""
CONTENT_SERVICE = "track_content_v1"
MOST_FOR_EASE = 2_500
"""Largest number of users or tracks, whichever is smaller, for EASE neighbours; above it RP3beta is used."""
BLOCK = 1_024
FOLLOWS = Transitions(most_plays=MOST_IN_PAIRS)
"""How it is learned what follows what."""


@dataclass(frozen=True)
class TrackDescriptions:
    """Descriptions of all tracks as known at one moment.

    Attributes:
        attributes: attributes of tracks (artist, genres, tags) and of users (friends).
        rows: (tracks, b) tf-idf of the attributes, text vectors and sound vectors; zeros for tracks unknown by then.
        released: (tracks,) release time in µs since 1970 UTC; NaN where unknown.
        genres: genres of each track.
        in_catalogue: (tracks,) True where the catalogue had the track by then.
    """

    attributes: Attributes
    rows: sparse.csr_array
    released: np.ndarray
    genres: list[list[str]]
    in_catalogue: np.ndarray

    @property
    def has_description(self) -> np.ndarray:
        """(tracks,) True where a track has any description."""
        return np.asarray(np.diff(self.rows.indptr) > 0)


@dataclass(frozen=True)
class Knowledge:
    """Vectors, neighbours and popularity of tracks at one cutoff.

    Attributes:
        cutoff: µs since 1970 UTC.
        taste: collaborative-filtering vectors; tracks without plays get vectors mapped from their descriptions.
        taste_fit: identifier of the fit of the taste vectors.
        content: (users, d) and (tracks, d) content vectors; zero for unknown.
        content_fit: identifier of the fit of the content vectors.
        similar: neighbours of each track among tracks played by the same listeners.
        follows: neighbours of each track among tracks played after it.
        popular: (tracks,) number of plays in the last four weeks.
        fresh: numbers of the tracks released in the last four weeks, newest first.
        released: (tracks,) release time in µs since 1970 UTC; NaN where unknown.
        recommendable: (tracks,) True where a track was played or has a description, and may be recommended.
        genres: genres of each track.
        in_catalogue: (tracks,) True where the catalogue had the track.
        left_out: (users,) True for listeners whose plays look made up, from whom nothing was learned.
    """

    cutoff: int
    taste: Vectors
    taste_fit: int
    content: tuple[np.ndarray, np.ndarray]
    content_fit: int
    similar: Neighbours
    follows: Neighbours
    popular: np.ndarray
    fresh: np.ndarray
    released: np.ndarray
    recommendable: np.ndarray
    genres: list[list[str]]
    in_catalogue: np.ndarray
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    def learned_from(self, interactions: Interactions) -> Interactions:
        """Selects the plays of listeners from whom something was learned."""
        return interactions.only(~self.left_out[interactions.user]) if self.left_out.any() else interactions


def describe(home: Home, interactions: Interactions, cutoff: int) -> TrackDescriptions:
    """Describes all tracks and users as known at the cutoff, from features, tags and friendships."""
    moment = datetime.fromtimestamp(cutoff / 1e6, UTC)
    ids = pl.Series(interactions.track_ids, dtype=pl.String)
    stamp = pl.repeat(cutoff, len(ids), dtype=pl.Int64, eager=True).cast(MICROSECONDS_UTC)
    catalogue = training_set(CONTENT_SERVICE, pl.DataFrame({"track_id": ids, "event_timestamp": stamp}), home=home).data
    artists = catalogue["track_catalogue__artist_id"].to_list()
    words = [
        [f"artist {artist}"] * (artist is not None) + [f"genre {genre}" for genre in genres or ()]
        for artist, genres in zip(artists, catalogue["track_catalogue__genres"].to_list(), strict=True)
    ]
    known = raw_rows(home, "tags", PERSONALISATION).filter(pl.col("created_timestamp") < moment)
    tags = known.group_by("artist_id", "tag").len().collect()
    tags_by_artist: dict[str, list[tuple[str, int]]] = {}
    for artist, tag, count in tags.sort("artist_id", "tag").iter_rows():
        tags_by_artist.setdefault(artist, []).append((f"tag {tag}", count))
    counts = [
        {**dict.fromkeys(track_words, 1), **dict(tags_by_artist.get(artist, ()))} if track_words else {}
        for track_words, artist in zip(words, artists, strict=True)
    ]
    tracks = _count_matrix(counts)
    released = catalogue["track_catalogue__released"].dt.timestamp("us").cast(pl.Float64).fill_null(np.nan).to_numpy()
    rows = sparse.csr_array(sparse.hstack([tf_idf(tracks), _text_vectors(catalogue), _sounds(catalogue)]))
    rows.eliminate_zeros()
    genres = [list(track_genres or ()) for track_genres in catalogue["track_catalogue__genres"].to_list()]
    listed = scan(home, "tracks").filter(pl.col("created_timestamp") < moment).select("track_id").unique().collect()
    in_catalogue = ids.is_in(listed["track_id"].implode()).to_numpy()
    attributes = Attributes(_friends(home, interactions, moment), tracks)
    return TrackDescriptions(attributes, rows, released, genres, in_catalogue)


def learn(
    home: Home,
    interactions: Interactions,
    cutoff: int,
    ials: IALS,
    *,
    before: Knowledge | None = None,
    detection: Detection | None = None,
) -> Knowledge:
    """Learns everything at one cutoff and writes the vectors to the feature tables.

    Args:
        home: the data folder.
        interactions: all plays.
        cutoff: µs since 1970 UTC.
        ials: settings of the vectors.
        before: knowledge of an earlier cutoff; the vectors start from its vectors.
        detection: whose plays are not learned from; None learns from everybody.
    """
    descriptions = describe(home, interactions, cutoff)
    past = interactions.before(cutoff)
    assessment = judge(home, interactions, cutoff, detection)
    learned = assessment.learned_from(past)
    listeners = count_listeners(learned)
    start = before.taste if before else None
    taste = ials.fit(interactions, cutoff, descriptions.attributes, start=start, left_out=assessment.left_out)
    taste = _add_cold_tracks(taste, descriptions, listeners)
    content = content_vectors(descriptions.rows, past)
    fit_ids = [_fit_id(*pair) for pair in ((taste.user, taste.track), content)]
    knowledge = Knowledge(
        cutoff=cutoff,
        taste=taste,
        taste_fit=fit_ids[0],
        content=content,
        content_fit=fit_ids[1],
        similar=similar(learned, cutoff),
        follows=follows(learned, cutoff),
        popular=Popularity(days=POPULAR_DAYS, most_plays=MOST_PLAYS).fit(learned, cutoff).track,
        fresh=fresh_tracks(descriptions, cutoff),
        released=descriptions.released,
        recommendable=(count_listeners(past) > 0) | descriptions.has_description,
        genres=descriptions.genres,
        in_catalogue=descriptions.in_catalogue,
        left_out=assessment.left_out,
    )
    write(home, interactions, knowledge, listeners)
    return knowledge


def count_listeners(plays: Interactions) -> np.ndarray:
    """(tracks,) number of listeners of each track."""
    tracks = plays.shape[1]
    return np.bincount(np.unique(plays.user * tracks + plays.track) % tracks, minlength=tracks)


def fresh_tracks(descriptions: TrackDescriptions, cutoff: int) -> np.ndarray:
    """Numbers of the tracks released in the last four weeks before the cutoff, newest first."""
    with np.errstate(invalid="ignore"):
        age_days = (cutoff - descriptions.released) / MICROSECONDS_A_DAY
        new_releases = np.flatnonzero((age_days >= 0) & (age_days <= FRESH_DAYS))
    return np.asarray(new_releases[np.argsort(age_days[new_releases], kind="stable")])


def similar(interactions: Interactions, cutoff: int) -> Neighbours:
    """Finds tracks played by the same listeners, by EASE, or by RP3beta where EASE would take too much memory."""
    return neighbours((EASE() if is_for_ease(interactions) else RP3Beta()).fit(interactions, cutoff))


def is_for_ease(interactions: Interactions) -> bool:
    """Whether the listeners or the tracks are few enough for EASE."""
    return min(interactions.shape) <= MOST_FOR_EASE


def follows(interactions: Interactions, cutoff: int) -> Neighbours:
    """Finds tracks that are played after each track."""
    return neighbours(FOLLOWS.fit(interactions, cutoff))


def sparse_neighbours(weights: sparse.csr_array, k: int = NEIGHBOURS) -> Neighbours:
    """Keeps the k largest positive weights of each row of a sparse (tracks, tracks) matrix; of equals the first."""
    sizes = np.diff(weights.indptr)
    rows = np.repeat(np.arange(weights.shape[0]), sizes)
    order = np.lexsort((weights.indices, -weights.data, rows))
    rank = np.arange(len(order)) - np.repeat(weights.indptr[:-1], sizes)
    is_kept = (rank < k) & (weights.data[order] > 0)
    order, rank = order[is_kept], rank[is_kept]
    width = int(rank.max(initial=0)) + 1
    places = np.full((weights.shape[0], width), -1, np.int32)
    values = np.zeros((weights.shape[0], width), np.float32)
    places[rows[order], rank], values[rows[order], rank] = weights.indices[order], weights.data[order]
    return Neighbours(places, values)


def neighbours(fit: FromHistory | DualFit, k: int = NEIGHBOURS) -> Neighbours:
    """Keeps the k largest weights of each track."""

    def blocks() -> Iterator[np.ndarray]:
        tracks = fit.shape[1] if isinstance(fit, DualFit) else fit.weights.shape[0]
        for first in range(0, tracks, BLOCK):
            rows = np.arange(first, min(first + BLOCK, tracks))
            if isinstance(fit, DualFit):
                yield fit.weights(rows)
            else:
                table = fit.weights
                yield table[rows].toarray() if isinstance(table, sparse.csr_array) else table[rows]

    return largest(blocks(), k)


def content_vectors(rows: sparse.csr_array, plays: Interactions, dimensions: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Computes unit vectors of users and tracks (Deerwester et al. 1990: latent semantic analysis).

    Args:
        rows: (tracks, b) descriptions of the tracks.
        plays: past plays; a user's vector is the mean vector of their newest distinct tracks, weighted by recency.
        dimensions: length of the vectors; smaller if the descriptions have fewer dimensions.
    """
    from sklearn.decomposition import TruncatedSVD

    users, tracks = plays.shape
    rank = min(dimensions, rows.shape[1] - 1, rows.shape[0] - 1)
    if rank < 1 or not rows.nnz:
        return np.zeros((users, 1), np.float32), np.zeros((tracks, 1), np.float32)
    track = _normalize_rows(TruncatedSVD(rank, random_state=0).fit_transform(rows)).astype(np.float32)
    user = np.zeros((users, rank), np.float32)
    order = np.argsort(plays.user, kind="stable")
    bounds = np.searchsorted(plays.user[order], np.arange(users + 1))
    for listener in np.flatnonzero(np.diff(bounds)).tolist():
        played = plays.track[order[bounds[listener] : bounds[listener + 1]]][::-1]
        newest = distinct(played)[:MOST_ASKED]
        user[listener] = fading(len(newest), HISTORY_FADES) @ track[newest]
    return _normalize_rows(user), track


def write(home: Home, interactions: Interactions, knowledge: Knowledge, listeners: np.ndarray) -> None:
    """Writes the nonzero vectors of users, tracks and artists to the feature tables."""
    artists, artist_vectors = _by_artist(interactions, knowledge.taste.track, listeners)
    for view, key, ids, values, fit in (
        ("user_taste", "user_id", interactions.user_ids, knowledge.taste.user, knowledge.taste_fit),
        ("track_taste", "track_id", interactions.track_ids, knowledge.taste.track, knowledge.taste_fit),
        ("artist_taste", "artist_id", artists, artist_vectors, knowledge.taste_fit),
        ("user_content", "user_id", interactions.user_ids, knowledge.content[0], knowledge.content_fit),
        ("track_content", "track_id", interactions.track_ids, knowledge.content[1], knowledge.content_fit),
    ):
        _write_vectors(home, view, key, pl.Series(ids, dtype=pl.String), values, fit, knowledge.cutoff)


def _write_vectors(home: Home, view: str, key: str, ids: pl.Series, values: np.ndarray, fit: int, cutoff: int) -> None:
    nonzero = np.any(values != 0, axis=1)
    count = int(nonzero.sum())
    stamp = pl.repeat(cutoff, count, dtype=pl.Int64, eager=True).cast(MICROSECONDS_UTC)
    rows = pl.DataFrame(
        {
            key: ids.filter(pl.Series(nonzero)),
            "event_timestamp": stamp,
            "created_timestamp": stamp,
            "vector": pl.Series(values[nonzero], dtype=pl.Array(pl.Float32, values.shape[1])).arr.to_list(),
            "fit": pl.repeat(fit, count, dtype=pl.Int64, eager=True),
        }
    )
    write_rows(home, view, rows, cutoff, str(fit))


def _add_cold_tracks(taste: Vectors, descriptions: TrackDescriptions, listeners: np.ndarray) -> Vectors:
    """Adds vectors of tracks without plays, mapped from their descriptions by the tracks with plays."""
    cold = np.flatnonzero((listeners == 0) & descriptions.has_description)
    track = taste.track.copy()
    track[listeners == 0] = 0
    if len(cold) and (listeners > 0).any():
        attribute_totals = np.zeros(len(listeners))
        mapping = ColdStart().fit(descriptions.rows, attribute_totals, track, listeners.astype(float))
        track[cold] = mapping.vectors(descriptions.rows[cold], attribute_totals[cold])
    return replace(taste, track=track)


def _by_artist(interactions: Interactions, vectors: np.ndarray, listeners: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Returns the artists and the mean vector of their tracks, weighted by listeners (at least one)."""
    names = [artist or "" for artist in interactions.artist_ids]
    artists, number = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    weight = np.where(np.any(vectors != 0, axis=1), np.maximum(listeners, 1), 0).astype(np.float64)
    table = sparse.csr_array((weight, (number, np.arange(len(number)))), (len(artists), len(number)))
    total = np.maximum(np.asarray(table.sum(axis=1)).ravel(), 1e-9)
    means = ((table @ vectors) / total[:, None]).astype(np.float32)
    named = artists != ""
    return artists[named].tolist(), means[named]


def _count_matrix(counts: list[dict[str, int]]) -> sparse.csr_array:
    """Builds a (rows, words) matrix from dictionaries word → count, with words in alphabetical order."""
    words = sorted({word for row in counts for word in row})
    column = {word: number for number, word in enumerate(words)}
    sizes = [len(row) for row in counts]
    indices = np.array([column[word] for row in counts for word in row], np.int64)
    data = np.array([count for row in counts for count in row.values()], np.float64)
    return sparse.csr_array((data, indices, np.concatenate([[0], np.cumsum(sizes)])), (len(counts), len(words)))


def _text_vectors(features: pl.DataFrame) -> sparse.csr_array:
    """(tracks, d) text vectors of the most common fit of the embedder; without columns if there are none."""
    fits = features["track_text__fit"].drop_nulls()
    if not len(fits):
        return sparse.csr_array((features.height, 0))
    common_fit = fits.mode().sort()[-1]
    vectors = features["track_text__vector"].to_list()
    common_fit_vectors = [
        vector if fit == common_fit else None for vector, fit in zip(vectors, features["track_text__fit"], strict=True)
    ]
    width = len(next(vector for vector in common_fit_vectors if vector is not None))
    return sparse.csr_array(
        np.array([vector if vector is not None else [0.0] * width for vector in common_fit_vectors])
    )


def _sounds(features: pl.DataFrame) -> sparse.csr_array:
    """(tracks, d) sound vectors: timbre and pitch classes, standardized over all tracks and scaled to unit length.

    Rows are zero for tracks without audio analysis; there are no columns with fewer than two analysed tracks.
    """
    parts = [to_matrix(features[f"track_audio__{name}"]).astype(np.float64) for name in ("timbre", "chroma")]
    values = np.concatenate(parts, axis=1)
    analysed = ~np.isnan(values).any(axis=1) if values.shape[1] else np.zeros(features.height, bool)
    if analysed.sum() < 2:
        return sparse.csr_array((features.height, 0))
    deviation = values[analysed].std(axis=0)
    rows = np.zeros(values.shape)
    rows[analysed] = (values[analysed] - values[analysed].mean(axis=0)) / np.where(deviation > 1e-9, deviation, 1.0)
    return unit_rows(sparse.csr_array(rows))


def _friends(home: Home, interactions: Interactions, moment: datetime) -> sparse.csr_array:
    users = pl.DataFrame({"id": pl.Series(interactions.user_ids, dtype=pl.String)}).with_row_index("place")
    pairs = scan(home, "friendships").filter(pl.col("created_timestamp") < moment).collect()
    pairs = pairs.join(users, left_on="user_id", right_on="id").join(users, left_on="friend_id", right_on="id")
    places = pairs.select("place", "place_right").unique().sort("place", "place_right").to_numpy().astype(np.int64)
    return sparse.csr_array((np.ones(len(places)), (places[:, 0], places[:, 1])), (users.height, users.height))


def _fit_id(*parts: np.ndarray) -> int:
    """Returns an identifier of a fit: 52 bits of a digest of its arrays, exact as a float64."""
    content = hashlib.sha256(b"".join(part.tobytes() for part in parts))
    return int.from_bytes(content.digest()[:8], "big") >> 12


def _normalize_rows(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 1e-9, length, 1.0))
