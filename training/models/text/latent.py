"""Fits ``transforms.pure.text.latent``: vectors by latent semantic analysis, topics by matrix factorization (NMF)."""

import hashlib
import warnings
from collections.abc import Sequence

import numpy as np

from feature_repo.errors import InputError
from transforms.pure.text.latent import LatentText
from transforms.pure.text.tfidf import SparseRows, Tfidf
from transforms.pure.text.words import words

DIMENSIONS, TOPICS = 128, 16
MOST_TERMS = {"runs": 30_000, "parts": 20_000}
PARTS = 0.5
"""Weight of parts of words against whole words: they bring spellings together."""
MOST_TEXTS = 200_000
COMMON = 0.2
"""A word in a larger share of the texts than this makes no topic, if there are ``FEWEST_TEXTS``."""
FEWEST_TEXTS = 100
STEPS = 200
"""Of the factorization."""


def fit(
    tokens: Sequence[list[str]], *, dimensions: int = DIMENSIONS, topics: int = TOPICS, seed: int = 0
) -> LatentText:
    """Fit vectors and topics to a corpus.

    Args:
        tokens: words of n texts; of more than ``MOST_TEXTS`` a sample is taken.
        dimensions: of the vectors; what a small corpus does not fill is zero.
        topics: how many.
        seed: of the sample and the factorizations.

    Raises:
        InputError: fewer than two texts with words that others have too.
    """
    from scipy.sparse import csr_array, hstack
    from sklearn.decomposition import NMF, TruncatedSVD
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    rng = np.random.default_rng(seed)
    if len(tokens) > MOST_TEXTS:
        tokens = [tokens[row] for row in np.sort(rng.choice(len(tokens), MOST_TEXTS, replace=False))]
    spaces = tuple(Tfidf.fit(name, tokens, fewest=2, most=most) for name, most in MOST_TERMS.items())
    if not all(space.vocabulary for space in spaces):
        raise InputError(
            expected="texts that share words",
            found=f"{len(tokens)} texts that do not",
            next_command="python -m transforms simulate  (or: python -m transforms import texts PATH)",
        )

    def matrix(rows: SparseRows, weight: float = 1.0):  # type: ignore[no-untyped-def]
        return csr_array(
            (rows.values.astype(np.float64) * weight, rows.terms, rows.starts), shape=(len(rows), rows.width)
        )

    plain = spaces[0].rows(tokens)
    both = hstack([matrix(plain), matrix(spaces[1].rows(tokens), PARTS)]).tocsr()
    most = min(dimensions, min(both.shape) - 1)
    found = TruncatedSVD(most, n_iter=4, random_state=seed).fit(both)
    table = np.zeros((both.shape[1], dimensions))
    table[:, :most] = found.components_.T
    width = len(spaces[0].vocabulary)
    projections = (table[:width].astype(np.float16), (PARTS * table[width:]).astype(np.float16))
    # topics are told in single words that say something
    words_alone = [" " not in term and term[0].isalpha() and len(term) > 2 for term in spaces[0].vocabulary]
    telling = np.array([term not in ENGLISH_STOP_WORDS for term in spaces[0].vocabulary])
    rare = spaces[0].idf > 1 - np.log(COMMON) if len(tokens) >= FEWEST_TEXTS else True
    single = np.array(words_alone) & telling & rare
    counted = matrix(plain).multiply(single[None, :]).tocsr()
    wanted = min(topics, min(both.shape) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # steps are bounded on purpose
        factors = NMF(wanted, init="nndsvd", max_iter=STEPS, tol=1e-3, random_state=seed).fit(counted)
    weights = np.zeros((topics, width), np.float32)
    weights[:wanted] = factors.components_ / np.maximum(
        np.linalg.norm(factors.components_, axis=1, keepdims=True), 1e-9
    )
    identity = hashlib.sha256(b"".join(one.tobytes() for one in projections) + weights.tobytes()).digest()
    return LatentText(spaces, projections, weights, int.from_bytes(identity[:8], "big") >> 12)


def corpus(texts: Sequence[str]) -> list[list[str]]:
    """Distinct texts, as words."""
    return [words(text) for text in dict.fromkeys(texts)]
