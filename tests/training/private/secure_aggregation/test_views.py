"""What the coordinator sees, alone and with silos that collude, says nothing about a summand.

Randomness is the operating system's, as it is in use: one of these tests fails by chance once in millions of runs.
"""

import msgspec
import numpy as np
import pytest
from scipy import stats

from tests.training.private.secure_aggregation.rounds import NAMES, Round
from training.private.secure_aggregation import messages
from training.private.secure_aggregation.agreement import mask_seed
from training.private.secure_aggregation.envelope import Envelope, Phase
from training.private.secure_aggregation.errors import RoundAborted
from training.private.secure_aggregation.keystream import add_keystream
from training.private.secure_aggregation.shamir import combine, share

LENGTH, SURE = 10_000, 1e-9
ZEROS, LARGE = np.zeros(LENGTH, np.uint64), np.full(LENGTH, 2**40, np.uint64)


def is_uniform(words: np.ndarray) -> bool:
    """Whether a chi-square test accepts that all bytes of words, place by place, are uniform."""
    columns = words.astype("<u8").view(np.uint8).reshape(-1, 8)
    chances = [stats.chisquare(np.bincount(column, minlength=256)).pvalue for column in columns.T]
    return min(chances) > SURE


def body_of(current: Round, phase: Phase, name: str) -> bytes:
    return msgspec.msgpack.decode(current.received[phase, name], type=Envelope).body


def masked_by(current: Round, name: str) -> np.ndarray:
    return np.frombuffer(body_of(current, Phase.MASK, name), "<u8").copy()


def test_the_check_sees_words_that_are_not_uniform() -> None:
    uniform = np.frombuffer(np.random.default_rng(1).bytes(8 * LENGTH), "<u8")
    assert is_uniform(uniform)
    assert not is_uniform(ZEROS) and not is_uniform(uniform >> 1) and not is_uniform(uniform & ~np.uint64(1))


@pytest.mark.parametrize("words", [ZEROS, LARGE], ids=["zeros", "2^40"])
def test_with_too_few_silos_the_view_is_uniform(words: np.ndarray) -> None:
    """Two of four survive, three are needed: neither their words nor the sum that is asked for can be read."""
    current = Round(dict.fromkeys(NAMES[:4], words), 3)
    current.run(until=Phase.MASK)
    current.step(Phase.MASK, set(NAMES[:2]))
    view = [masked_by(current, name) for name in NAMES[:2]]
    assert all(is_uniform(each) for each in (*view, view[0] + view[1], view[0] - view[1]))
    with pytest.raises(RoundAborted, match="2 silos in the phase mask, 3 are needed"):
        current.coordinator.close()


@pytest.mark.parametrize("silos", [3, 5])
def test_silos_that_collude_see_uniform_words_of_the_others(silos: int) -> None:
    """One silo less than the threshold gives the coordinator all its secrets; the coordinator keeps to the protocol.

    Of a survivor the mask of its own is left over the words, of one that dropped out the masks with the other
    honest silos; the shares fit every seed equally, as the test of Shamir's shares shows.
    """
    names, threshold = NAMES[:silos], silos // 2 + 1
    colluding, honest = names[: threshold - 1], names[threshold - 1 :]
    views = []
    for words in (ZEROS, LARGE):
        current = Round(dict.fromkeys(names, words), threshold)
        assert current.run() is not None
        views.append([_without_masks_of(current, name, colluding) for name in honest])
        for rest in views[-1]:
            assert is_uniform(rest)
        joined = np.sum(views[-1], axis=0, dtype=np.uint64)  # the masks of pairs are gone, those of each are left
        assert is_uniform(joined)
        for name in honest:
            points = {current.roster.point_of(each): _seed_share(current, each, name) for each in colluding}
            add_keystream(joined, combine(points), subtract=True)
        assert is_uniform(joined)
    for left, right in zip(*views, strict=True):
        tables = [np.bincount(each.view(np.uint8)[::8], minlength=256) for each in (left, right)]
        assert stats.chi2_contingency(tables).pvalue > SURE


@pytest.mark.parametrize("secret", [bytes(8 * LENGTH), b"\xff" * 8 * LENGTH], ids=["zeros", "ones"])
def test_fewer_shares_than_the_threshold_are_uniform(secret: bytes) -> None:
    shares = [np.frombuffer(each, "<u8") for each in share(secret, 3, [1, 2, 3, 200])]
    assert all(is_uniform(each) for each in shares)
    assert all(is_uniform(left ^ right) for number, left in enumerate(shares) for right in shares[:number])


def test_with_the_seed_the_words_are_plain() -> None:
    """The test above can fail: as many silos as the threshold give the coordinator a summand."""
    names = NAMES[:3]
    current = Round(dict.fromkeys(names, LARGE), 2)
    current.run()
    points = {current.roster.point_of(each): _seed_share(current, each, names[2]) for each in names[:2]}
    plain = _without_masks_of(current, names[2], names[:2])
    add_keystream(plain, combine(points), subtract=True)
    assert (plain == LARGE).all() and not is_uniform(plain)


def test_of_no_silo_both_shares_leave_another() -> None:
    current = Round(dict.fromkeys(NAMES[:5], ZEROS), 3)
    current.run({NAMES[4]: 2, NAMES[3]: 3})
    for name in NAMES[:3]:
        shares = msgspec.msgpack.decode(body_of(current, Phase.UNMASK, name), type=messages.Unmasking)
        assert set(shares.seeds) == set(NAMES[:4]) and set(shares.keys) == {NAMES[4]}


def test_the_same_words_look_different_in_every_round() -> None:
    first, second = (Round(dict.fromkeys(NAMES[:3], LARGE), 2) for _ in range(2))
    for current in (first, second):
        current.run()
    difference = masked_by(first, NAMES[0]) - masked_by(second, NAMES[0])
    assert is_uniform(difference)


def _without_masks_of(current: Round, name: str, colluding: tuple[str, ...]) -> np.ndarray:
    """The masked words of a silo without the masks of its pairs with others that tell their keys."""
    words = masked_by(current, name)
    public = msgspec.msgpack.decode(body_of(current, Phase.ADVERTISE, name), type=messages.Keys).mask
    for other in colluding:
        seed = mask_seed(current.silos[other]._mask_key, public, current.terms.context)
        add_keystream(words, seed, subtract=name < other)
    return words


def _seed_share(current: Round, holder: str, name: str) -> bytes:
    return current.silos[holder]._seed_shares[name]
