"""Counts of the n-grams of a public list, such as those of a language model that everybody has.

``parameters["ngrams"]`` lists them, each a list of words; ``parameters["order"]`` is their length.
"""

from collections.abc import Sequence

from scipy import sparse

from training.exact.sums import Sums, Table
from training.exact.tallies import ngrams
from training.private.federated.layout import Dense, TableWords
from training.private.federated.statistic import Scope, SiloData, Statistic

NGRAMS = "n-grams"
BEGIN, END = "<s>", "</s>"


def _tables(scope: Scope) -> Sequence[TableWords]:
    return [TableWords(NGRAMS, Dense(1, len(scope.agreement.parameters["ngrams"])))]


def _count(data: SiloData, scope: Scope) -> Sums:
    counts = ngrams(data.texts, int(scope.agreement.parameters["order"]), BEGIN, END)
    row = [[counts[tuple(words)] for words in scope.agreement.parameters["ngrams"]]]
    return Sums({NGRAMS: Table.of(sparse.csr_array(row), sum(counts.values()), NGRAMS)})


STATISTIC = Statistic("ngrams", "counts of the n-grams of a public list: language models", _tables, _count)
