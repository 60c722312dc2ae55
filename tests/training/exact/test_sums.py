"""Sums over people: the same in any order, without a person as if never there, refused where they could overflow."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from scipy import sparse

from feature_repo.errors import InputError
from training.datasets import Interactions
from training.exact import follows, gram, play_counts, walks
from training.exact.fixed_point import LIMIT, proven, to_floats, to_integers
from training.exact.kept import KeptSums
from training.exact.sums import Sums, Table
from training.exact.tallies import ngrams
from training.models.recommendation import segments
from training.models.recommendation.ease import EASE
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.weighting import Weighting
from training.models.text.kneser_ney import KneserNey
from transforms.pure.text.tfidf import Tfidf, document_counts

DAY = 86_400_000_000
CUTOFF = 60 * DAY
TRACKS = 6
COUNTS = EASE(training_weighting=Weighting(logarithm=True, half_life_days=9.0, recency=0.9), session_pause_s=7_200.0)
SEGMENTS: dict[int, tuple[str, ...]] = {0: ("SE",), 1: ("SE", "SE 1990s"), 2: ("NO",)}

STATISTICS: dict[str, Callable[[Interactions], Sums]] = {
    "gram": lambda plays: gram.count(EASE().rows(plays, CUTOFF)),
    "gram of weights": lambda plays: gram.count(COUNTS.rows(plays, CUTOFF)),
    "walks": lambda plays: walks.count(Weighting().matrix(plays, CUTOFF), 0.7),
    "follows": lambda plays: Transitions(half_life_days=11.0).count(plays, CUTOFF),
    "popularity": lambda plays: Popularity(days=30).count(plays, CUTOFF),
    "segments": lambda plays: segments.count(plays, CUTOFF, SEGMENTS),
}


@st.composite
def people(draw: DrawFn) -> Interactions:
    """Plays of five listeners, some of the same moment, some after the cutoff."""
    count = draw(st.integers(0, 40))
    numbers = [draw(st.lists(st.integers(0, most), min_size=count, max_size=count)) for most in (4, TRACKS - 1, 70 * 4)]
    user, track, quarter = (np.array(values, np.int64) for values in numbers)
    order = np.argsort(quarter, kind="stable")
    time = quarter[order] * (DAY // 4)
    weight = np.array(draw(st.lists(st.floats(0.1, 50), min_size=count, max_size=count)))
    names = [f"t{number}" for number in range(TRACKS)]
    return Interactions(
        [f"u{number}" for number in range(5)], names, [None] * 6, user[order], track[order], time, weight
    )


def of(plays: Interactions, users: list[int]) -> Interactions:
    return plays.only(np.isin(plays.user, users))


@pytest.mark.parametrize("name", STATISTICS)
@settings(max_examples=15, deadline=None)
@given(plays=people(), order=st.permutations(range(5)), leaving=st.sets(st.integers(0, 4)))
def test_people_add_up_in_any_order_and_are_subtracted(
    name: str, plays: Interactions, order: list[int], leaving: set[int]
) -> None:
    count = STATISTICS[name]
    every = count(plays)
    one_by_one = count(of(plays, []))
    for user in order:
        one_by_one += count(of(plays, [user]))
    assert one_by_one.digests() == every.digests()
    others = count(of(plays, sorted(set(range(5)) - leaving)))
    assert (every - count(of(plays, sorted(leaving)))).digests() == others.digests()
    for table, sums in {**one_by_one.tables, **others.tables}.items():
        assert np.abs(sums.cells.data.astype(object)).max(initial=0) <= sums.bound < LIMIT, table


@settings(max_examples=25, deadline=None)
@given(plays=people())
def test_a_gram_matrix_is_the_naive_product(plays: Interactions) -> None:
    weights = Weighting(logarithm=True).matrix(plays, CUTOFF).toarray()
    sums = gram.count(gram.rounded(sparse.csr_array(weights), gram.BITS))
    exact = [[sum(int(w) for w in column) for column in row] for row in _products(weights)]
    assert sums[gram.NAME].toarray().tolist() == exact
    np.testing.assert_allclose(to_floats(sums[gram.NAME].toarray(), 2 * gram.BITS), weights.T @ weights, atol=1e-2)


def _products(weights: np.ndarray) -> list[list[list[int]]]:
    whole = [[round(value * 2**gram.BITS) for value in row] for row in weights.tolist()]
    columns = list(zip(*whole, strict=True)) if whole else [()] * TRACKS
    return [[[a * b for a, b in zip(left, right, strict=True)] for right in columns] for left in columns]


@given(plays=people())
@settings(max_examples=25, deadline=None)
def test_kept_sums_are_read_as_written(plays: Interactions) -> None:
    sums = gram.count(COUNTS.rows(plays, CUTOFF)) + Transitions().count(plays, CUTOFF)
    sums += segments.count(plays, CUTOFF, SEGMENTS)
    kept = KeptSums(plays.track_ids, CUTOFF, sums)
    again = KeptSums.from_bytes(kept.to_bytes())
    assert again.digest() == kept.digest() and again.sums.digests() == sums.digests()
    assert {name: table.bound for name, table in again.sums.tables.items()} == {
        name: table.bound for name, table in sums.tables.items()
    }
    wider = KeptSums(
        [*plays.track_ids, "t9"], CUTOFF, Sums({name: _wider(table) for name, table in sums.tables.items()})
    )
    assert wider.digest() == kept.digest()  # a track that nobody played does not count


def _wider(table: Table) -> Table:
    cells = table.cells.copy()
    cells.resize((cells.shape[0] + (cells.shape[0] > 1), cells.shape[1] + 1))
    return Table.of(cells, table.bound, "wider")


def test_digests_tell_cells_and_items_apart() -> None:
    def digest(items: list[str], cells: list[list[int]]) -> str:
        return KeptSums(items, 0, Sums({"x": Table.of(sparse.csr_array(cells), 9, "x")})).digest()

    base = digest(["a", "b"], [[1, 2], [2, 0]])
    others = [
        digest(["a", "b"], [[1, 2], [2, 1]]),
        digest(["a", "b"], [[2, 1], [1, 2]]),
        digest(["a", "c"], [[1, 2], [2, 0]]),
    ]
    assert all(other != base for other in others)


def test_what_was_never_added_is_not_subtracted() -> None:
    one = play_counts.count({"all": (np.array([1]), np.array([1.0]))}, 3)
    two = play_counts.count({"all": (np.array([2]), np.array([1.0]))}, 3)
    with pytest.raises(InputError, match="never added"):
        one - two
    with pytest.raises(InputError, match="never added"):
        one - play_counts.count({"of others": (np.array([1]), np.array([1.0]))}, 3)
    with pytest.raises(InputError, match="same items"):
        one + play_counts.count({"all": (np.array([1]), np.array([1.0]))}, 4)


def test_overflow_is_refused_before_it_happens() -> None:
    largest = Table.of(sparse.csr_array([[2**62]]), 2**62, "x")
    with pytest.raises(InputError, match="2\\^63"):
        Sums({"x": largest}) + Sums({"x": largest})
    with pytest.raises(InputError, match="finite weights"):
        to_integers(np.array([2.0**50]), 16)
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(InputError, match="finite weights"):
            to_integers(np.array([1.0, wrong]), 16)
    rows = sparse.csr_array(np.full((2, 2), 2**31, np.int64))
    with pytest.raises(InputError, match="gram"):
        gram.count(rows)
    assert (
        gram.count(sparse.csr_array(np.full((1, 2), 2**31, np.int64)))[gram.NAME].toarray().tolist()
        == [[2**62] * 2] * 2
    )
    with pytest.raises(InputError, match="plays of all"):
        play_counts.count({"all": (np.zeros(2, int), np.full(2, 2.0**42))}, 1)
    with pytest.raises(InputError, match="ordered"):
        follows.count([(np.zeros(2, int), np.zeros(2, int), np.full(2, 2.0**30), np.zeros(2, bool))], 1)
    with pytest.raises(InputError):
        proven(LIMIT, "x")


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), max_size=30), st.integers(0, 40))
def test_rounding_is_within_half_a_unit(weights: list[float], bits: int) -> None:
    back = to_floats(to_integers(np.array(weights), bits), bits)
    assert np.abs(back - weights).max(initial=0) <= 2.0 ** -(bits + 1)


SEQUENCES = st.lists(st.lists(st.sampled_from("abcde"), max_size=6), max_size=12)


@given(SEQUENCES, SEQUENCES, st.integers(1, 4), st.randoms())
@settings(max_examples=50, deadline=None)
def test_sequences_of_a_person_are_subtracted(own, others, order, random) -> None:  # type: ignore[no-untyped-def]
    mixed = [*own, *others]
    random.shuffle(mixed)
    rest = ngrams(mixed, order, "<s>", "</s>") - ngrams(own, order, "<s>", "</s>")
    assert rest == ngrams(others, order, "<s>", "</s>")
    if others:
        never = KneserNey(order, 2).fit(others).to_bytes()
        assert KneserNey(order, 2).solve(rest).to_bytes() == never
    terms = document_counts("runs", mixed)
    rest_of_terms = terms - document_counts("runs", own)
    model, never_there = Tfidf.of_counts("runs", rest_of_terms, len(others), most=5), Tfidf.fit("runs", others, most=5)
    assert model.vocabulary == never_there.vocabulary and model.idf.tolist() == never_there.idf.tolist()
