"""Order candidates by the model, on features looked up online."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from feature_repo.bundle import Bundle
from inference.features import OnlineFeatures, OnlineRows
from inference.models import OnnxModel
from inference.recommend.retrieve import Candidates, Retriever


class Ranker:
    """The bundle's model and the feature service that it eats."""

    def __init__(self, bundle: Bundle, features: OnlineFeatures) -> None:
        self._model: OnnxModel = OnnxModel(bundle.read("model.onnx"))
        self._inputs = bundle.inputs
        self._features = features

    def rank(
        self,
        user_id: str,
        candidates: Candidates,
        retriever: Retriever,
        platform: str,
        request: Mapping[str, Any],
    ) -> tuple[np.ndarray, np.ndarray, OnlineRows]:
        """Order of the candidates (best first, as places in them), their scores, and the features behind them."""
        rows = self._features.get(
            {
                "user_id": [user_id],
                "track_id": [retriever.track_ids[place] for place in candidates.places],
                "artist_id": [retriever.artist_ids[place] for place in candidates.places],
                "platform_id": [platform],
            },
            request,
        )
        scores = self._model.predict(rows.matrix(self._inputs))
        return np.argsort(-scores, kind="stable"), scores, rows
