"""A small network of Keras on its PyTorch backend (extra ``keras``), exchanged as ONNX like all others.

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
from training.estimators.torch_mlp import BACKGROUND, TorchMlp, standard

if TYPE_CHECKING:
    import optuna

os.environ.setdefault("KERAS_BACKEND", "torch")


class KerasMlp:
    """Learns with Keras."""

    name: ClassVar[str] = "keras"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(dict(TorchMlp.defaults))

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Parameters to try."""
        return TorchMlp().suggest(trial)

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "KerasFitted":
        """Learn answers (n,) of rows (n, d)."""
        import keras

        told = {**self.defaults, **parameters}
        rows = np.asarray(inputs, np.float32)
        middle, spread = standard(rows)
        keras.utils.set_random_seed(seed)
        hidden = int(told["hidden"])
        given = keras.Input((rows.shape[1],), name="inputs")
        missing = keras.ops.isnan(given)
        scaled = (keras.ops.where(missing, middle[None], given) - middle[None]) / spread[None]
        both = keras.ops.concatenate([keras.ops.clip(scaled, -10, 10), keras.ops.cast(missing, "float32")], axis=1)
        layer = keras.layers.Dense(hidden, "relu")(both)
        layer = keras.layers.Dense(hidden // 2 + 1, "relu")(layer)
        answer = keras.layers.Dense(1, "sigmoid" if kind == "binary" else None)(layer)
        model = keras.Model(given, answer)
        optimizer = keras.optimizers.AdamW(float(told["learning_rate"]), weight_decay=float(told["weight_decay"]))
        model.compile(optimizer, loss="binary_crossentropy" if kind == "binary" else "mse")
        model.fit(
            rows,
            np.asarray(answers, np.float32),
            batch_size=int(told["batch"]),
            epochs=int(told["passes"]),
            verbose=0,
        )
        drawn = np.random.default_rng(seed).permutation(len(rows))[:BACKGROUND]
        return KerasFitted(model, kind, rows[drawn])


@dataclass(frozen=True)
class KerasFitted:
    """A network of Keras.

    Attributes:
        model: rows (n, d) to chances or numbers (n, 1).
        kind: of answer.
        background: (m, d) rows that contributions are told against.
    """

    model: Any
    kind: Kind
    background: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """(n,) chances of yes, or numbers."""
        return np.asarray(self.model.predict(np.asarray(inputs, np.float32), verbose=0), np.float64).reshape(-1)

    def to_onnx(self) -> bytes:
        """For serving."""
        with temporary_folder() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter speaks of its successor
            path = folder / "model.onnx"
            self.model.export(path, format="onnx", verbose=False)
            return path.read_bytes()

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """(n, d + 1) in log-odds or units of the answer."""
        return sampled(self.predict, self.kind, inputs, self.background)
