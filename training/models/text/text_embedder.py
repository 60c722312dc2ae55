"""``TextEmbedder``: vectors and topics of texts.

Learned, without labels, from every text, title, name and tag; the tags of an artist are one text, so that words that
go together come to lie together. Measured by whether the tags that half of the listeners gave to an artist find those
of the other half among all artists.
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
from training.models.base import FamilyModel
from training.models.result import TrainedResult, registered
from training.models.text import latent
from training.validation.evidence import OURS, Evidence
from transforms.pure.text.analysis import EMBEDDER
from transforms.pure.text.latent import LatentText
from transforms.pure.text.words import words
from transforms.raw.read import scan

FEWEST_TAGS = 3
"""Different tags in each half, of an artist that is asked about."""
MOST_ASKED = 3_000


def tag_texts(tags: pl.DataFrame) -> dict[str, str]:
    """Artist → its tags, each as often as the square root of how often it was given, rounded up."""
    counted = tags.group_by("artist_id", "tag").len().sort("artist_id", "len", "tag", descending=[False, True, False])
    found: dict[str, list[str]] = {}
    for artist, tag, count in counted.iter_rows():
        found.setdefault(artist, []).extend([tag] * int(np.ceil(np.sqrt(count))))
    return {artist: ", ".join(told) for artist, told in found.items()}


def _known(home: Home, table: str, until: datetime | None) -> pl.DataFrame:
    rows = scan(home, table)
    return (rows if until is None else rows.filter(pl.col("created_timestamp") < until)).collect()


def corpus(home: Home, tags: pl.DataFrame, until: datetime | None = None) -> list[str]:
    """Distinct texts to learn from: what was written, and of each artist the name with the tags."""
    names = dict(_known(home, "artists", until).select("artist_id", "name").drop_nulls().iter_rows())
    told = tag_texts(tags)
    artists = [f"{names.get(artist, '')}. {told.get(artist, '')}" for artist in sorted({*names, *told})]
    texts = _known(home, "texts", until).sort("created_timestamp", "text_id")["text"].to_list()
    titles = _known(home, "tracks", until)["title"].drop_nulls().sort().to_list()
    return list(dict.fromkeys([*texts, *artists, *titles]))


def halves(tags: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Tags by listeners of one half and of the other, told apart by a digest of who they are."""
    first = [hashlib.sha256(user.encode()).digest()[0] % 2 == 0 for user in tags["user_id"].to_list()]
    mask = pl.Series(first, dtype=pl.Boolean)
    return tags.filter(mask), tags.filter(~mask)


def run(home: Home, *, until: datetime | None = None, progress: Progress = silent, seed: int = 0) -> TrainedResult:
    """Fit, measure beside the words themselves, register.

    Args:
        home: the data folder.
        until: nothing that came to be known then or later is read; everything is if None.
        progress: told after each stage.
        seed: of the factorizations.

    Raises:
        InputError: there are not two texts that share words.
    """
    clock = Clock(progress, 4)
    tags = _known(home, "tags", until)
    everything = corpus(home, tags, until)
    if len(everything) < 2:
        raise InputError(
            expected="texts, titles, names or tags to learn from",
            found=str(len(everything)),
            next_command="python -m transforms simulate  (or: python -m transforms import texts PATH)",
        )
    clock.lap("texts")
    artists, ranks = asked_artists(home, tags, seed, until)
    metrics = {who: _figures(told) for who, told in ranks.items()}
    clock.lap("measured")
    final = latent.fit([words(text) for text in everything], seed=seed)
    clock.lap("fit")
    asked = round(next(iter(metrics.values()), {}).get("rows", 0))
    about = (
        f"Vectors of {final.dimensions} and {len(final.topics)} topics, from {len(everything):,} texts. Asked about: "
        f"{asked:,} artists, whose tags by half of the listeners are to find those by the other half."
    )
    version = registered(
        home,
        EMBEDDER,
        about=about,
        files={"model.npz": final.to_bytes()},
        outputs=[("vector", f"float32[{final.dimensions}]"), ("topics", f"float32[{len(final.topics)}]")],
        metrics=metrics,
        learned_from=everything,
        cutoff=_newest(home, tags, until),
        extra={"fit": final.fit, "topics": [final.topic_words(topic) for topic in range(len(final.topics))]},
        evidence=_evidence(artists, ranks),
    )
    clock.lap("registration")
    return TrainedResult(EMBEDDER, version, about, metrics, clock.seconds)


