"""Tag prediction from text vectors and topics: one logistic regression per tag."""

from dataclasses import dataclass

import numpy as np

from transforms.pure.text.linear import packed, unpacked


@dataclass(frozen=True)
class TaggerModel:
    """A model of l tags.

    Attributes:
        tags: names of the tags.
        weights: (d + t, l) weights of vectors and topics.
        bias: (l,) intercepts.
        fit: identifier of the embedder's fit that the model was trained with.
    """

    tags: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray
    fit: int

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """(n, l) probabilities of the tags for rows (n, d + t); a text may have any number of tags."""
        return 1 / (1 + np.exp(-(rows @ self.weights + self.bias)))

    def to_bytes(self) -> bytes:
        """Serialize for a bundle, without pickles."""
        return packed({"tags": self.tags, "fit": self.fit}, weights=self.weights, bias=self.bias)

    @classmethod
    def from_bytes(cls, content: bytes) -> "TaggerModel":
        """Deserialize the bytes of ``to_bytes``."""
        header, arrays = unpacked(content)
        return cls(tuple(header["tags"]), arrays["weights"], arrays["bias"], header["fit"])
