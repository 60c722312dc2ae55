"""A small PyTorch network on standardised columns (extra ``deep``); contributions are sampled Shapley values.

A missing value is replaced by the mean, and an indicator column beside it is set. Trained with Adam, a fixed number of
passes and weight decay.
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
    """Learns a network with PyTorch."""

    name: ClassVar[str] = "torch"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"hidden": 64, "passes": 10, "learning_rate": 3e-3, "weight_decay": 1e-4, "batch": 256}
    )

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests the parameters of a trial."""
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
        """Fits a network to rows (n, d) with answers (n,)."""
        import torch

        settings = {**self.defaults, **parameters}
        rows = np.asarray(inputs, np.float32)
        means, deviations = means_and_deviations(rows)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = build_network(torch, means, deviations, int(settings["hidden"]), kind)
            features, targets = torch.from_numpy(rows), torch.from_numpy(np.asarray(answers, np.float32))
            optimizer = torch.optim.AdamW(
                network.parameters(), lr=float(settings["learning_rate"]), weight_decay=float(settings["weight_decay"])
            )
            loss = torch.nn.BCEWithLogitsLoss() if kind == "binary" else torch.nn.MSELoss()
            for _ in range(int(settings["passes"])):
                for batch in torch.randperm(len(features)).split(int(settings["batch"])):
                    optimizer.zero_grad()
                    loss(network.score(features[batch]), targets[batch]).backward()
                    optimizer.step()
        network.eval()
        background_rows = np.random.default_rng(seed).permutation(len(rows))[:BACKGROUND]
        return NetworkFitted(network, kind, rows[background_rows])


@dataclass(frozen=True)
class NetworkFitted:
    """A fitted network of PyTorch.

    Attributes:
        network: rows (n, d) to chances or numbers (n, 1).
        kind: kind of the answer.
        background: (m, d) rows that contributions are measured against.
    """

    network: Any
    kind: Kind
    background: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes, or numbers."""
        import torch

        with torch.no_grad():
            return self.network(torch.from_numpy(np.array(inputs, np.float32))).numpy().reshape(-1).astype(np.float64)

    def to_onnx(self) -> bytes:
        """Exports the network for serving."""
        import torch

        out = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns of its deprecation
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
        """Computes (n, d + 1) contributions in log-odds or units of the answer."""
        return sampled(self.predict, self.kind, inputs, self.background)


def means_and_deviations(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes (d,) means and (d,) standard deviations of the known values; 0 and 1 for a column without any."""
    is_known = np.isfinite(rows)
    known_counts = np.maximum(is_known.sum(axis=0), 1)
    filled = np.where(is_known, rows, 0.0).astype(np.float64)
    means = filled.sum(axis=0) / known_counts
    deviations = np.sqrt((np.where(is_known, filled - means, 0.0) ** 2).sum(axis=0) / known_counts)
    return means.astype(np.float32), np.where(deviations > 1e-9, deviations, 1.0).astype(np.float32)


def build_network(torch: Any, middle: np.ndarray, spread: np.ndarray, hidden: int, kind: Kind) -> Any:
    """Builds a network that is not trained yet.

    Args:
        torch: the package.
        middle: (d,) float32 value of each column that is scaled to 0, and that stands for a missing one.
        spread: (d,) float32 what each column is divided by.
        hidden: units of the first hidden layer.
        kind: kind of the answer.
    """

    class Network(torch.nn.Module):  # type: ignore[name-defined,misc]
        """Two hidden layers on the columns and on indicators of missing values."""

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

        def columns(self, rows: Any) -> Any:
            """Computes the inputs of the layers, (..., 2d): scaled columns and indicators of missing values."""
            missing = torch.isnan(rows)
            scaled = (torch.where(missing, self.middle, rows) - self.middle) / self.spread
            return torch.cat([scaled.clamp(-10, 10), missing.float()], dim=-1)

        def score(self, rows: Any) -> Any:
            """Computes (n,) log-odds or numbers."""
            return self.layers(self.columns(rows))[:, 0]

        def forward(self, rows: Any) -> Any:
            scores = self.score(rows)[:, None]
            return torch.sigmoid(scores) if kind == "binary" else scores

    return Network()
