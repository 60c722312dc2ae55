"""Tags of texts under attack: whether the likeliest tag of a text about an artist is one that listeners gave."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from feature_repo.bundle import open_bundle
from feature_repo.errors import InputError
from training.datasets.consent import raw_rows
from training.robustness.subject import Request, Subject
from training.robustness.subjects.texts import tokens_of
from training.robustness.target import Target
from transforms.pure.text.analysis import EMBEDDER
from transforms.pure.text.latent import LatentText
from transforms.pure.text.tags import TaggerModel
from transforms.raw.read import scan

NAME = "metadata_tagger"


def targets(request: Request) -> Sequence[Target[Any]]:
    """Reads the version and the champion of the embedder, and the texts about artists with tags that it knows.

    Raises:
        BundleError: there is no version.
        InputError: there are no texts about artists with tags.
    """
    home = request.home
    bundle = open_bundle(NAME if request.version is None else f"{NAME}:{request.version}", home)
    tagger = TaggerModel.from_bytes(bundle.read("model.npz"))
    latent = LatentText.from_bytes(open_bundle(EMBEDDER, home).read("model.npz"))
    if latent.fit != tagger.fit:
        raise InputError(
            expected=f"a {NAME} that was fitted to vectors of the embedder that serves",
            found="one of another embedder",
            next_command=f"refrain build && refrain model run {NAME} && refrain model promote {NAME}",
        )
    numbers = {tag: number for number, tag in enumerate(tagger.tags)}
    tags = raw_rows(home, "tags").select("artist_id", tag=pl.col("tag").str.to_lowercase().str.strip_chars())
    of_artist = tags.filter(pl.col("tag").is_in(list(numbers))).unique().group_by("artist_id").agg("tag")
    catalogue = scan(home, "tracks").sort("event_timestamp").unique("track_id", keep="last")
    written = raw_rows(home, "texts").filter(pl.col("entity").is_in(["artist", "track"]))
    named = written.join(catalogue.select(entity_id="track_id", of_track="artist_id"), on="entity_id", how="left")
    artist = pl.when(pl.col("entity") == "artist").then("entity_id").otherwise("of_track")
    rows = named.select("text", artist_id=artist).unique().join(of_artist, on="artist_id").sort("text", "artist_id")
    texts = rows.collect()
    if texts.is_empty():
        raise InputError(
            expected="texts about artists that listeners tagged",
            found="none",
            next_command="refrain import texts PATH",
        )
    has_tag = np.zeros((texts.height, len(tagger.tags)), bool)
    for row, given in enumerate(texts["tag"].to_list()):
        has_tag[row, [numbers[tag] for tag in given]] = True

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        tokens = tokens_of(changed)
        vectors = np.concatenate([latent.vectors(tokens), latent.topic_shares(tokens)], axis=1).astype(np.float64)
        chances = tagger.probabilities(vectors)
        own = np.where(has_tag[units], chances, -np.inf).max(axis=1)
        return np.asarray(own - np.where(has_tag[units], -np.inf, chances).max(axis=1))

    judged = "The served version, which was fitted to tags of these artists: its level is flattered, its fall is not."
    return [
        Target(
            "texts",
            texts["text"].to_list(),
            margins,
            "precision_at_1",
            clusters=texts["artist_id"].to_numpy(),
            judged=judged,
        )
    ]


SUBJECT = Subject(NAME, ("texts",), targets)
