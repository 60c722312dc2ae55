"""``TextEmbedder``: vectors and topics of texts.

The embedder is fitted, without labels, to every text, title, name and tag. The tags of an artist form one text, so that
words of similar artists get similar vectors. The measure is a search: the tags that one half of the listeners gave to
an artist must find, among all artists, the tags that the other half gave.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.clock import Clock
from training.datasets.consent import raw_rows
from training.models.base import FamilyModel, Gates
from training.models.result import TrainedResult, registered
from training.models.text import latent
from training.models.text.sequence_model import permuted
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from transforms.pure.text.analysis import EMBEDDER
from transforms.pure.text.latent import LatentText
from transforms.pure.text.words import words

FEWEST_TAGS = 3
"""Minimum number of different tags of a test artist, in each half of the listeners."""
MOST_ARTISTS = 3_000


def tag_texts(tags: pl.DataFrame) -> dict[str, str]:
    """Return artist → text of its tags; each tag is repeated by the square root of its count, rounded up."""
    tag_counts = (
        tags.group_by("artist_id", "tag").len().sort("artist_id", "len", "tag", descending=[False, True, False])
    )
    tags_by_artist: dict[str, list[str]] = {}
    for artist, tag, uses in tag_counts.iter_rows():
        tags_by_artist.setdefault(artist, []).extend([tag] * int(np.ceil(np.sqrt(uses))))
    return {artist: ", ".join(artist_tags) for artist, artist_tags in tags_by_artist.items()}


def _rows_created_before(home: Home, table: str, until: datetime | None) -> pl.DataFrame:
    rows = raw_rows(home, table)
    return (rows if until is None else rows.filter(pl.col("created_timestamp") < until)).collect()


def corpus(home: Home, tags: pl.DataFrame, until: datetime | None = None) -> list[str]:
    """Return the distinct training texts: texts, track titles, and for each artist the name with the tags."""
    names = dict(_rows_created_before(home, "artists", until).select("artist_id", "name").drop_nulls().iter_rows())
    artist_tags = tag_texts(tags)
    artists = [f"{names.get(artist, '')}. {artist_tags.get(artist, '')}" for artist in sorted({*names, *artist_tags})]
    texts = _rows_created_before(home, "texts", until).sort("created_timestamp", "text_id")["text"].to_list()
    titles = _rows_created_before(home, "tracks", until)["title"].drop_nulls().sort().to_list()
    return list(dict.fromkeys([*texts, *artists, *titles]))


def halves(tags: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split tags into those of two halves of the listeners, by a digest of the user id."""
    in_first_half = [hashlib.sha256(user.encode()).digest()[0] % 2 == 0 for user in tags["user_id"].to_list()]
    mask = pl.Series(in_first_half, dtype=pl.Boolean)
    return tags.filter(mask), tags.filter(~mask)


def run(home: Home, *, until: datetime | None = None, progress: Progress = silent, seed: int = 0) -> TrainedResult:
    """Fit, measure beside a search by words alone, register.

    Args:
        home: the data folder.
        until: exclusive upper bound of the created time of the rows that are read; None reads all rows.
        progress: callback after each stage.
        seed: random seed of the factorizations.

    Raises:
        InputError: fewer than two texts share words.
    """
    clock = Clock(progress, 4)
    tags = _rows_created_before(home, "tags", until)
    all_texts = corpus(home, tags, until)
    if len(all_texts) < 2:
        raise InputError(
            expected="texts, titles, names or tags to learn from",
            found=str(len(all_texts)),
            next_command="refrain simulate  (or: refrain import texts PATH)",
        )
    clock.lap("texts")
    artists, ranks = rank_artists(home, tags, seed, until)
    metrics = {name: _figures(name_ranks) for name, name_ranks in ranks.items() if name != PERMUTED}
    clock.lap("measured")
    final = latent.fit([words(text) for text in all_texts], seed=seed)
    clock.lap("fit")
    artist_count = round(next(iter(metrics.values()), {}).get("rows", 0))
    about = (
        f"Vectors of {final.dimensions} and {len(final.topics)} topics, from {len(all_texts):,} texts. Asked about: "
        f"{artist_count:,} artists, whose tags by half of the listeners are to find those by the other half."
    )
    version = registered(
        home,
        EMBEDDER,
        about=about,
        files={"model.npz": final.to_bytes()},
        outputs=[("vector", f"float32[{final.dimensions}]"), ("topics", f"float32[{len(final.topics)}]")],
        metrics=metrics,
        learned_from=all_texts,
        cutoff=_newest_created(home, tags, until),
        extra={"fit": final.fit, "topics": [final.topic_words(topic) for topic in range(len(final.topics))]},
        evidence=_evidence(artists, ranks),
    )
    clock.lap("registration")
    return TrainedResult(EMBEDDER, version, about, metrics, clock.seconds)


