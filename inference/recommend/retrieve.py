"""Retrieves candidates for one listener from several sources, by the rule of ``transforms.pure.candidates``."""

from collections.abc import Collection

import numpy as np

from inference.recommend.catalogue import Catalogue
from inference.recommend.listener import Listener
from transforms.pure.candidates.cold import profile_of
from transforms.pure.candidates.neighbours import HISTORY_FADES, MOST_ASKED, SESSION_FADES, fading
from transforms.pure.candidates.pool import LIMITS, Pool, pool


def retrieve(
    catalogue: Catalogue,
    listener: Listener,
    sources: Collection[str],
    excluded: np.ndarray,
    *,
    picks: np.ndarray | None = None,
    at_least: int = 0,
    share: float = 1.0,
) -> Pool:
    """Retrieve the candidates to rank.

    Args:
        catalogue: the tracks of the bundle.
        listener: the listener.
        sources: the sources to use, of ``transforms.pure.candidates.pool.SOURCES``.
        excluded: places of tracks that must not be candidates.
        picks: places of a new listener's picks, which count before the history; None for a strategy without picks.
        at_least: minimum number of candidates. It is met if there are enough tracks and ``popular`` is a source.
        share: share of the usual number of tracks from each source.
    """
    history = listener.history_places(catalogue)
    seeds = history[:MOST_ASKED] if picks is None else np.concatenate([picks, history])[:MOST_ASKED]
    excluded_count = len(excluded)
    ranked_sources: dict[str, np.ndarray] = {}
    if "popular" in sources:
        ranked_sources["popular"] = _popular(
            catalogue, listener, picks is not None or not listener.known, at_least + excluded_count
        )
    if "taste" in sources and listener.taste is not None:
        ranked_sources["taste"] = catalogue.near(
            "taste", listener.taste, max(LIMITS["taste"], at_least) + excluded_count
        )
    if "content" in sources:
        profile = content_profile(catalogue, listener, seeds if picks is not None else None)
        if profile is not None:
            ranked_sources["content"] = catalogue.near(
                "content", profile, max(LIMITS["content"], at_least) + excluded_count
            )
    if "fresh" in sources and len(catalogue.fresh):
        ranked_sources["fresh"] = _fresh(catalogue, listener)
    similar = catalogue.similar.scores(seeds, fading(len(seeds), HISTORY_FADES)) if "similar" in sources else None
    session = listener.session_places(catalogue)
    follows = catalogue.follows.scores(session, fading(len(session), SESSION_FADES)) if "follows" in sources else None
    return pool(ranked_sources, excluded, similar=similar, follows=follows, at_least=at_least, share=share)


def content_profile(catalogue: Catalogue, listener: Listener, seeds: np.ndarray | None = None) -> np.ndarray | None:
    """Return the (d,) mean content vector of the seed tracks, else the listener's own; None if there is none.

    Without seeds the listener's vector of the last training run counts, then the history.
    """
    if seeds is None and listener.content is not None:
        return listener.content
    places = listener.history_places(catalogue)[:MOST_ASKED] if seeds is None else seeds
    if not len(places):
        return None
    return profile_of(catalogue.vectors("content", places), fading(len(places), HISTORY_FADES))


def _popular(catalogue: Catalogue, listener: Listener, use_segments: bool, count: int) -> np.ndarray:
    """List places, most played first, in the listener's segments or among all; then the tracks that nobody played."""
    ranked = catalogue.popular
    if use_segments and listener.segments:
        shares = catalogue.segments.shares(listener.segments)
        ranked = np.argsort(-shares, kind="stable")[: max(int((shares > 0).sum()), 1)]
    if count > len(ranked):  # not enough was played lately
        ranked = np.concatenate([ranked, np.setdiff1d(np.arange(len(catalogue)), ranked)])
    return ranked


def _fresh(catalogue: Catalogue, listener: Listener) -> np.ndarray:
    """List recently released tracks, ordered by the listener's taste; newest first if the taste is unknown."""
    if listener.taste is None:
        return catalogue.fresh
    vectors = catalogue.fresh_vectors
    if vectors.shape[1] != len(listener.taste):
        return catalogue.fresh
    return np.asarray(catalogue.fresh[np.argsort(-(vectors @ listener.taste), kind="stable")])
