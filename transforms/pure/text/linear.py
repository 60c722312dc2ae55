"""A stacked text classifier: linear models on n-grams, combined and calibrated by a top layer.

Members use term weights (logistic regression) or the presence of terms, scaled by log-count ratios of the classes
(Wang and Manning 2012, "Baselines and Bigrams"). The top layer weighs and calibrates their scores; it is fitted to
scores of held-out texts (Wolpert 1992).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.pure import npz
from transforms.pure.text.tfidf import SparseRows, Tfidf


@dataclass(frozen=True)
class Member:
    """One linear model of the stack.

    Attributes:
        space: number of the vocabulary.
        present: whether the model uses only the presence of terms.
        weights: (v, k) float32 weights of the terms; k is 1 for two classes.
        bias: (k,) intercepts.
    """

    space: int
    present: bool
    weights: np.ndarray
    bias: np.ndarray

    def score(self, rows: Sequence[SparseRows]) -> np.ndarray:
        """(n, k) log odds of texts, given as rows in each vocabulary."""
        return rows[self.space].dot(self.weights, present=self.present) + self.bias


@dataclass(frozen=True)
class LinearText:
    """A stacked linear classifier of texts.

    Attributes:
        classes: names of the classes; of two, the second is the positive one.
        spaces: vocabularies.
        members: m models with k columns each.
        weights: (m * k, k) weights of the top layer.
        bias: (k,) intercepts of the top layer.
    """

    classes: tuple[str, ...]
    spaces: tuple[Tfidf, ...]
    members: tuple[Member, ...]
    weights: np.ndarray
    bias: np.ndarray

    def scores(self, texts: Sequence[list[str]]) -> np.ndarray:
        """(n, m * k) scores of the members for texts given as words."""
        rows = [space.rows(texts) for space in self.spaces]
        return np.concatenate([member.score(rows) for member in self.members], axis=1)

    def predict(self, texts: Sequence[list[str]]) -> np.ndarray:
        """(n, classes) probabilities of texts given as words; they sum to 1."""
        return probabilities(self.scores(texts) @ self.weights + self.bias)

    def to_bytes(self) -> bytes:
        """Serialize for a bundle, without pickles."""
        header = {
            "classes": self.classes,
            "spaces": [{"analyzer": space.analyzer, "vocabulary": space.vocabulary} for space in self.spaces],
            "members": [{"space": member.space, "present": member.present} for member in self.members],
        }
        arrays = {f"idf{number}": space.idf for number, space in enumerate(self.spaces)}
        for number, member in enumerate(self.members):
            arrays |= {f"weights{number}": member.weights.astype(np.float32), f"bias{number}": member.bias}
        return packed(header, weights=self.weights, bias=self.bias, **arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> "LinearText":
        """Deserialize the bytes of ``to_bytes``."""
        header, arrays = unpacked(content)
        return cls(
            tuple(header["classes"]),
            tuple(
                Tfidf(space["analyzer"], space["vocabulary"], arrays[f"idf{number}"])
                for number, space in enumerate(header["spaces"])
            ),
            tuple(
                Member(member["space"], member["present"], arrays[f"weights{number}"], arrays[f"bias{number}"])
                for number, member in enumerate(header["members"])
            ),
            arrays["weights"],
            arrays["bias"],
        )


def probabilities(scores: np.ndarray) -> np.ndarray:
    """(n, classes) from log odds (n, 1) of the second of two classes, or from (n, k) scores by softmax."""
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def packed(header: object, **arrays: np.ndarray) -> bytes:
    """Serialize a JSON value and arrays as one compressed file."""
    return npz.pack({"told": np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8), **arrays})


def unpacked(content: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """Deserialize the bytes of ``packed``: the JSON value and the arrays."""
    arrays = npz.unpack(content)
    return json.loads(arrays.pop("told").tobytes()), arrays
