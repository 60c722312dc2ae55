"""Words of a round: sums of words are sums of tables, and what no honest silos have is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from feature_repo.errors import InputError
from training.exact import gram
from training.exact.sums import Sums, Table
from training.private.federated.catalogue import hash_of
from training.private.federated.layout import Dense, Packing, Pattern, TableWords, Triangle
from training.private.federated.plausible import check_sums
from training.private.federated.union import fill, peel

PLAYS = Packing([TableWords("plays", Dense(1, 3))], most=100)


def table(cells: list[list[int]], name: str = "plays") -> Sums:
    return Sums({name: Table.of(sparse.csr_array(cells), 2**62, name, is_signed=True)})


@pytest.mark.parametrize(
    ("sums", "problem"),
    [
        (table([[1, 2, 101]]), "cells of plays up to 100"),
        (table([[1, -2, 0]]), "cells of plays up to 100"),
        (table([[1, 2]]), r"plays of \(1, 3\)"),
        (table([[1]], "other"), "tables that are sent; found other"),
    ],
)
def test_a_silo_sends_no_table_that_is_not_agreed_on(sums: Sums, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        PLAYS.pack(sums)


@pytest.mark.parametrize(
    "words",
    [
        np.array([301, 0, 0], np.uint64),  # three silos have 300 at the most
        np.array([2**64 - 1, 0, 0], np.uint64),  # a negative count
        np.array([2**63, 0, 0], np.uint64),
        np.zeros(4, np.uint64),
        np.zeros(3, np.int64),
    ],
)
def test_a_sum_beyond_what_the_silos_may_have_is_refused(words: np.ndarray) -> None:
    with pytest.raises(InputError):
        PLAYS.unpack(words, silos=3)
    assert PLAYS.unpack(np.array([300, 0, 1], np.uint64), silos=3)["plays"].toarray().tolist() == [[300, 0, 1]]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.randoms(use_true_random=False), st.integers(2, 5))
def test_sums_of_words_are_sums_of_tables(size: int, random: object, silos: int) -> None:
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    places = np.unique(rng.integers(size * size, size=4))
    pattern = Pattern(places // size, places % size, (size, size))
    packing = Packing(
        [
            TableWords("dense", Dense(size, size), is_signed=True),
            TableWords("triangle", Triangle(size)),
            TableWords("pattern", pattern),
        ],
        most=(2**63 - 1) // silos,
    )
    total = np.zeros(packing.words, np.uint64)
    expected = {name: np.zeros((size, size), np.int64) for name in ("dense", "triangle", "pattern")}
    for _ in range(silos):
        half = rng.integers(50, size=(size, size))
        cells = {
            "dense": rng.integers(-(2**60), 2**60, size=(size, size)) // silos,
            "triangle": half + half.T,
            "pattern": rng.integers(9, size=(size, size)),
        }
        tables = {name: Table.of(sparse.csr_array(each), 2**62, name) for name, each in cells.items()}
        total += packing.pack(Sums(tables))
        for name, each in cells.items():
            expected[name] += each
    result = packing.unpack(total, silos)
    for name in ("dense", "triangle"):
        np.testing.assert_array_equal(result[name].toarray(), expected[name])
    is_public = np.zeros((size, size), bool)
    is_public[pattern.rows, pattern.columns] = True
    np.testing.assert_array_equal(result["pattern"].toarray(), expected["pattern"] * is_public)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 300), max_size=80), min_size=1, max_size=6))
def test_the_union_is_that_of_sets(silos: list[set[int]]) -> None:
    keys = [np.array([hash_of(str(id_), "run") for id_ in sorted(ids)], np.uint64) for ids in silos]
    total = np.sum([fill(each, 600) for each in keys], axis=0, dtype=np.uint64)
    union, counts = peel(total, 600, len(silos))
    expected = {hash_of(str(id_), "run"): sum(id_ in ids for ids in silos) for id_ in set().union(*silos)}
    assert dict(zip(union.tolist(), counts.tolist(), strict=True)) == expected


def test_a_table_that_is_too_small_or_filled_otherwise_is_refused() -> None:
    keys = np.array([hash_of(str(number), "run") for number in range(2_000)], np.uint64)
    with pytest.raises(InputError, match="cannot be read"):
        peel(fill(keys, 50), 50, 3)
    spoilt = fill(keys[:20], 50)
    spoilt[3] += np.uint64(1)
    with pytest.raises(InputError, match="cannot be read"):
        peel(spoilt, 50, 3)
    with pytest.raises(InputError, match="cannot be read"):
        peel(np.random.default_rng(0).integers(2**63, size=len(spoilt)).astype(np.uint64), 50, 3)


def test_pairs_with_more_listeners_than_their_tracks_are_refused() -> None:
    check_sums(table([[4, 2], [2, 1]], gram.NAME))
    with pytest.raises(InputError, match="1 pairs|2 pairs"):
        check_sums(table([[4, 3], [3, 1]], gram.NAME))
