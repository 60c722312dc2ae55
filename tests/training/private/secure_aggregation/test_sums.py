"""Any number of silos, any threshold, any dropouts: the exact sum of those who stayed, or no sum at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from feature_repo.errors import InputError
from tests.training.private.secure_aggregation.rounds import NAMES, NEVER, Round
from training.private.secure_aggregation.envelope import PHASES, Phase
from training.private.secure_aggregation.errors import RoundAborted, RoundRefused
from training.private.secure_aggregation.integers import to_integers, to_words
from training.private.secure_aggregation.shamir import combine, multiply, share


@st.composite
def rounds(draw: DrawFn) -> tuple[int, int, dict[str, int], int]:
    silos = draw(st.integers(2, 7))
    threshold = draw(st.integers(silos // 2 + 1, silos))
    last = {name: draw(st.just(NEVER) | st.integers(0, NEVER)) for name in NAMES[:silos]}
    return silos, threshold, last, draw(st.integers(0, 2**32 - 1))


@settings(max_examples=50, deadline=None)
@given(rounds())
def test_the_exact_sum_of_those_who_stay_or_none(case: tuple[int, int, dict[str, int], int]) -> None:
    silos, threshold, last, seed = case
    rng = np.random.default_rng(seed)
    words = {name: rng.integers(0, 2**64, 5, np.uint64) for name in NAMES[:silos]}
    current = Round(words, threshold)
    present = [sum(number > phase for number in last.values()) for phase in range(NEVER)]
    if min(present) < threshold:
        with pytest.raises(RoundAborted, match=f"{next(n for n in present if n < threshold)} silos in the phase"):
            current.run(last)
        assert current.coordinator.phase is None
        return
    total = current.run(last)
    survivors = sorted(name for name, number in last.items() if number > PHASES.index(Phase.MASK))
    assert total is not None and total.silos == tuple(survivors)
    assert total.dropped == tuple(sorted(set(words) - set(survivors)))
    oracle = [sum(int(words[name][place]) for name in survivors) % 2**64 for place in range(5)]
    assert total.words.tolist() == oracle


@settings(max_examples=15, deadline=None)
@given(st.integers(0, NEVER - 1), st.integers(0, 4))
def test_a_message_that_comes_too_late_changes_nothing(phase: int, silo: int) -> None:
    words = {name: np.full(3, 2**60 + number, np.uint64) for number, name in enumerate(NAMES[:5])}
    current, late = Round(words, 3), NAMES[silo]
    answer = b""
    for number, name in enumerate(PHASES):
        gone = {late} if number >= phase else set()
        if number == phase:
            content = current.coordinator.message(name, late)
            assert content is not None
            answer = current.silos[late].answer(name, content)
        current.step(name, set(words) - gone)
        current.coordinator.close()
        if number == phase:
            with pytest.raises(RoundRefused, match="too late or too early"):
                current.coordinator.receive(answer)
    total = current.coordinator.unmasked()
    kept = [words[name] for name in words if name != late or phase > PHASES.index(Phase.MASK)]
    assert (total.words == np.sum(kept, axis=0, dtype=np.uint64)).all()


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(1, 12), st.data())
def test_as_many_shares_as_the_threshold_give_the_secret(secret: bytes, threshold: int, data: st.DataObject) -> None:
    points = data.draw(st.lists(st.integers(1, 255), min_size=threshold, max_size=20, unique=True))
    shares = dict(zip(points, share(secret, threshold, points), strict=True))
    chosen = data.draw(st.lists(st.sampled_from(points), min_size=threshold, max_size=threshold, unique=True))
    assert combine({point: shares[point] for point in chosen}) == secret
    # one share fewer fits every secret equally: each value of the missing one leads to another first byte
    missing = next(point for point in range(1, 256) if point not in chosen[1:])
    fewer = {point: shares[point][:1] * 256 for point in chosen[1:]}
    assert sorted(combine({**fewer, missing: bytes(range(256))})) == list(range(256))


def _product(left: int, right: int) -> int:
    """Product of two polynomials over GF(2) modulo that of AES, one bit after another."""
    product = 0
    for bit in range(8):
        product ^= (left << bit) if right >> bit & 1 else 0
    for bit in range(15, 7, -1):
        product ^= (0x11B << (bit - 8)) if product >> bit & 1 else 0
    return product


def test_products_are_those_of_the_field() -> None:
    numbers = np.arange(256, dtype=np.uint8)
    table = multiply(numbers[:, None], numbers)
    assert table[1::37, ::5].tolist() == [[_product(a, b) for b in range(0, 256, 5)] for a in range(1, 256, 37)]


@pytest.mark.parametrize(("threshold", "points"), [(3, [1, 2]), (1, [0]), (1, [256]), (2, [1, 1]), (0, [1])])
def test_shares_that_cannot_be_dealt(threshold: int, points: list[int]) -> None:
    with pytest.raises(ValueError, match=r"shares|points"):
        share(b"secret", threshold, points)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 255), st.data())
def test_sums_that_are_proven_do_not_overflow(silos: int, data: st.DataObject) -> None:
    bound = data.draw(st.integers(0, (2**63 - 1) // silos) | st.just((2**63 - 1) // silos))
    number = st.integers(-bound, bound) | st.sampled_from([-bound, bound])
    values = np.array(data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=4)))
    values = np.tile(values, (silos // len(values) + 1, 1))[:silos]
    total = np.zeros(2, np.uint64)
    for row in values.astype(np.int64):
        total += to_words(row, bound, silos)
    assert to_integers(total).tolist() == [sum(map(int, column)) for column in values.T]
    with pytest.raises(InputError, match=r"below 2\^63"):
        to_words(np.zeros(3, np.int64), 2**63 // silos + 1, silos)


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (np.array([11]), "at most 10 in absolute value; found values from 11"),
        (np.array([-(2**63)]), "at most 10"),
        (np.array([1.0]), "int64; found float64"),
        (np.array([[1]]), "one row of int64"),
    ],
)
def test_values_beyond_their_bound_are_refused(values: np.ndarray, pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        to_words(values, 10, 3)
    assert to_words(np.empty(0, np.int64), 10, 3).shape == (0,)
