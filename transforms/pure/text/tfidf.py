"""Texts as sparse vectors: sublinear term frequency times inverse document frequency, of length one.

Source: Salton and Buckley (1988), with scikit-learn's smoothing of the inverse document frequency.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.pure.text.words import ANALYZERS, parts

MOST_WORDS = 20_000
"""Most words whose parts are cached."""


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix of n texts by v terms (compressed rows).

    Attributes:
        starts: (n + 1,) int64 index of the first term of each text.
        terms: (nnz,) int32 terms, ascending within a text.
        values: (nnz,) float32 weights.
        width: number of terms v.
    """

    starts: np.ndarray
    terms: np.ndarray
    values: np.ndarray
    width: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def texts(self) -> np.ndarray:
        """(nnz,) index of the text of each value."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def dot(self, weights: np.ndarray, *, present: bool = False) -> np.ndarray:
        """(n, k) product with weights (v, k); with ``present`` all values count as 1."""
        gathered = weights[self.terms].astype(np.float32, copy=False)
        if not present:
            gathered = gathered * self.values[:, None]
        return sums_by_row(gathered, self.starts)


def sums_by_row(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(n, k) sums of values (nnz, k) between each start and the next."""
    total = np.zeros((len(starts) - 1, values.shape[1]), np.float64)
    filled = np.flatnonzero(np.diff(starts))
    if len(filled):
        total[filled] = np.add.reduceat(values, starts[filled], axis=0, dtype=np.float64)
    return total


def document_counts(analyzer: str, texts: Iterable[list[str]]) -> Counter[str]:
    """Count the texts that have each term; texts are given as words.

    >>> sorted(document_counts("runs", [["a"], ["b"], ["b", "a"]]).items())
    [('a', 2), ('b', 2), ('b a', 1)]
    """
    counts: Counter[str] = Counter()
    for tokens in texts:
        counts.update(set(ANALYZERS[analyzer](tokens)))
    return counts


class Tfidf:
    """A TF-IDF vocabulary with its weights."""

    def __init__(self, analyzer: str, vocabulary: Sequence[str], idf: np.ndarray) -> None:
        """Create a vocabulary from its terms and weights.

        Args:
            analyzer: one of ``ANALYZERS``.
            vocabulary: v terms.
            idf: (v,) inverse document frequencies of the terms.
        """
        self.analyzer, self.vocabulary, self.idf = analyzer, list(vocabulary), np.asarray(idf, np.float32)
        self._number_of = {term: number for number, term in enumerate(self.vocabulary)}
        self._numbers_of_word: dict[str, list[int]] = {}

    def _terms(self, tokens: list[str]) -> list[int]:
        """Numbers of the known terms of a text, once per occurrence."""
        numbers = self._number_of
        if self.analyzer != "parts":
            return [number for term in ANALYZERS[self.analyzer](tokens) if (number := numbers.get(term)) is not None]
        term_numbers: list[int] = []
        cache = self._numbers_of_word
        for token in tokens:  # a word has the same parts in every text
            word_numbers = cache.get(token)
            if word_numbers is None:
                word_numbers = [number for term in parts([token]) if (number := numbers.get(term)) is not None]
                if len(cache) < MOST_WORDS:
                    cache[token] = word_numbers
            term_numbers += word_numbers
        return term_numbers

    @classmethod
    def fit(cls, analyzer: str, texts: Iterable[list[str]], *, fewest: int = 2, most: int = 200_000) -> "Tfidf":
        """Fit the vocabulary to texts, each given as words.

        Args:
            analyzer: one of ``ANALYZERS``.
            texts: words of each text.
            fewest: smallest number of texts that contain a term.
            most: greatest number of terms; the most frequent are kept.
        """
        total = 0

        def counted() -> Iterator[list[str]]:
            nonlocal total
            for tokens in texts:
                total += 1
                yield tokens

        counts = document_counts(analyzer, counted())
        return cls.of_counts(analyzer, counts, total, fewest=fewest, most=most)

    @classmethod
    def of_counts(
        cls, analyzer: str, counts: Mapping[str, int], total: int, *, fewest: int = 2, most: int = 200_000
    ) -> "Tfidf":
        """Make the vocabulary of the number of texts that have each term, the same for texts in any order.

        Args:
            analyzer: one of ``ANALYZERS``.
            counts: term → number of texts that have it, as ``document_counts`` gives it.
            total: number of texts.
            fewest: smallest number of texts that contain a term.
            most: greatest number of terms; the most frequent are kept, of equals the first in the alphabet.
        """
        frequent = (term for term, count in counts.items() if count >= fewest)
        vocabulary = sorted(sorted(frequent, key=lambda term: (-counts[term], term))[:most])
        frequency = np.array([counts[term] for term in vocabulary], np.float64)
        return cls(analyzer, vocabulary, np.log((1 + total) / (1 + frequency)) + 1)

    def rows(self, texts: Sequence[list[str]]) -> SparseRows:
        """Transform texts, each given as words, to rows; a text without a known term is a row of zeros."""
        term_numbers: list[int] = []
        lengths: list[int] = []
        previous_count = 0
        for tokens in texts:
            term_numbers += self._terms(tokens)
            lengths.append(len(term_numbers) - previous_count)
            previous_count = len(term_numbers)
        width = len(self.vocabulary)
        cells = np.repeat(np.arange(len(texts), dtype=np.int64), lengths) * max(width, 1) + np.array(
            term_numbers, np.int64
        )
        cells, counts = np.unique(cells, return_counts=True)
        rows, terms = np.divmod(cells, max(width, 1))
        starts = np.searchsorted(rows, np.arange(len(texts) + 1))
        values = (1 + np.log(counts)) * self.idf[terms]
        norms = np.sqrt(sums_by_row((values**2)[:, None], starts)[:, 0])
        values = values / np.maximum(norms[rows], 1e-12)
        return SparseRows(starts, terms.astype(np.int32), values.astype(np.float32), width)
