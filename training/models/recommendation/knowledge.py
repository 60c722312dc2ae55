"""All that the recommenders know at one moment: vectors, what goes with what, what is popular and what is new.

Learned from the plays before the cutoff and from features as of it (``track_content_v1``). Vectors are written into
the feature tables ``user_taste``, ``track_taste``, ``artist_taste``, ``user_content`` and ``track_content``, stamped
with the cutoff, so that training sets of later moments read them point-in-time and serving finds them online.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from scipy import sparse

from feature_repo import clock
from feature_repo.home import Home
from training.datasets import training_set
from training.datasets.attributes import Attributes, tf_idf, unit_rows
from training.datasets.columns import to_matrix
from training.datasets.interactions import Interactions, distinct
from training.models.recommendation.cold_start import ColdStart
from training.models.recommendation.contract import FromHistory
from training.models.recommendation.ease import EASE, DualFit
from training.models.recommendation.ials import IALS, Vectors
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from transforms import feature_tables
from transforms.batch import closings, versions
from transforms.pure.candidates.neighbours import HISTORY_FADES, MOST_ASKED, Neighbours, fading, largest
from transforms.raw.read import scan
from transforms.raw.table import MICROSECONDS_UTC

POPULAR_DAYS, FRESH_DAYS = 28, 28
NEIGHBOURS = 50
CONTENT_SERVICE = "track_content_v1"
MOST_FOR_EASE = 2_500
"""Users or tracks, whichever are fewer, up to which EASE says what goes together; beyond, a random walk does."""
BLOCK = 1_024


@dataclass(frozen=True)
class Described:
    """Tracks as features describe them at a moment.

    Attributes:
        attributes: of tracks (artist, genres, tags) and of users (friends).
        rows: (tracks, b) by tf-idf, vectors of texts and of sound beside it; zeros for tracks unknown at that moment.
        released: (tracks,) µs since 1970 UTC; NaN where unknown.
        genres: of each track.
    """

    attributes: Attributes
    rows: sparse.csr_array
    released: np.ndarray
    genres: list[list[str]]

    @property
    def known(self) -> np.ndarray:
        """(tracks,) whether anything describes it."""
        return np.asarray(np.diff(self.rows.indptr) > 0)


@dataclass(frozen=True)
class Knowledge:
    """Of one cutoff.

    Attributes:
        cutoff: µs since 1970 UTC.
        taste: collaborative-filtering vectors; those of tracks that nobody played are mapped from what describes them.
        taste_fit: identity of their fit.
        content: (users, d) and (tracks, d) content vectors; zero for unknown.
        content_fit: identity of theirs.
        similar: what is played by the same people.
        follows: what is played after what.
        popular: (tracks,) plays of the last four weeks.
        fresh: places of tracks that came out in the last four weeks, newest first.
        known: (tracks,) whether it may be recommended: played or described.
        genres: of each track.
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
    known: np.ndarray
    genres: list[list[str]]


def describe(home: Home, interactions: Interactions, cutoff: int) -> Described:
    """What is known of all tracks and users at a moment, by features, tags and friendships."""
    moment = datetime.fromtimestamp(cutoff / 1e6, UTC)
    ids = pl.Series(interactions.track_ids, dtype=pl.String)
    stamp = pl.repeat(cutoff, len(ids), dtype=pl.Int64, eager=True).cast(MICROSECONDS_UTC)
    pulled = training_set(CONTENT_SERVICE, pl.DataFrame({"track_id": ids, "event_timestamp": stamp}), home=home).data
    artists = pulled["track_catalogue__artist_id"].to_list()
    words = [
        [f"artist {artist}"] * (artist is not None) + [f"genre {genre}" for genre in genres or ()]
        for artist, genres in zip(artists, pulled["track_catalogue__genres"].to_list(), strict=True)
    ]
    tags = scan(home, "tags").filter(pl.col("created_timestamp") < moment).group_by("artist_id", "tag").len().collect()
    told: dict[str, list[tuple[str, int]]] = {}
    for artist, tag, count in tags.sort("artist_id", "tag").iter_rows():
        told.setdefault(artist, []).append((f"tag {tag}", count))
    counts = [
        {**dict.fromkeys(mine, 1), **dict(told.get(artist, ()))} if mine else {}
        for mine, artist in zip(words, artists, strict=True)
    ]
    tracks = _table(counts)
    released = pulled["track_catalogue__released"].dt.timestamp("us").cast(pl.Float64).fill_null(np.nan).to_numpy()
    rows = sparse.csr_array(sparse.hstack([tf_idf(tracks), _texts(pulled), _sounds(pulled)]))
    rows.eliminate_zeros()
    genres = [list(mine or ()) for mine in pulled["track_catalogue__genres"].to_list()]
    return Described(Attributes(_friends(home, interactions, moment), tracks), rows, released, genres)


