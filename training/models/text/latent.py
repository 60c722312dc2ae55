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
"""Weight of parts of words relative to whole words; they bring different spellings together."""
MOST_TEXTS = 200_000
COMMON = 0.2
"""Maximum share of the texts with a topic word; applies from ``FEWEST_TEXTS`` texts on."""
FEWEST_TEXTS = 100
STEPS = 200
"""Maximum number of iterations of the factorization."""


def fit(
    tokens: Sequence[list[str]], *, dimensions: int = DIMENSIONS, topics: int = TOPICS, seed: int = 0
) -> LatentText:
    """Fit vectors and topics to a corpus.

    Args:
        tokens: words of n texts; a sample of ``MOST_TEXTS`` if there are more.
        dimensions: length of the vectors; dimensions that a small corpus does not fill are zero.
        topics: number of topics.
        seed: random seed of the sample and of the factorizations.

    Raises:
        InputError: no words are shared by two texts.
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
            found=f"{len(tokens)} texts that share none",
            next_command="refrain simulate  (or: refrain import texts PATH)",
        )

    def matrix(rows: SparseRows, weight: float = 1.0):  # type: ignore[no-untyped-def]
        return csr_array(
            (rows.values.astype(np.float64) * weight, rows.terms, rows.starts), shape=(len(rows), rows.width)
        )

    run_rows = spaces[0].rows(tokens)
    term_matrix = hstack([matrix(run_rows), matrix(spaces[1].rows(tokens), PARTS)]).tocsr()
    most = min(dimensions, min(term_matrix.shape) - 1)
    svd = TruncatedSVD(most, n_iter=4, random_state=seed).fit(term_matrix)
    components = np.zeros((term_matrix.shape[1], dimensions))
    components[:, :most] = svd.components_.T
    width = len(spaces[0].vocabulary)
    projections = (components[:width].astype(np.float16), (PARTS * components[width:]).astype(np.float16))
    # topics are described by single, informative words
    is_word = [" " not in term and term[0].isalpha() and len(term) > 2 for term in spaces[0].vocabulary]
    is_not_stop_word = np.array([term not in ENGLISH_STOP_WORDS for term in spaces[0].vocabulary])
    is_rare = spaces[0].idf > 1 - np.log(COMMON) if len(tokens) >= FEWEST_TEXTS else True
    is_topic_word = np.array(is_word) & is_not_stop_word & is_rare
    topic_matrix = matrix(run_rows).multiply(is_topic_word[None, :]).tocsr()
    topic_count = min(topics, min(term_matrix.shape) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # steps are bounded on purpose
        nmf = NMF(topic_count, init="nndsvd", max_iter=STEPS, tol=1e-3, random_state=seed).fit(topic_matrix)
    weights = np.zeros((topics, width), np.float32)
    weights[:topic_count] = nmf.components_ / np.maximum(np.linalg.norm(nmf.components_, axis=1, keepdims=True), 1e-9)
    identity = hashlib.sha256(b"".join(projection.tobytes() for projection in projections) + weights.tobytes()).digest()
    return LatentText(spaces, projections, weights, int.from_bytes(identity[:8], "big") >> 12)


def corpus(texts: Sequence[str]) -> list[list[str]]:
    """Return the words of each distinct text."""
    return [words(text) for text in dict.fromkeys(texts)]
