"""The rows that explain a bundle: rows of its test, and the contribution of each column to their answers."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.bundle import MANIFEST
from training.bundle import BACKGROUND
from transforms.pure import npz

MODEL = "model.onnx"
"""Model of the answers by default."""


@dataclass(frozen=True)
class Background:
    """Explained rows of one bundle.

    Attributes:
        columns: (d,) names of the columns.
        inputs: (n, d) rows of the test.
        contributions: (n, d + 1) contributions of each column; the last column is the base value.
        model: file of the bundle that answers the rows.
    """

    columns: tuple[str, ...]
    inputs: np.ndarray
    contributions: np.ndarray
    model: str

    @classmethod
    def read(cls, folder: Path) -> "Background | None":
        """Reads the background of a bundle; None if it has none."""
        try:
            arrays = npz.unpack((folder / BACKGROUND).read_bytes())
            inputs, contributions, model = arrays["inputs"], arrays["contributions"], str(arrays["model"][0])
            columns = json.loads((folder / MANIFEST).read_text())["extra"]["columns"]
        except (OSError, KeyError):
            return None
        return cls(tuple(columns), inputs, contributions, model) if len(inputs) else None

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


def background(inputs: np.ndarray, contributions: np.ndarray, model: str = MODEL) -> bytes:
    """Serializes a background as a file of a bundle.

    Args:
        inputs: (n, d) rows of the test.
        contributions: (n, d + 1) contributions of each column.
        model: file of the bundle that answers them; the columns are ``columns`` of its manifest's ``extra``.
    """
    return npz.pack({"inputs": inputs, "contributions": contributions, "model": np.array([model])})
