"""Scores candidates with a ranker on online features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from feature_repo.distinct import is_among
from inference.features import OnlineFeatures
from inference.features.prepared import PreparedLookup
from inference.models import OnnxModel
from inference.recommend.catalogue import Catalogue
from inference.recommend.listener import Listener
from transforms.pure.candidates.blend import RANKER, anchored, anchored_parts
from transforms.pure.candidates.pool import Pool

Parts = Callable[[], dict[str, np.ndarray]]
"""Returns what the scores are sums of: name → (n,) contribution."""
ARTIST_PLAYS = "user_artist_affinity__plays_28d"


@dataclass(frozen=True)
class FeatureLookup:
    """The lookup of the features of some candidates.

    Attributes:
        places: (n,) places of the candidates, in ascending order.
        lookup: the lookup.
    """

    places: np.ndarray
    lookup: PreparedLookup

    def covers(self, pool: Pool) -> bool:
        """Whether it looks up all candidates of a pool."""
        return bool(is_among(pool.places, self.places).all())


class Ranker:
    """A ranking model of the bundle, its feature service, and the weights of its scores and of some of its inputs."""

    def __init__(
        self,
        content: bytes,
        inputs: Sequence[str],
        features: OnlineFeatures,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self._model: OnnxModel = OnnxModel(content)
        self._inputs = tuple(inputs)
        self._weights = weights or {RANKER: 1.0}
        self.features = features

    def prepare(
        self, listener: Listener, pool: Pool, catalogue: Catalogue, platform: str, request: Mapping[str, Any]
    ) -> FeatureLookup:
        """Prepare the lookup of the candidates' features, to be fetched together with others."""
        keys = {
            "user_id": [listener.user_id],
            "track_id": catalogue.track_keys.at(pool.places),
            "artist_id": catalogue.artist_keys.at(catalogue.artists[pool.places]),
            "platform_id": [platform],
        }
        fields = {**request, "similar_score": pool.similar, "follows_score": pool.follows}
        return FeatureLookup(pool.places, self.features.prepare(keys, fields, reuse=listener.rows))

    def rank(self, pool: Pool, prepared: FeatureLookup) -> tuple[np.ndarray, np.ndarray, Parts]:
        """Return the (n,) scores of candidates, the (n,) plays of their artists by the listener in 28 days, and parts.

        Args:
            pool: the candidates.
            prepared: the lookup of these candidates, and perhaps of others.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        rows = self.features.get(prepared.lookup.keys, prepared=prepared.lookup)
        inputs, plays = rows.matrix(self._inputs), rows.columns[ARTIST_PLAYS]
        if len(pool) < len(prepared.places):
            among = np.searchsorted(prepared.places, pool.places)
            inputs, plays = inputs[among], plays[among]
        scores = self.score(inputs)
        parts = partial(anchored_parts, scores, inputs, self._inputs, self._weights)
        return anchored(scores, inputs, self._inputs, self._weights), plays, parts

    def score(self, inputs: np.ndarray) -> np.ndarray:
        """Score rows (n, d) float32; returns (n,)."""
        return self._model.predict(inputs)
