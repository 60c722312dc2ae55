"""Counts of sequences by what is in them, such as n-grams; Python's integers do not overflow.

Sequences of people are added in any order, and a person's are subtracted, as with ``Sums``. The number of texts that
have a term (``transforms.pure.text.tfidf.document_counts``) is such a tally, too.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from feature_repo.errors import InputError

NGram = tuple[str, ...]
Part = TypeVar("Part", bound=Hashable)


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


def subtract(total: Counter[Part], share: Counter[Part]) -> Counter[Part]:
    """A tally without the share of people that is in it; what falls to zero is gone.

    Raises:
        InputError: the share is not in it.

    >>> subtract(Counter({"a": 2, "b": 1}), Counter({"a": 1, "b": 1}))
    Counter({'a': 1})
    """
    rest = Counter(total)
    rest.subtract(share)
    if any(count < 0 for count in rest.values()):
        raise InputError(
            expected="people whose texts are in the tally",
            found="texts that were never added",
            next_command="refrain model run sequence_model  (counts anew)",
        )
    return +rest
