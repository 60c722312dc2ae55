"""Tags from where a text lies: a logistic regression each, on vector and topics."""

from dataclasses import dataclass

import numpy as np

from transforms.pure.text.linear import packed, unpacked


@dataclass(frozen=True)
class TaggerModel:
    """l tags.

    Attributes:
        tags: their names.
        weights: (d + t, l), of vectors and topics.
        bias: (l,).
        fit: of the embedder whose vectors it knows.
    """

    tags: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray
    fit: int

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """(n, l) of rows (n, d + t); a text may have any number of tags."""
        return 1 / (1 + np.exp(-(rows @ self.weights + self.bias)))

    def to_bytes(self) -> bytes:
        """As a file without code in it."""
        return packed({"tags": self.tags, "fit": self.fit}, weights=self.weights, bias=self.bias)

    @classmethod
    def from_bytes(cls, content: bytes) -> "TaggerModel":
        """As ``to_bytes`` wrote it."""
        told, arrays = unpacked(content)
        return cls(tuple(told["tags"]), arrays["weights"], arrays["bias"], told["fit"])
