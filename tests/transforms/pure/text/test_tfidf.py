"""Sparse TF-IDF vectors, against scikit-learn and against dense arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from transforms.pure.text.tfidf import SparseRows, Tfidf
from transforms.pure.text.words import ANALYZERS

TEXTS = st.lists(st.lists(st.sampled_from(["ab", "ba", "not", "good", "ab-ba"]), max_size=6), min_size=1, max_size=8)


def dense(rows: SparseRows) -> np.ndarray:
    table = np.zeros((len(rows), rows.width))
    table[rows.texts, rows.terms] = rows.values
    return table


@pytest.mark.parametrize("analyzer", list(ANALYZERS))
@given(texts=TEXTS, queries=TEXTS)
def test_it_is_what_scikit_learn_makes_of_the_same_terms(
    analyzer: str, texts: list[list[str]], queries: list[list[str]]
) -> None:
    model = Tfidf.fit(analyzer, texts, fewest=1)
    if not model.vocabulary:
        assert dense(model.rows(queries)).shape == (len(queries), 0)
        return
    vectorizer = TfidfVectorizer(analyzer=lambda tokens: list(ANALYZERS[analyzer](tokens)), sublinear_tf=True).fit(
        texts
    )
    assert model.vocabulary == vectorizer.get_feature_names_out().tolist()
    np.testing.assert_allclose(dense(model.rows(queries)), vectorizer.transform(queries).toarray(), atol=1e-6)


@given(TEXTS)
def test_products_are_those_of_the_dense_matrix(texts: list[list[str]]) -> None:
    space = Tfidf.fit("runs", [["ab", "ba", "good"], *texts], fewest=1)
    rows = space.rows(texts)
    weights = np.random.default_rng(0).normal(size=(rows.width, 3))
    np.testing.assert_allclose(rows.dot(weights), dense(rows) @ weights, atol=1e-5)
    np.testing.assert_allclose(rows.dot(weights, present=True), (dense(rows) > 0) @ weights, atol=1e-5)


def test_rare_terms_are_left_out_and_the_most_frequent_kept() -> None:
    texts = [["a"], ["a"], ["a"], ["b"], ["b"], ["c"]]
    assert Tfidf.fit("runs", texts, fewest=2).vocabulary == ["a", "b"]
    assert Tfidf.fit("runs", texts, fewest=1, most=1).vocabulary == ["a"]
