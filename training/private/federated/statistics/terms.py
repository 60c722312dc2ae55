"""Number of texts that have each term of a public vocabulary, and of all texts. Weights of TF-IDF are solved from them.

``parameters["terms"]`` is the vocabulary, ``parameters["analyzer"]`` what cuts texts into terms. A vocabulary of the
silos' own terms would show them; it can be found by ``union``, and names go through a hash there.
"""

from collections.abc import Sequence

from scipy import sparse

from training.exact.sums import Sums, Table
from training.private.federated.layout import Dense, TableWords
from training.private.federated.statistic import Scope, SiloData, Statistic
from transforms.pure.text.tfidf import document_counts

TERMS, TEXTS = "texts with a term", "texts"


def _tables(scope: Scope) -> Sequence[TableWords]:
    return [TableWords(TERMS, Dense(1, len(scope.agreement.parameters["terms"]))), TableWords(TEXTS, Dense(1, 1))]


def _count(data: SiloData, scope: Scope) -> Sums:
    counts = document_counts(str(scope.agreement.parameters.get("analyzer", "runs")), map(list, data.texts))
    row = [[counts[term] for term in scope.agreement.parameters["terms"]]]
    texts = len(data.texts)
    return Sums(
        {
            TERMS: Table.of(sparse.csr_array(row), texts, TERMS),
            TEXTS: Table.of(sparse.csr_array([[texts]]), texts, TEXTS),
        }
    )


STATISTIC = Statistic("terms", "texts that have each term of a public vocabulary: TF-IDF", _tables, _count)
