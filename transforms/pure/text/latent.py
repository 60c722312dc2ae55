"""Vectors and topics of texts.

Vectors: latent semantic analysis, term weights projected on the strongest directions of a corpus (Deerwester et al.
1990). Topics: shares of a non-negative factorization of the same weights (Lee and Seung 1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.pure.text.linear import packed, unpacked
from transforms.pure.text.tfidf import Tfidf

STEPS = 40


@dataclass(frozen=True)
class LatentText:
    """A model of text vectors and topics.

    Attributes:
        spaces: vocabularies; the first is of words and is used for topics.
        projections: (v, d) projection of each vocabulary.
        topics: (t, v of the first vocabulary) non-negative term weights of each topic.
        fit: identifier of this fit of the model.
    """

    spaces: tuple[Tfidf, ...]
    projections: tuple[np.ndarray, ...]
    topics: np.ndarray
    fit: int

    @property
    def dimensions(self) -> int:
        """Number of dimensions of a vector."""
        return self.projections[0].shape[1]

    def vectors(self, texts: Sequence[list[str]]) -> np.ndarray:
        """(n, d) float32 unit vectors of texts given as words; zeros where no term is known."""
        total = np.zeros((len(texts), self.dimensions))
        for space, projection in zip(self.spaces, self.projections, strict=True):
            total += space.rows(texts).dot(projection)
        norms = np.linalg.norm(total, axis=1, keepdims=True)
        return (total / np.where(norms > 1e-9, norms, 1)).astype(np.float32)

    def topic_shares(self, texts: Sequence[list[str]]) -> np.ndarray:
        """(n, t) float32 topic shares that sum to 1; equal shares where no word is known."""
        projected = self.spaces[0].rows(texts).dot(self.topics.T)
        gram = (self.topics @ self.topics.T).astype(np.float64)
        shares = np.full(projected.shape, 1.0 / len(self.topics))
        for _ in range(STEPS):
            shares *= projected / np.maximum(shares @ gram, 1e-12)
        total = shares.sum(axis=1, keepdims=True)
        return np.where(total > 1e-9, shares / np.maximum(total, 1e-9), 1 / len(self.topics)).astype(np.float32)

    def topic_words(self, topic: int, count: int = 5) -> list[str]:
        """The heaviest words of a topic."""
        heaviest = np.argsort(-self.topics[topic], kind="stable")[:count]
        return [self.spaces[0].vocabulary[term] for term in heaviest]

    def to_bytes(self) -> bytes:
        """Serialize for a bundle, without pickles."""
        header = {
            "spaces": [{"analyzer": space.analyzer, "vocabulary": space.vocabulary} for space in self.spaces],
            "fit": self.fit,
        }
        arrays = {f"idf{number}": space.idf for number, space in enumerate(self.spaces)}
        arrays |= {f"projection{number}": matrix.astype(np.float16) for number, matrix in enumerate(self.projections)}
        return packed(header, topics=self.topics.astype(np.float32), **arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> "LatentText":
        """Deserialize the bytes of ``to_bytes``."""
        header, arrays = unpacked(content)
        spaces = tuple(
            Tfidf(space["analyzer"], space["vocabulary"], arrays[f"idf{number}"])
            for number, space in enumerate(header["spaces"])
        )
        projections = tuple(arrays[f"projection{number}"] for number in range(len(spaces)))
        return cls(spaces, projections, arrays["topics"], header["fit"])
