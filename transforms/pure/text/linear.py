"""A stack of linear models on n-grams: one class each column, calibrated by the layer on top.

Members see term weights (logistic regression) or mere presence, scaled by how differently the classes use a term
(Wang and Manning 2012, "Baselines and Bigrams"). The layer on top, fitted to members' scores on texts that they had
not seen, weighs and calibrates them (Wolpert 1992).
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.pure.text.tfidf import SparseRows, Tfidf


@dataclass(frozen=True)
class Member:
    """One linear model.

    Attributes:
        space: number of its vocabulary.
        present: whether it sees presence alone.
        weights: (v, k) float32; k is 1 for two classes.
        bias: (k,).
    """

    space: int
    present: bool
    weights: np.ndarray
    bias: np.ndarray

    def score(self, rows: Sequence[SparseRows]) -> np.ndarray:
        """(n, k) log odds."""
        return rows[self.space].dot(self.weights, present=self.present) + self.bias


@dataclass(frozen=True)
class LinearText:
    """Probabilities of classes from words.

    Attributes:
        classes: their names; two for a yes or no, the second is yes.
        spaces: vocabularies.
        members: m models with k columns.
        weights: (m * k, k) of the layer on top.
        bias: (k,).
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
        """As a file without code in it."""
        told = {
            "classes": self.classes,
            "spaces": [{"analyzer": space.analyzer, "vocabulary": space.vocabulary} for space in self.spaces],
            "members": [{"space": member.space, "present": member.present} for member in self.members],
        }
        arrays = {f"idf{number}": space.idf for number, space in enumerate(self.spaces)}
        for number, member in enumerate(self.members):
            arrays |= {f"weights{number}": member.weights.astype(np.float32), f"bias{number}": member.bias}
        return packed(told, weights=self.weights, bias=self.bias, **arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> "LinearText":
        """As ``to_bytes`` wrote it."""
        told, arrays = unpacked(content)
        return cls(
            tuple(told["classes"]),
            tuple(
                Tfidf(space["analyzer"], space["vocabulary"], arrays[f"idf{number}"])
                for number, space in enumerate(told["spaces"])
            ),
            tuple(
                Member(member["space"], member["present"], arrays[f"weights{number}"], arrays[f"bias{number}"])
                for number, member in enumerate(told["members"])
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


def packed(told: object, **arrays: np.ndarray) -> bytes:
    """A JSON value and arrays as one compressed file."""
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(told, ensure_ascii=False).encode(), np.uint8)
    np.savez_compressed(content, allow_pickle=False, told=text, **arrays)
    return content.getvalue()


def unpacked(content: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """What ``packed`` wrote."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        return json.loads(found["told"].tobytes()), {name: found[name] for name in found.files if name != "told"}
