"""A small network of Keras on its PyTorch backend (extra ``keras``), exported as ONNX like all others.

The same network as ``torch_mlp``; Keras's own export makes the ONNX model.
"""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from feature_repo.temporary import temporary_folder
from training.estimators.base import Kind
from training.estimators.shapley import sampled
from training.estimators.torch_mlp import BACKGROUND, TorchMlp, means_and_deviations

if TYPE_CHECKING:
    import optuna

os.environ.setdefault("KERAS_BACKEND", "torch")


class KerasMlp:
    """Learns a network with Keras."""

    name: ClassVar[str] = "keras"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(dict(TorchMlp.defaults))

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests the parameters of a trial."""
        return TorchMlp().suggest(trial)

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "KerasFitted":
        """Fits a network to rows (n, d) with answers (n,)."""
        import keras

        settings = {**self.defaults, **parameters}
        rows = np.asarray(inputs, np.float32)
        means, deviations = means_and_deviations(rows)
        keras.utils.set_random_seed(seed)
        hidden = int(settings["hidden"])
        features = keras.Input((rows.shape[1],), name="inputs")
        missing = keras.ops.isnan(features)
        scaled = (keras.ops.where(missing, means[None], features) - means[None]) / deviations[None]
        columns_and_indicators = keras.ops.concatenate(
            [keras.ops.clip(scaled, -10, 10), keras.ops.cast(missing, "float32")], axis=1
        )
        layer = keras.layers.Dense(hidden, "relu")(columns_and_indicators)
        layer = keras.layers.Dense(hidden // 2 + 1, "relu")(layer)
        output = keras.layers.Dense(1, "sigmoid" if kind == "binary" else None)(layer)
        model = keras.Model(features, output)
        optimizer = keras.optimizers.AdamW(
            float(settings["learning_rate"]), weight_decay=float(settings["weight_decay"])
        )
        model.compile(optimizer, loss="binary_crossentropy" if kind == "binary" else "mse")
        model.fit(
            rows,
            np.asarray(answers, np.float32),
            batch_size=int(settings["batch"]),
            epochs=int(settings["passes"]),
            verbose=0,
        )
        background_rows = np.random.default_rng(seed).permutation(len(rows))[:BACKGROUND]
        return KerasFitted(model, kind, rows[background_rows])


@dataclass(frozen=True)
class KerasFitted:
    """A fitted network of Keras.

    Attributes:
        model: rows (n, d) to chances or numbers (n, 1).
        kind: kind of the answer.
        background: (m, d) rows that contributions are measured against.
    """

    model: Any
    kind: Kind
    background: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes, or numbers."""
        return np.asarray(self.model.predict(np.asarray(inputs, np.float32), verbose=0), np.float64).reshape(-1)

    def to_onnx(self) -> bytes:
        """Exports the network for serving."""
        with temporary_folder() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns of its deprecation
            path = folder / "model.onnx"
            self.model.export(path, format="onnx", verbose=False)
            return path.read_bytes()

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions in log-odds or units of the answer."""
        return sampled(self.predict, self.kind, inputs, self.background)
