"""The rows that explain a bundle: rows of its test, and the contribution of each column to their answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.bundle import BACKGROUND, MANIFEST
from feature_repo.encryption.bundle_files import read_file
from transforms.pure import npz
from transforms.pure.candidates.blend import RANKER

MODEL = "model.onnx"
"""Model of the answers by default."""


@dataclass(frozen=True)
class Parts:
    """A weighted sum of standardised scores that orders candidates: what each row's request standardises them by.

    Attributes:
        names: (k,) ``ranker`` for the model of the bundle, or a column of its inputs.
        weights: (k,) weight of each part.
        means: (n, k) mean of the part among the candidates of the row's request.
        deviations: (n, k) deviation there; 0 where all are equal, and the part contributes nothing.
        lowest: (n, k) lowest value there, which missing values count as.
    """

    names: tuple[str, ...]
    weights: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    lowest: np.ndarray

    @property
    def units(self) -> np.ndarray:
        """(n, k) contribution to the score of a part that is larger by 1."""
        return np.where(self.deviations > 0, self.weights / np.where(self.deviations > 0, self.deviations, 1.0), 0.0)

    def contributions(self, scores: np.ndarray, inputs: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
        """Computes the contribution of each part, (n, k), which sum to the score of the order.

        Args:
            scores: (n,) scores of the model.
            inputs: (n, d) inputs of the same rows, which may be changed.
            columns: (d,) names of the inputs.
        """
        values = np.column_stack(
            [scores if name == RANKER else inputs[:, columns.index(name)].astype(np.float64) for name in self.names]
        )
        return self.units * (np.where(np.isfinite(values), values, self.lowest) - self.means)


@dataclass(frozen=True)
class Background:
    """Explained rows of one bundle.

    Attributes:
        columns: (d,) names of the columns.
        inputs: (n, d) rows of the test.
        contributions: (n, d + 1) contributions of each column; the last column is the base value.
        model: file of the bundle that answers the rows.
        parts: parts of the answer where it is more than the model's; None where the model alone answers.
    """

    columns: tuple[str, ...]
    inputs: np.ndarray
    contributions: np.ndarray
    model: str
    parts: Parts | None = None

    @classmethod
    def read(cls, folder: Path) -> "Background | None":
        """Reads the background of a bundle; None if it has none."""
        try:
            arrays = npz.unpack(read_file(folder, BACKGROUND))
            inputs, contributions, model = arrays["inputs"], arrays["contributions"], str(arrays["model"][0])
            columns = json.loads((folder / MANIFEST).read_text())["extra"]["columns"]
        except (OSError, KeyError):
            return None
        return cls(tuple(columns), inputs, contributions, model, _parts(arrays)) if len(inputs) else None

    def answer(self, scores: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Computes the answers (n,) of all rows, whose inputs may be changed, from the scores (n,) of the model."""
        if self.parts is None:
            return scores
        return np.asarray(self.parts.contributions(scores, inputs, self.columns).sum(axis=1))

    @property
    def importance(self) -> dict[str, float]:
        """Feature → share of all contributions, largest first; the columns of one text count together."""
        by_feature: dict[str, float] = {}
        sizes = np.abs(self.contributions[:, :-1]).sum(axis=0)
        for column, size in zip(self.columns, sizes.tolist(), strict=True):
            feature = column.partition("=")[0]
            by_feature[feature] = by_feature.get(feature, 0.0) + size
        total = sum(by_feature.values()) or 1.0
        ordered = sorted(by_feature.items(), key=lambda item: -item[1])
        return {name: size / total for name, size in ordered}


def _parts(arrays: Mapping[str, np.ndarray]) -> Parts | None:
    if "parts/names" not in arrays:
        return None
    numbers = [arrays[f"parts/{name}"] for name in ("weights", "means", "deviations", "lowest")]
    return Parts(tuple(arrays["parts/names"].tolist()), *numbers)


def background(inputs: np.ndarray, contributions: np.ndarray, model: str = MODEL, parts: Parts | None = None) -> bytes:
    """Serializes a background as a file of a bundle.

    Args:
        inputs: (n, d) rows of the test.
        contributions: (n, d + 1) contributions of each column.
        model: file of the bundle that answers them; the columns are ``columns`` of its manifest's ``extra``.
        parts: parts of the answer where it is more than the model's.
    """
    arrays = {"inputs": inputs, "contributions": contributions, "model": np.array([model])}
    if parts is not None:
        arrays |= {f"parts/{name}": np.array(values) for name, values in vars(parts).items()}
    return npz.pack(arrays)