def _evidence(artists: Sequence[str], ranks: Mapping[str, np.ndarray]) -> Evidence | None:
    """Reciprocal ranks; chance has them in any order, so that of each artist is the mean."""
    if not artists:
        return None
    told = {OURS if who == EMBEDDER else who: 1 / rank for who, rank in ranks.items()}
    told["chance"] = np.full(len(artists), told["chance"].mean())
    return Evidence.of("reciprocal_rank", artists, told, higher_is_better=True)


def _newest(home: Home, tags: pl.DataFrame, until: datetime | None) -> int:
    tables = [_known(home, table, until) for table in ("texts", "tracks", "artists")]
    known = [table["created_timestamp"].dt.timestamp("us").max() for table in (*tables, tags)]
    return max((int(moment) for moment in known if moment is not None), default=0)  # type: ignore[arg-type]


def measured(home: Home, tags: pl.DataFrame, seed: int, until: datetime | None = None) -> dict[str, dict[str, float]]:
    """Recall@10 and mean reciprocal rank of the embedder and of words; empty where too few artists have tags."""
    return {who: _figures(told) for who, told in asked_artists(home, tags, seed, until)[1].items()}


def asked_artists(
    home: Home, tags: pl.DataFrame, seed: int, until: datetime | None = None
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Artists with enough tags, and who → (n,) rank of each one's own tags; none where these are too few."""
    ours, theirs = halves(tags)
    several = pl.col("tag").n_unique() >= FEWEST_TAGS
    both = [
        set(half.group_by("artist_id").agg(several.alias("ok")).filter("ok")["artist_id"]) for half in (ours, theirs)
    ]
    artists = sorted(both[0] & both[1])
    if len(artists) < 20:
        return [], {}
    if len(artists) > MOST_ASKED:
        artists = np.random.default_rng(seed).choice(artists, MOST_ASKED, replace=False).tolist()
    learned = latent.fit([words(text) for text in corpus(home, ours, until)], seed=seed)
    questions, answers = tag_texts(ours), tag_texts(theirs)
    asked = [words(questions[artist]) for artist in artists]
    told = [words(answers[artist]) for artist in artists]
    return artists, {
        EMBEDDER: _ranks(learned.vectors(asked) @ learned.vectors(told).T),
        "words_alone": _ranks(_words_alone(learned, asked, told)),
        "chance": np.arange(1.0, len(artists) + 1),
    }


def _words_alone(learned: LatentText, asked: Sequence[list[str]], told: Sequence[list[str]]) -> np.ndarray:
    from scipy.sparse import csr_array

    rows = [learned.spaces[0].rows(part) for part in (asked, told)]
    first, second = (csr_array((one.values, one.terms, one.starts), shape=(len(one), one.width)) for one in rows)
    return np.asarray((first @ second.T).todense())


def _ranks(likeness: np.ndarray) -> np.ndarray:
    own = np.diag(likeness)[:, None]
    return np.asarray(1 + (likeness > own).sum(axis=1) + ((likeness == own).sum(axis=1) - 1) / 2)


def _figures(rank: np.ndarray) -> dict[str, float]:
    return {
        "recall_at_10": float((rank <= 10).mean()),
        "mean_reciprocal_rank": float((1 / rank).mean()),
        "rows": len(rank),
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
    program=run,
)
