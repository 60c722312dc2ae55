"""Candidates of one listener, from several sources, by the rule of ``transforms.pure.candidates``."""

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
    unwanted: np.ndarray,
    *,
    picks: np.ndarray | None = None,
    at_least: int = 0,
    share: float = 1.0,
) -> Pool:
    """Tracks worth ranking.

    Args:
        catalogue: all there is.
        listener: who asks.
        sources: names of ``transforms.pure.candidates.pool.SOURCES`` that may bring some.
        unwanted: places that must not be among them.
        picks: places that somebody new says they like, before their history.
        at_least: there will be so many, if there are tracks and ``popular`` is a source.
        share: of the tracks that each source may bring.
    """
    history = catalogue.places(listener.history)
    asked = history[:MOST_ASKED] if picks is None else np.concatenate([picks, history])[:MOST_ASKED]
    wanted = len(unwanted)
    found: dict[str, np.ndarray] = {}
    if "popular" in sources:
        found["popular"] = _popular(catalogue, listener, picks is not None or not listener.known, at_least + wanted)
    if "taste" in sources and listener.taste is not None:
        found["taste"] = catalogue.near("taste", listener.taste, max(LIMITS["taste"], at_least) + wanted)
    if "content" in sources:
        profile = content_profile(catalogue, listener, asked if picks is not None else None)
        if profile is not None:
            found["content"] = catalogue.near("content", profile, max(LIMITS["content"], at_least) + wanted)
    if "fresh" in sources and len(catalogue.fresh):
        found["fresh"] = _fresh(catalogue, listener)
    similar = catalogue.similar.ask(asked, fading(len(asked), HISTORY_FADES)) if "similar" in sources else None
    session = catalogue.places(listener.session)
    follows = catalogue.follows.ask(session, fading(len(session), SESSION_FADES)) if "follows" in sources else None
    return pool(found, unwanted, similar=similar, follows=follows, at_least=at_least, share=share)


def content_profile(catalogue: Catalogue, listener: Listener, asked: np.ndarray | None = None) -> np.ndarray | None:
    """(d,) what their tracks are like: as of the last run, or of some tracks now; None for unknown."""
    if asked is None and listener.content is not None:
        return listener.content
    tracks = catalogue.places(listener.history)[:MOST_ASKED] if asked is None else asked
    if not len(tracks):
        return None
    return profile_of(catalogue.vectors("content", tracks), fading(len(tracks), HISTORY_FADES))


def _popular(catalogue: Catalogue, listener: Listener, among_theirs: bool, count: int) -> np.ndarray:
    """Most played first: among those like them if little else is known, else among all. Then whatever there is."""
    ranked = catalogue.popular
    if among_theirs and listener.segments:
        shares = catalogue.segments.shares(listener.segments)
        ranked = np.argsort(-shares, kind="stable")[: max(int((shares > 0).sum()), 1)]
    if count > len(ranked):  # not enough was played lately
        ranked = np.concatenate([ranked, np.setdiff1d(np.arange(len(catalogue)), ranked)])
    return ranked


def _fresh(catalogue: Catalogue, listener: Listener) -> np.ndarray:
    """What came out lately, as they might like it; newest first where that is not known."""
    if listener.taste is None:
        return catalogue.fresh
    vectors = catalogue.fresh_vectors
    if vectors.shape[1] != len(listener.taste):
        return catalogue.fresh
    return np.asarray(catalogue.fresh[np.argsort(-(vectors @ listener.taste), kind="stable")])