def _evidence(artists: Sequence[str], ranks: Mapping[str, np.ndarray]) -> Evidence | None:
    """Return reciprocal ranks by artist. A random order has no rank of its own per artist, so each gets the mean."""
    if not artists:
        return None
    reciprocal_ranks = {MODEL_KEY if name == EMBEDDER else name: 1 / rank for name, rank in ranks.items()}
    reciprocal_ranks["chance"] = np.full(len(artists), reciprocal_ranks["chance"].mean())
    return Evidence.of("reciprocal_rank", artists, reciprocal_ranks, higher_is_better=True)


def _newest_created(home: Home, tags: pl.DataFrame, until: datetime | None) -> int:
    tables = [_rows_created_before(home, table, until) for table in ("texts", "tracks", "artists")]
    newest = [table["created_timestamp"].dt.timestamp("us").max() for table in (*tables, tags)]
    return max((int(moment) for moment in newest if moment is not None), default=0)  # type: ignore[arg-type]


def measured(home: Home, tags: pl.DataFrame, seed: int, until: datetime | None = None) -> dict[str, dict[str, float]]:
    """Return recall@10 and mean reciprocal rank of the embedder and its baselines; empty for too few artists."""
    ranks = rank_artists(home, tags, seed, until)[1]
    return {name: _figures(name_ranks) for name, name_ranks in ranks.items() if name != PERMUTED}


def rank_artists(
    home: Home, tags: pl.DataFrame, seed: int, until: datetime | None = None
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return artists with enough tags, and method → (n,) rank of each artist's own tags; empty for too few artists.

    The floor (``PERMUTED``) is an embedder fitted to the same words in a drawn order: which occur together is lost.
    """
    first_half, second_half = halves(tags)
    enough_tags = pl.col("tag").n_unique() >= FEWEST_TAGS
    artists_by_half = [
        set(half.group_by("artist_id").agg(enough_tags.alias("ok")).filter("ok")["artist_id"])
        for half in (first_half, second_half)
    ]
    artists = sorted(artists_by_half[0] & artists_by_half[1])
    if len(artists) < 20:
        return [], {}
    if len(artists) > MOST_ARTISTS:
        artists = np.random.default_rng(seed).choice(artists, MOST_ARTISTS, replace=False).tolist()
    texts = [words(text) for text in corpus(home, first_half, until)]
    embedder = latent.fit(texts, seed=seed)
    floor = latent.fit(permuted(texts, seed), seed=seed)
    query_texts, target_texts = tag_texts(first_half), tag_texts(second_half)
    queries = [words(query_texts[artist]) for artist in artists]
    targets = [words(target_texts[artist]) for artist in artists]
    return artists, {
        EMBEDDER: _ranks(embedder.vectors(queries) @ embedder.vectors(targets).T),
        PERMUTED: _ranks(floor.vectors(queries) @ floor.vectors(targets).T),
        "words_alone": _ranks(_word_similarity(embedder, queries, targets)),
        "chance": np.arange(1.0, len(artists) + 1),
    }


def _word_similarity(embedder: LatentText, queries: Sequence[list[str]], targets: Sequence[list[str]]) -> np.ndarray:
    from scipy.sparse import csr_array

    rows = [embedder.spaces[0].rows(texts) for texts in (queries, targets)]
    first, second = (
        csr_array((matrix.values, matrix.terms, matrix.starts), shape=(len(matrix), matrix.width)) for matrix in rows
    )
    return np.asarray((first @ second.T).todense())


def _ranks(similarity: np.ndarray) -> np.ndarray:
    own = np.diag(similarity)[:, None]
    return np.asarray(1 + (similarity > own).sum(axis=1) + ((similarity == own).sum(axis=1) - 1) / 2)


def _figures(ranks: np.ndarray) -> dict[str, float]:
    return {
        "recall_at_10": float((ranks <= 10).mean()),
        "mean_reciprocal_rank": float((1 / ranks).mean()),
        "rows": len(ranks),
    }


MODEL = FamilyModel(
    name=EMBEDDER,
    family="text",
    about="Where a text lies among all texts.",
    raw=(
        "texts",
        "tracks",
        "artists",
        "tags",
    ),
    feeds=("track_text", "artist_text"),
    gates=Gates(plain={"words_alone": 0.05}),
    program=run,
)