def learn(
    home: Home, interactions: Interactions, cutoff: int, ials: IALS, *, before: Knowledge | None = None
) -> Knowledge:
    """Everything at one cutoff, its vectors written into the feature tables.

    Args:
        home: the data folder.
        interactions: all plays.
        cutoff: µs since 1970 UTC.
        ials: settings of the vectors.
        before: of an earlier cutoff, to start the vectors from.
    """
    described = describe(home, interactions, cutoff)
    seen = interactions.before(cutoff)
    listeners = np.bincount(
        np.unique(seen.user * interactions.shape[1] + seen.track) % interactions.shape[1],
        minlength=interactions.shape[1],
    )
    taste = ials.fit(interactions, cutoff, described.attributes, start=before.taste if before else None)
    taste = _with_cold(taste, described, listeners)
    content = content_vectors(described.rows, seen)
    fits = [_identity(*pair) for pair in ((taste.user, taste.track), content)]
    with np.errstate(invalid="ignore"):
        age = (cutoff - described.released) / MICROSECONDS_A_DAY
        new = np.flatnonzero((age >= 0) & (age <= FRESH_DAYS))
    known = Knowledge(
        cutoff=cutoff,
        taste=taste,
        taste_fit=fits[0],
        content=content,
        content_fit=fits[1],
        similar=similar(interactions, cutoff),
        follows=follows(interactions, cutoff),
        popular=Popularity(days=POPULAR_DAYS).fit(interactions, cutoff).track,
        fresh=new[np.argsort(age[new], kind="stable")],
        known=(listeners > 0) | described.known,
        genres=described.genres,
    )
    write(home, interactions, known, listeners)
    return known


def similar(interactions: Interactions, cutoff: int) -> Neighbours:
    """What is played by the same people: by EASE, or by RP3beta where that would not fit."""
    if min(interactions.shape) > MOST_FOR_EASE:
        return neighbours(RP3Beta().fit(interactions, cutoff))
    return neighbours(EASE().fit(interactions, cutoff))


def follows(interactions: Interactions, cutoff: int) -> Neighbours:
    """What is played after what."""
    return neighbours(Transitions().fit(interactions, cutoff))


def neighbours(fit: FromHistory | DualFit, k: int = NEIGHBOURS) -> Neighbours:
    """The k largest weights of each track."""

    def blocks() -> Iterator[np.ndarray]:
        tracks = fit.shape[1] if isinstance(fit, DualFit) else fit.weights.shape[0]
        for first in range(0, tracks, BLOCK):
            rows = np.arange(first, min(first + BLOCK, tracks))
            if isinstance(fit, DualFit):
                yield fit.weights(rows)
            else:
                table = fit.weights
                yield table[rows].toarray() if isinstance(table, sparse.csr_array) else table[rows]

    return largest(list(blocks()), k)


