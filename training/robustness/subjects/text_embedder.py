"""Vectors of texts under attack: whether a changed text still lies nearest to the text that it was made of."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from feature_repo.bundle import open_bundle
from training.datasets.consent import raw_rows
from training.robustness.subject import Request, Subject
from training.robustness.subjects.texts import tokens_of
from training.robustness.target import Target
from transforms.pure.text.analysis import EMBEDDER
from transforms.pure.text.latent import LatentText

MOST = 1_000
"""Most texts among which the nearest is looked for."""


def targets(request: Request) -> Sequence[Target[Any]]:
    """Reads the version, and draws distinct texts.

    Raises:
        BundleError: there is no version.
    """
    name = EMBEDDER if request.version is None else f"{EMBEDDER}:{request.version}"
    model = LatentText.from_bytes(open_bundle(name, request.home).read("model.npz"))
    distinct = raw_rows(request.home, "texts").select(pl.col("text").unique().sort()).collect()["text"]
    drawn = np.sort(np.random.default_rng(request.seed).permutation(len(distinct))[:MOST])
    vectors = model.vectors(tokens_of(distinct.gather(drawn).to_list()))
    is_known = np.abs(vectors).sum(axis=1) > 0
    texts, own = distinct.gather(drawn[is_known]).to_list(), vectors[is_known]

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        cosines = model.vectors(tokens_of(changed)) @ own.T
        places = np.arange(len(cosines))
        right = cosines[places, units].copy()
        cosines[places, units] = -np.inf
        return np.asarray(right - cosines.max(axis=1) + 1e-6)  # the same vector twice is no miss

    judged = (
        f"The served version, which has read these texts; no label is asked about. The nearest of {len(texts):,} texts."
    )
    return [Target("texts", texts, margins, "nearest_is_its_own", judged=judged)]


SUBJECT = Subject(EMBEDDER, ("texts",), targets)
