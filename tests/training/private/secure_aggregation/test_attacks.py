"""Parties that break the protocol: a coordinator, a silo, somebody on the way. They learn nothing and bend no sum."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.private.secure_aggregation.rounds import IDENTITIES, NAMES, Round, roster_of
from training.private.secure_aggregation import messages
from training.private.secure_aggregation.coordinator_round import CoordinatorRound
from training.private.secure_aggregation.envelope import PHASES, Envelope, Phase
from training.private.secure_aggregation.errors import RoundAborted, RoundRefused
from training.private.secure_aggregation.roster import COORDINATOR
from training.private.secure_aggregation.terms import Terms

WORDS = {name: np.arange(4, dtype=np.uint64) + number for number, name in enumerate(NAMES[:5])}
FIRST, SECOND = NAMES[:2]


def as_coordinator(current: Round, phase: Phase, body: object) -> bytes:
    """A message that the coordinator itself signs, whatever it says."""
    content = msgspec.msgpack.encode(body)
    return Envelope.sign(IDENTITIES[COORDINATOR], COORDINATOR, phase, current.terms.context, content).to_bytes()


def as_silo(current: Round, name: str, phase: Phase, body: bytes) -> bytes:
    return Envelope.sign(IDENTITIES[name], name, phase, current.terms.context, body).to_bytes()


def body_of(content: bytes) -> bytes:
    return msgspec.msgpack.decode(content, type=Envelope).body


def test_different_survivors_for_two_halves_are_unmasked_by_neither() -> None:
    current = Round(WORDS, 3)
    current.run(until=Phase.CONFIRM)
    halves = {name: [FIRST, *NAMES[2:5]] if number % 2 else list(NAMES[:4]) for number, name in enumerate(NAMES[:5])}
    signatures: dict[str, bytes] = {}
    for name, survivors in halves.items():
        if name in survivors:
            answer = current.silos[name].answer(Phase.CONFIRM, as_coordinator(current, Phase.CONFIRM, survivors))
            signatures[name] = msgspec.msgpack.decode(answer, type=Envelope).signature
    for name in signatures:
        with pytest.raises(RoundRefused, match="it was told the same survivors; found none: it was told others"):
            current.silos[name].answer(Phase.UNMASK, as_coordinator(current, Phase.UNMASK, signatures))
        own_half = {each: signatures[each] for each in signatures if halves[each] == halves[name]}
        with pytest.raises(RoundRefused):  # after a refusal, or with too few signatures
            current.silos[name].answer(Phase.UNMASK, as_coordinator(current, Phase.UNMASK, own_half))


def test_a_silo_answers_for_one_set_of_survivors_only() -> None:
    current = Round(WORDS, 3)
    current.run({SECOND: 2}, until=Phase.UNMASK)
    silo, question = current.silos[FIRST], current.coordinator.message(Phase.UNMASK, FIRST)
    assert question is not None
    answer = silo.answer(Phase.UNMASK, question)
    assert silo.answer(Phase.UNMASK, question) == answer
    shares = msgspec.msgpack.decode(body_of(answer), type=messages.Unmasking)
    assert set(shares.keys) == {SECOND} and not set(shares.keys) & set(shares.seeds)
    for phase in (Phase.CONFIRM, Phase.UNMASK):
        with pytest.raises(RoundRefused, match="one message of the coordinator in each phase"):
            silo.answer(phase, as_coordinator(current, phase, list(NAMES[:5])))


@pytest.mark.parametrize(
    ("phase", "body", "pattern"),
    [
        (Phase.SHARE, {}, "3 silos that advertised keys, or more; found 0"),
        (Phase.MASK, {SECOND: bytes(80)}, "3 silos that shared their secrets, or more; found 2"),
        (Phase.MASK, {name: bytes(80) for name in NAMES[1:5]}, "shares sealed for silo1 silo0"),
        (Phase.MASK, {name: bytes(80) for name in (*NAMES[1:3], "stranger")}, "silos that advertised keys"),
        (Phase.MASK, {name: bytes(80) for name in NAMES[:4]}, "silos that advertised keys"),
        (Phase.CONFIRM, list(NAMES[:2]), "3 silos whose words are in the sum, or more; found 2"),
        (Phase.CONFIRM, list(NAMES[1:5]), "survivors in order, this silo and others"),
        (Phase.CONFIRM, [*NAMES[:4], NAMES[3]], "survivors in order"),
        (Phase.CONFIRM, [*NAMES[:4], "stranger"], "survivors in order"),
        (Phase.UNMASK, {FIRST: bytes(64)}, "3 silos that confirmed the survivors, or more; found 1"),
        (Phase.UNMASK, {name: bytes(64) for name in NAMES[:3]}, "a signature of silo0"),
        (Phase.UNMASK, {name: bytes(64) for name in ("x", "y", "z")}, "a signature of x"),
        (Phase.UNMASK, dict.fromkeys(NAMES[:3], b"short"), "a message in the form of this protocol"),
        (Phase.CONFIRM, {"not": "a list"}, "a message in the form of this protocol"),
    ],
)
def test_a_coordinator_that_breaks_the_protocol_gets_no_answer(phase: Phase, body: object, pattern: str) -> None:
    current = Round(WORDS, 3)
    current.run(until=phase)
    with pytest.raises(RoundRefused, match=pattern):
        current.silos[FIRST].answer(phase, as_coordinator(current, phase, body))
    honest = current.coordinator.message(phase, FIRST)
    assert honest is not None
    with pytest.raises(RoundRefused, match="none after a refusal"):
        current.silos[FIRST].answer(phase, honest)


def _with_keys(current: Round, change: Callable[[dict[str, messages.SignedKeys]], object]) -> bytes:
    content = current.coordinator.message(Phase.SHARE, FIRST)
    assert content is not None
    keys = msgspec.msgpack.decode(body_of(content), type=messages.AllKeys)
    change(keys)
    return as_coordinator(current, Phase.SHARE, keys)


def test_keys_of_others_cannot_be_put_in_place() -> None:
    coordinators_own = msgspec.msgpack.encode(messages.Keys(b"e" * 32, b"m" * 32, b"c" * 32))
    zero = msgspec.msgpack.encode(messages.Keys(bytes(32), b"m" * 32, b"c" * 32))
    of_round = Round(WORDS, 3)

    def signed(name: str, body: bytes, signer: str) -> messages.SignedKeys:
        envelope = Envelope.sign(IDENTITIES[signer], name, Phase.ADVERTISE, of_round.terms.context, body)
        return messages.SignedKeys(body, envelope.signature)

    changes: list[tuple[Callable[[dict[str, messages.SignedKeys]], object], str]] = [
        (lambda keys: keys.update({SECOND: signed(SECOND, coordinators_own, COORDINATOR)}), "a signature of silo1"),
        (lambda keys: keys.update({"stranger": signed("stranger", coordinators_own, SECOND)}), "of the roster"),
        (lambda keys: keys.update({COORDINATOR: signed(COORDINATOR, coordinators_own, COORDINATOR)}), "this silo adv"),
        (lambda keys: keys.update({SECOND: keys[NAMES[2]]}), "a signature of silo1"),
        (lambda keys: keys.update({FIRST: signed(FIRST, coordinators_own, FIRST)}), "that this silo advertised"),
        (lambda keys: keys.pop(FIRST), "that this silo advertised"),
        (
            lambda keys: keys.update({name: signed(name, coordinators_own, name) for name in NAMES[1:3]}),
            "keys that are all different",
        ),
        (lambda keys: keys.update({SECOND: signed(SECOND, zero, SECOND)}), "a secret in common with everybody"),
    ]
    for change, pattern in changes:
        current = Round(WORDS, 3)
        current.run(until=Phase.SHARE)
        with pytest.raises(RoundRefused, match=pattern):
            current.silos[FIRST].answer(Phase.SHARE, _with_keys(current, change))


@pytest.mark.parametrize("phase", PHASES)
def test_what_is_not_signed_for_this_round_counts_for_nobody(phase: Phase) -> None:
    current = Round(WORDS, 3)
    current.run(until=phase)
    content = current.coordinator.message(phase, FIRST)
    assert content is not None
    for other in (Round(WORDS, 4), Round(WORDS, 3, name="plays-2"), Round(WORDS, 3, about={"catalogue": "9f"})):
        body = body_of(content)
        foreign = Envelope.sign(IDENTITIES[COORDINATOR], COORDINATOR, phase, other.terms.context, body).to_bytes()
        with pytest.raises(RoundRefused, match="or of other terms"):
            current.silos[FIRST].answer(phase, foreign)
    with pytest.raises(RoundRefused, match="a message of coordinator"):
        current.silos[FIRST].answer(phase, as_silo(current, SECOND, phase, body_of(content)))
    answer = current.silos[FIRST].answer(phase, content)
    for signer, pattern in ((SECOND, "a signature of silo0"), (NAMES[7], "a signature of silo0")):
        forged = Envelope.sign(IDENTITIES[signer], FIRST, phase, current.terms.context, body_of(answer)).to_bytes()
        with pytest.raises(RoundRefused, match=pattern):
            current.coordinator.receive(forged)
    with pytest.raises(RoundRefused, match="a party of the roster"):
        current.coordinator.receive(as_silo(current, NAMES[7], phase, body_of(answer)))
    current.coordinator.receive(answer)
    current.coordinator.receive(answer)
    with pytest.raises(RoundRefused, match="one message of silo0"):
        current.coordinator.receive(as_silo(current, FIRST, phase, b"other"))


@pytest.mark.parametrize(
    ("phase", "body", "pattern"),
    [
        (Phase.ADVERTISE, msgspec.msgpack.encode({"encryption": b"short"}), "in the form of this protocol"),
        (Phase.SHARE, msgspec.msgpack.encode({name: bytes(80) for name in NAMES[:5]}), "every other silo"),
        (Phase.SHARE, msgspec.msgpack.encode({}), "every other silo"),
        (Phase.MASK, bytes(8 * 3), "4 words; found 3.0 words"),
        (Phase.MASK, bytes(8 * 4 + 1), "4 words; found 4.125 words"),
        (Phase.MASK, bytes(8 * 5), "4 words; found 5.0 words"),
        (Phase.CONFIRM, b"", "the confirmation of these survivors"),
        (Phase.UNMASK, msgspec.msgpack.encode(messages.Unmasking({}, {})), "of all survivors' seeds"),
    ],
)
def test_a_silo_that_breaks_the_protocol_is_refused(phase: Phase, body: bytes, pattern: str) -> None:
    current = Round(WORDS, 3)
    current.run(until=phase)
    with pytest.raises(RoundRefused, match=pattern):
        current.coordinator.receive(as_silo(current, FIRST, phase, body))
    current.step(phase, set(WORDS) - {FIRST})
    assert current.coordinator.waits_for == {FIRST}


def test_a_wrong_share_ends_the_round_and_bends_no_sum() -> None:
    for part in ("seeds", "keys"):
        current = Round(WORDS, 3)
        current.run({SECOND: 2}, until=Phase.UNMASK)

        def change(_: Phase, name: str, content: bytes, current: Round = current, part: str = part) -> bytes:
            if name != FIRST:
                return content
            shares = msgspec.to_builtins(
                msgspec.msgpack.decode(body_of(content), type=messages.Unmasking), builtin_types=(bytes,)
            )
            victim = next(iter(shares[part]))
            shares[part][victim] = bytes(32)
            return as_silo(current, FIRST, Phase.UNMASK, msgspec.msgpack.encode(shares))

        current.step(Phase.UNMASK, set(WORDS) - {SECOND}, change)
        current.coordinator.close()
        with pytest.raises(RoundAborted, match="the shares of silo[01]'s secret do not fit"):
            current.coordinator.unmasked()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(PHASES))
def test_bytes_that_are_no_message_are_refused(content: bytes, phase: Phase) -> None:
    terms = Terms.of("plays-1", 4, 3, {}, roster_of(5))
    current = Round(WORDS, 3)
    for take in (
        CoordinatorRound(terms, roster_of(5), IDENTITIES[COORDINATOR]).receive,
        lambda each: current.silos[FIRST].answer(phase, each),
    ):
        with pytest.raises(RoundRefused):
            take(content)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(PHASES), st.integers(0), st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_refused(phase: Phase, place: int, change: int) -> None:
    current = Round(WORDS, 3)
    current.run(until=phase)
    question = current.coordinator.message(phase, FIRST)
    assert question is not None
    answer = current.silos[SECOND].answer(phase, current.coordinator.message(phase, SECOND) or b"")
    for content, take in (
        (answer, current.coordinator.receive),
        (question, lambda each: current.silos[FIRST].answer(phase, each)),
    ):
        damaged = bytearray(content)
        damaged[place % len(damaged)] ^= change
        with pytest.raises(RoundRefused):
            take(bytes(damaged))


def test_a_message_that_is_too_long_is_refused_before_it_is_read() -> None:
    current = Round(WORDS, 3)
    with pytest.raises(RoundRefused, match=r"at most 2,048 bytes; found 1,000,000"):
        current.coordinator.receive(bytes(1_000_000))
