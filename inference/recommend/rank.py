"""Order candidates by a ranker, on features looked up online."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.features import OnlineFeatures, OnlineRows
from inference.models import OnnxModel
from inference.recommend.catalogue import Catalogue
from transforms.pure.candidates.pool import Pool


class Ranker:
    """A model of the bundle and the feature service that it eats."""

    def __init__(self, content: bytes, inputs: Sequence[str], features: OnlineFeatures) -> None:
        self._model: OnnxModel = OnnxModel(content)
        self._inputs = tuple(inputs)
        self.features = features

    def rank(
        self, user_id: str, found: Pool, catalogue: Catalogue, platform: str, request: Mapping[str, Any]
    ) -> tuple[np.ndarray, OnlineRows]:
        """(n,) scores of the candidates, and the features behind them.

        Raises:
            OnlineUnavailable: the online store does not answer.
        """
        places = found.places.tolist()
        rows = self.features.get(
            {
                "user_id": [user_id],
                "track_id": [catalogue.track_ids[place] for place in places],
                "artist_id": [catalogue.artist_ids[place] for place in places],
                "platform_id": [platform],
            },
            {**request, "similar_score": found.similar, "follows_score": found.follows},
        )
        return self.score(rows.matrix(self._inputs)), rows

    def score(self, inputs: np.ndarray) -> np.ndarray:
        """(n,) of rows (n, d) float32."""
        return self._model.predict(inputs)