def content_vectors(rows: sparse.csr_array, seen: Interactions, dimensions: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of users and tracks, of length one (Deerwester et al. 1990: latent semantic analysis).

    Args:
        rows: (tracks, b) descriptions.
        seen: plays; a user's vector is the mean of their newest distinct tracks', the newest most.
        dimensions: of the vectors, fewer if there are not so many.
    """
    from sklearn.decomposition import TruncatedSVD

    users, tracks = seen.shape
    few = min(dimensions, rows.shape[1] - 1, rows.shape[0] - 1)
    if few < 1 or not rows.nnz:
        return np.zeros((users, 1), np.float32), np.zeros((tracks, 1), np.float32)
    track = _unit(TruncatedSVD(few, random_state=0).fit_transform(rows)).astype(np.float32)
    user = np.zeros((users, few), np.float32)
    order = np.argsort(seen.user, kind="stable")
    bounds = np.searchsorted(seen.user[order], np.arange(users + 1))
    for who in np.flatnonzero(np.diff(bounds)).tolist():
        played = seen.track[order[bounds[who] : bounds[who + 1]]][::-1]
        newest = distinct(played)[:MOST_ASKED]
        user[who] = fading(len(newest), HISTORY_FADES) @ track[newest]
    return _unit(user), track


def write(home: Home, interactions: Interactions, known: Knowledge, listeners: np.ndarray) -> None:
    """Vectors into the feature tables, for everybody and everything that has one."""
    artists, artist_vectors = _by_artist(interactions, known.taste.track, listeners)
    for view, key, ids, values, fit in (
        ("user_taste", "user_id", interactions.user_ids, known.taste.user, known.taste_fit),
        ("track_taste", "track_id", interactions.track_ids, known.taste.track, known.taste_fit),
        ("artist_taste", "artist_id", artists, artist_vectors, known.taste_fit),
        ("user_content", "user_id", interactions.user_ids, known.content[0], known.content_fit),
        ("track_content", "track_id", interactions.track_ids, known.content[1], known.content_fit),
    ):
        _write_one(home, view, key, pl.Series(ids, dtype=pl.String), values, fit, known.cutoff)


def _write_one(home: Home, view: str, key: str, ids: pl.Series, values: np.ndarray, fit: int, cutoff: int) -> None:
    there = np.any(values != 0, axis=1)
    count = int(there.sum())
    stamp = pl.repeat(cutoff, count, dtype=pl.Int64, eager=True).cast(MICROSECONDS_UTC)
    rows = pl.DataFrame(
        {
            key: ids.filter(pl.Series(there)),
            "event_timestamp": stamp,
            "created_timestamp": stamp,
            "vector": pl.Series(values[there], dtype=pl.Array(pl.Float32, values.shape[1])).arr.to_list(),
            "fit": pl.repeat(fit, count, dtype=pl.Int64, eager=True),
        }
    )
    table, now = feature_tables.tables()[view], clock.now()
    date = str(datetime.fromtimestamp(cutoff / 1e6, UTC).date())
    inputs = hashlib.sha256(f"{view} {fit}".encode()).hexdigest()
    versions.replace(home, table, rows, date=date, part=f"part-{cutoff}.parquet", inputs=inputs, now=now)
    closings.close(home, table, now, since=date)


def _with_cold(taste: Vectors, described: Described, listeners: np.ndarray) -> Vectors:
    """Vectors for tracks that are described and that nobody has played, from those that somebody has."""
    cold = np.flatnonzero((listeners == 0) & described.known)
    track = taste.track.copy()
    track[listeners == 0] = 0
    if len(cold) and (listeners > 0).any():
        told = np.zeros(len(listeners))
        mapping = ColdStart().fit(described.rows, told, track, listeners.astype(float))
        track[cold] = mapping.vectors(described.rows[cold], told[cold])
    return replace(taste, track=track)


def _by_artist(interactions: Interactions, vectors: np.ndarray, listeners: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Artists, and the mean vector of each one's tracks by their listeners, one at least."""
    names = [artist or "" for artist in interactions.artist_ids]
    artists, number = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    weight = np.where(np.any(vectors != 0, axis=1), np.maximum(listeners, 1), 0).astype(np.float64)
    table = sparse.csr_array((weight, (number, np.arange(len(number)))), (len(artists), len(number)))
    total = np.maximum(np.asarray(table.sum(axis=1)).ravel(), 1e-9)
    means = ((table @ vectors) / total[:, None]).astype(np.float32)
    named = artists != ""
    return artists[named].tolist(), means[named]


def _table(counts: list[dict[str, int]]) -> sparse.csr_array:
    """(rows, words) of dictionaries word → count, words in order of the alphabet."""
    words = sorted({word for row in counts for word in row})
    column = {word: place for place, word in enumerate(words)}
    sizes = [len(row) for row in counts]
    indices = np.array([column[word] for row in counts for word in row], np.int64)
    data = np.array([count for row in counts for count in row.values()], np.float64)
    return sparse.csr_array((data, indices, np.concatenate([[0], np.cumsum(sizes)])), (len(counts), len(words)))


def _texts(pulled: pl.DataFrame) -> sparse.csr_array:
    """(tracks, d) vectors of what is written, those of the newest embedder; without columns if there are none."""
    fits = pulled["track_text__fit"].drop_nulls()
    if not len(fits):
        return sparse.csr_array((pulled.height, 0))
    newest = fits.mode().sort()[-1]
    vectors = pulled["track_text__vector"].to_list()
    mine = [vector if fit == newest else None for vector, fit in zip(vectors, pulled["track_text__fit"], strict=True)]
    width = len(next(vector for vector in mine if vector is not None))
    return sparse.csr_array(np.array([vector if vector is not None else [0.0] * width for vector in mine]))


def _sounds(pulled: pl.DataFrame) -> sparse.csr_array:
    """(tracks, d) how they sound, beside how all sound: timbre and pitch classes in standard deviations, length one.

    Rows of zeros for tracks whose sound nobody analysed; without columns if that is all of them.
    """
    parts = [to_matrix(pulled[f"track_audio__{name}"]).astype(np.float64) for name in ("timbre", "chroma")]
    values = np.concatenate(parts, axis=1)
    heard = ~np.isnan(values).any(axis=1) if values.shape[1] else np.zeros(pulled.height, bool)
    if heard.sum() < 2:
        return sparse.csr_array((pulled.height, 0))
    spread = values[heard].std(axis=0)
    rows = np.zeros(values.shape)
    rows[heard] = (values[heard] - values[heard].mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    return unit_rows(sparse.csr_array(rows))


def _friends(home: Home, interactions: Interactions, moment: datetime) -> sparse.csr_array:
    users = pl.DataFrame({"id": pl.Series(interactions.user_ids, dtype=pl.String)}).with_row_index("place")
    pairs = scan(home, "friendships").filter(pl.col("created_timestamp") < moment).collect()
    pairs = pairs.join(users, left_on="user_id", right_on="id").join(users, left_on="friend_id", right_on="id")
    places = pairs.select("place", "place_right").unique().sort("place", "place_right").to_numpy().astype(np.int64)
    return sparse.csr_array((np.ones(len(places)), (places[:, 0], places[:, 1])), (users.height, users.height))


def _identity(*parts: np.ndarray) -> int:
    """A number that tells this fit from every other: 52 bits of a digest, exact as a float64."""
    content = hashlib.sha256(b"".join(part.tobytes() for part in parts))
    return int.from_bytes(content.digest()[:8], "big") >> 12


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 1e-9, length, 1.0))
