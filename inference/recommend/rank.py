"""Scores candidates with a ranker on online features."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.features import OnlineFeatures, OnlineRows
from inference.models import OnnxModel
from inference.recommend.catalogue import Catalogue
from inference.recommend.listener import Listener
from transforms.pure.candidates.blend import RANKER, anchored
from transforms.pure.candidates.pool import Pool


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

    def rank(
        self, listener: Listener, pool: Pool, catalogue: Catalogue, platform: str, request: Mapping[str, Any]
    ) -> tuple[np.ndarray, OnlineRows]:
        """Return the (n,) scores of the candidates and the features behind them.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        rows = self.features.get(
            {
                "user_id": [listener.user_id],
                "track_id": catalogue.track_keys.at(pool.places),
                "artist_id": catalogue.artist_keys.at(catalogue.artists[pool.places]),
                "platform_id": [platform],
            },
            {**request, "similar_score": pool.similar, "follows_score": pool.follows},
            reuse=listener.rows,
        )
        inputs = rows.matrix(self._inputs)
        return anchored(self.score(inputs), inputs, self._inputs, self._weights), rows

    def score(self, inputs: np.ndarray) -> np.ndarray:
        """Score rows (n, d) float32; returns (n,)."""
        return self._model.predict(inputs)
