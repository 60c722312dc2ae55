"""A small network of PyTorch on standardised columns (extra ``deep``); contributions are Shapley values by sampling.

What is missing is taken for the mean, and a column beside says so. Adam, a fixed number of passes, weight decay.
"""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.estimators.base import INPUT, Kind
from training.estimators.shapley import sampled

if TYPE_CHECKING:
    import optuna

BACKGROUND = 64


class TorchMlp:
    """Learns with PyTorch."""

    name: ClassVar[str] = "torch"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"hidden": 64, "passes": 10, "learning_rate": 3e-3, "weight_decay": 1e-4, "batch": 256}
    )

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Parameters to try."""
        return {
            "hidden": trial.suggest_int("hidden", 16, 256, log=True),
            "passes": trial.suggest_int("passes", 4, 30, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
            "batch": trial.suggest_int("batch", 128, 512, log=True),
        }

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "NetworkFitted":
        """Learn answers (n,) of rows (n, d)."""
        import torch

        told = {**self.defaults, **parameters}
        rows = np.asarray(inputs, np.float32)
        middle, spread = standard(rows)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = _network(torch, middle, spread, int(told["hidden"]), kind)
            given, wanted = torch.from_numpy(rows), torch.from_numpy(np.asarray(answers, np.float32))
            optimizer = torch.optim.AdamW(
                network.parameters(), lr=float(told["learning_rate"]), weight_decay=float(told["weight_decay"])
            )
            loss = torch.nn.BCEWithLogitsLoss() if kind == "binary" else torch.nn.MSELoss()
            for _ in range(int(told["passes"])):
                for part in torch.randperm(len(given)).split(int(told["batch"])):
                    optimizer.zero_grad()
                    loss(network.score(given[part]), wanted[part]).backward()
                    optimizer.step()
        network.eval()
        drawn = np.random.default_rng(seed).permutation(len(rows))[:BACKGROUND]
        return NetworkFitted(network, kind, rows[drawn])


@dataclass(frozen=True)
class NetworkFitted:
    """A network of PyTorch.

    Attributes:
        network: rows (n, d) to chances or numbers (n, 1).
        kind: of answer.
        background: (m, d) rows that contributions are told against.
    """

    network: Any
    kind: Kind
    background: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """(n,) chances of yes, or numbers."""
        import torch

        with torch.no_grad():
            return self.network(torch.from_numpy(np.array(inputs, np.float32))).numpy().reshape(-1).astype(np.float64)

    def to_onnx(self) -> bytes:
        """For serving."""
        import torch

        out = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter speaks of its successor
            torch.onnx.export(
                self.network,
                (torch.zeros(2, self.background.shape[1]),),
                out,  # type: ignore[arg-type]
                input_names=[INPUT],
                output_names=["answer"],
                dynamic_axes={INPUT: {0: "n"}, "answer": {0: "n"}},
                opset_version=18,
                dynamo=False,
            )
        return out.getvalue()

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """(n, d + 1) in log-odds or units of the answer."""
        return sampled(self.predict, self.kind, inputs, self.background)


def standard(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(d,) means and (d,) spreads of what is known; 0 and 1 where nothing is."""
    known = np.isfinite(rows)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, rows, 0.0).astype(np.float64)
    middle = filled.sum(axis=0) / count
    spread = np.sqrt((np.where(known, filled - middle, 0.0) ** 2).sum(axis=0) / count)
    return middle.astype(np.float32), np.where(spread > 1e-9, spread, 1.0).astype(np.float32)


def _network(torch: Any, middle: np.ndarray, spread: np.ndarray, hidden: int, kind: Kind) -> Any:
    class Network(torch.nn.Module):  # type: ignore[name-defined,misc]
        """Two layers on columns and on what is missing of them."""

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("middle", torch.from_numpy(middle))
            self.register_buffer("spread", torch.from_numpy(spread))
            self.layers = torch.nn.Sequential(
                torch.nn.Linear(2 * len(middle), hidden),
                torch.nn.ReLU(),
                torch.nn.Linear(hidden, hidden // 2 + 1),
                torch.nn.ReLU(),
                torch.nn.Linear(hidden // 2 + 1, 1),
            )

        def score(self, rows: Any) -> Any:
            """(n,) log-odds or numbers."""
            missing = torch.isnan(rows)
            scaled = (torch.where(missing, self.middle, rows) - self.middle) / self.spread
            return self.layers(torch.cat([scaled.clamp(-10, 10), missing.float()], dim=1))[:, 0]

        def forward(self, rows: Any) -> Any:
            told = self.score(rows)[:, None]
            return torch.sigmoid(told) if kind == "binary" else told

    return Network()
