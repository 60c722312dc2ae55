"""Orders candidates by strategy: by a ranker on online features, or by simpler orders where there is none."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from inference import golden
from inference.features import OnlineFeatures
from inference.recommend.candidates import Candidates, PrepareFeatures
from inference.recommend.catalogue import Catalogue
from inference.recommend.explain import Ranking
from inference.recommend.listener import Listener
from inference.recommend.rank import FeatureLookup, Ranker
from inference.recommend.request import Strategy
from inference.recommend.retrieve import content_profile
from inference.recommend.rights import MAX_AGE_S
from transforms.pure.candidates.blend import blended, parts_of
from transforms.pure.candidates.cold import evidence
from transforms.pure.candidates.neighbours import MOST_ASKED
from transforms.pure.candidates.pool import Pool

NO_RANKER = "no ranker was trained: too few listeners or plays"
LOST_TO_POPULARITY = "on validation the ranker lost to the most played tracks: ordered by these"
UNAVAILABLE = "the online store does not answer: ordered without features"
CACHED_VIEWS = ("track_catalogue", "track_taste", "track_content", "track_popularity", "artist_popularity")
"""Views whose rows may come from the row cache for ``rights.MAX_AGE_S``. Features of listeners are always looked up."""


class Ordering:
    """The orders of one bundle.

    Args:
        bundle: the bundle.
        catalogue: its tracks.
        home: the data folder.

    Attributes:
        rankers: strategy → ranker; empty if too few listeners or plays were there to train one.
    """

    def __init__(self, bundle: Bundle, catalogue: Catalogue, home: Home) -> None:
        extra, cached_s = bundle.manifest["extra"], dict.fromkeys(CACHED_VIEWS, MAX_AGE_S)
        self._bundle, self._catalogue, self._platform = bundle, catalogue, home.tenant
        self._weights: dict[str, dict[str, float]] = extra["weights"]
        self._lost_to_popularity = bool(extra.get("lost_to_popularity"))
        self.rankers: dict[str, Ranker] = {}
        self._why_no_ranker = str(extra.get("why_no_ranker", NO_RANKER))
        if "real_time" in extra:
            real_time, service = extra["real_time"], bundle.manifest["feature_service"]
            self.rankers["hybrid"] = Ranker(
                bundle.read("hybrid.onnx"),
                bundle.inputs,
                OnlineFeatures(service, home, hold=cached_s),
                self._weights.get("hybrid"),
            )
            self.rankers["real_time"] = Ranker(
                bundle.read("real_time.onnx"),
                real_time["inputs"],
                OnlineFeatures(real_time["service"], home, hold=cached_s),
            )

    def check_golden(self) -> None:
        """Check that the rankers answer as in training.

        Raises:
            BundleError: a ranker answers otherwise.
        """
        for name, ranker in self.rankers.items():
            golden.check(self._bundle, name, ranker.score)

    def preparation(self, listener: Listener, strategy: Strategy, request: Mapping[str, Any]) -> PrepareFeatures | None:
        """Return what prepares the lookup of the candidates' features; None if the order does not need them."""
        ranker = self.rankers.get(strategy)
        if ranker is None or not listener.reachable or self._lost_to_popularity:
            return None
        return partial(self._prepare, ranker, listener, request)

    def rank(
        self,
        listener: Listener,
        strategy: Strategy,
        candidates: Candidates,
        picks: np.ndarray,
        request: Mapping[str, Any],
    ) -> Ranking:
        """Order candidates as the strategy does.

        Args:
            listener: the listener.
            strategy: which model answers.
            candidates: the candidates.
            picks: places of a new listener's picks.
            request: request fields.
        """
        pool = candidates.pool
        if strategy in ("hybrid", "real_time"):
            return self._rank_by_features(listener, strategy, candidates, picks, request)
        if strategy == "collaborative" and listener.taste is not None:
            taste = self._catalogue.vectors("taste", pool.places) @ listener.taste
            by_name, weights = {"taste": taste, "similar": np.log1p(pool.similar)}, self._weights["collaborative"]
            scores = blended(by_name, weights)
            return Ranking(scores, best_first(scores), parts=partial(parts_of, by_name, weights))
        if strategy == "content":
            profile = content_profile(self._catalogue, listener)
            if profile is not None:
                scores = self._catalogue.vectors("content", pool.places) @ profile
                return Ranking(scores, best_first(scores))
        return self.blend(listener, pool, picks)

    def blend(self, listener: Listener, pool: Pool, picks: np.ndarray, note: str | None = None) -> Ranking:
        """Order by tracks played with picks and history, by similar content, and by popularity in the segments."""
        segment_shares = self._catalogue.segments.shares(listener.segments)[pool.places]
        seeds = np.concatenate([picks, listener.history_places(self._catalogue)])[:MOST_ASKED]
        if not len(seeds):
            return Ranking(None, best_first(segment_shares), None, note)
        profile = content_profile(self._catalogue, listener, seeds)
        content = np.full(len(pool), np.nan)
        if profile is not None:
            content = self._catalogue.vectors("content", pool.places) @ profile
        by_name, weights = evidence(pool.similar, content, segment_shares), self._weights["cold_start"]
        scores = blended(by_name, weights)
        return Ranking(scores, best_first(scores), None, note, parts=partial(parts_of, by_name, weights))

    def _rank_by_features(
        self,
        listener: Listener,
        strategy: Strategy,
        candidates: Candidates,
        picks: np.ndarray,
        request: Mapping[str, Any],
    ) -> Ranking:
        """Rank by the ranker of the strategy; by simpler orders where there is none, or it lost to popularity."""
        ranker, pool, features = self.rankers.get(strategy), candidates.pool, candidates.features
        if ranker is None:
            return self.blend(listener, pool, picks, self._why_no_ranker)
        if not listener.reachable:
            return self.blend(listener, pool, picks)
        if self._lost_to_popularity:
            return Ranking(None, best_first(self._catalogue.segments.of_all[pool.places]), None, LOST_TO_POPULARITY)
        if features is None or not features.covers(pool):
            features = self._prepare(ranker, listener, request, pool)
        try:
            scores, artist_plays, parts = ranker.rank(pool, features)
        except OnlineUnavailable:
            return self.blend(listener, pool, picks, UNAVAILABLE)
        service = ranker.features.service
        return Ranking(scores, best_first(scores), artist_plays, None, {service.name: service.fingerprint}, parts)

    def _prepare(self, ranker: Ranker, listener: Listener, request: Mapping[str, Any], pool: Pool) -> FeatureLookup:
        return ranker.prepare(listener, pool, self._catalogue, self._platform, request)


def best_first(scores: np.ndarray) -> np.ndarray:
    """Return the (n,) rows by score, best first; of equal scores the first row first."""
    return np.argsort(-scores, kind="stable")
