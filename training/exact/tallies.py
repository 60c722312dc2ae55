"""Counts of sequences by what is in them, such as n-grams; Python's integers do not overflow.

Those of people are added in any order, and a person's are subtracted, as ``Counter`` does it. The number of texts that
have a term (``transforms.pure.text.tfidf.document_counts``) is such a tally, too.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

NGram = tuple[str, ...]


def ngrams(sequences: Iterable[Sequence[str]], order: int, begin: str, end: str) -> Counter[NGram]:
    """Counts the n-grams of sequences, with an end, and before it as many begins as a first item needs.

    >>> sorted(ngrams([["a", "b"]], 2, "<", ">").items())
    [(('<', 'a'), 1), (('a', 'b'), 1), (('b', '>'), 1)]
    """
    counts: Counter[NGram] = Counter()
    for sequence in sequences:
        padded = [*[begin] * (order - 1), *sequence, end]
        counts.update(tuple(padded[place - order + 1 : place + 1]) for place in range(order - 1, len(padded)))
    return counts
