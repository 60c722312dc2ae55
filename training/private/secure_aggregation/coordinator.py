"""The coordinator: adds up what silos mask, and publishes what came of it. Any transport may stand before it."""

import threading
from collections.abc import Collection, Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.errors import RefrainError
from feature_repo.signing.public_keys import public_key_of
from training.private.secure_aggregation.coordinator_round import CoordinatorRound
from training.private.secure_aggregation.envelope import OVERHEAD, Envelope, Phase
from training.private.secure_aggregation.errors import NothingPublished, RoundAborted, RoundRefused
from training.private.secure_aggregation.messages import Abort
from training.private.secure_aggregation.publication import Publication
from training.private.secure_aggregation.result import RoundSum
from training.private.secure_aggregation.roster import COORDINATOR, Roster
from training.private.secure_aggregation.terms import Terms

MOST_ROUNDS = 1_000
"""Rounds that are over of which it is still known how they ended."""


class Coordinator:
    """The party that adds up. Its methods may be called by several threads.

    Args:
        roster: the parties.
        identity: the coordinator's private key, whose public key is in the roster.

    Attributes:
        roster: the parties.
        changes: number of times that there was something new to read; see ``application``.

    Raises:
        RoundRefused: it is another one.

    See ``local.connect`` for an example.
    """

    def __init__(self, roster: Roster, identity: Ed25519PrivateKey) -> None:
        if public_key_of(identity) != roster.coordinator:
            raise RoundRefused.because("the private key of the roster's coordinator", "that of another public key")
        self.roster, self._identity = roster, identity
        self.changes = 0
        self._changed = threading.Condition()
        self._rounds: dict[str, CoordinatorRound] = {}
        self._aborted: dict[str, bytes] = {}
        self._published: dict[str, bytes] = {}
        self._fetched: dict[str, set[str]] = {}

    def collect(
        self,
        round_name: str,
        words: int,
        *,
        threshold: int,
        timeout_s: float,
        about: Mapping[str, str] | None = None,
    ) -> RoundSum:
        """Opens a round, and waits for its sum.

        Args:
            round_name: a name that was never used; silos refuse one that they know.
            words: number of words that each silo adds.
            threshold: silos that the sum has to be over, at least; more than half of all.
            timeout_s: seconds for each of the five phases. A phase ends as soon as no further silo can answer.
            about: what silos have to agree on besides, by name, such as the digest of the catalogue.

        Raises:
            RoundAborted: fewer silos than the threshold were left in a phase, or shares did not fit.
            RoundRefused: the terms are not valid, or the name was used.
        """
        terms = Terms.of(round_name, words, threshold, about or {}, self.roster)
        current = CoordinatorRound(terms, self.roster, self._identity)
        with self._changed:
            if round_name in self._rounds:
                raise RoundRefused.because("the name of a new round", f"{round_name}, which was used")
            self._rounds[round_name] = current
        try:
            while current.phase is not None:
                with self._changed:
                    self._announce()
                    self._changed.wait_for(lambda: current.is_settled, timeout_s)
                    current.close()
            return current.unmasked()
        except BaseException as error:
            self._abort(current, error.found if isinstance(error, RefrainError) else "the coordinator was stopped")
            raise
        finally:
            self._forget_oldest()

    def publish(self, name: str, content: bytes) -> None:
        """Publishes something to all silos.

        Raises:
            RoundRefused: something else was published under this name.
        """
        publication = msgspec.msgpack.encode(Publication.sign(self._identity, self.roster, name, content))
        with self._changed:
            if self._published.setdefault(name, publication) != publication:
                raise RoundRefused.because(f"a name of its own for each content, or the same for {name}", "another one")
            self._announce()

    def message(self, round_name: str, phase: Phase, silo: str, timeout_s: float = 0.0) -> bytes | None:
        """The coordinator's message of a phase to a silo, or that the round was aborted; None if there is none in time.

        Raises:
            RoundAborted: the silo was in a round that this coordinator does not know.
            RoundRefused: the silo is not in this phase.
        """

        def message() -> bytes | None:
            if round_name in self._aborted:
                return self._aborted[round_name]
            if round_name not in self._rounds and phase != Phase.ADVERTISE:
                raise RoundAborted.because("the coordinator does not know the round any more: it was started anew")
            return self._rounds[round_name].message(phase, silo) if round_name in self._rounds else None

        with self._changed:
            return self._changed.wait_for(message, timeout_s) or None

    def receive(self, round_name: str, content: bytes) -> None:
        """Takes a silo's message.

        Raises:
            RoundAborted: the round was aborted.
            RoundRefused: the message is not taken.
        """
        with self._changed:
            if round_name in self._aborted:
                raise RoundAborted.because("the coordinator aborted the round")
            if round_name not in self._rounds:
                raise RoundRefused.because("the name of a round that goes on", repr(round_name[:140]))
            self._rounds[round_name].receive(content)
            self._changed.notify_all()

    def most_bytes(self, round_name: str) -> int:
        """Bytes of a message to a round, at most; 0 if there is no such round."""
        with self._changed:
            current = self._rounds.get(round_name)
            return 0 if current is None else OVERHEAD + current.most_bytes

    def content(self, name: str, silo: str, timeout_s: float = 0.0) -> bytes | None:
        """What was published under a name, with its signature, for a silo; None if there is nothing in time."""
        with self._changed:
            content = self._changed.wait_for(lambda: self._published.get(name), timeout_s)
            if content is not None:
                self._fetched.setdefault(name, set()).add(silo)
                self._changed.notify_all()
            return content

    def wait_until_fetched(self, name: str, silos: Collection[str], timeout_s: float) -> tuple[str, ...]:
        """Waits until silos have fetched what was published, before the coordinator stops.

        Args:
            name: what was published.
            silos: the silos that it waits for.
            timeout_s: seconds that it waits.

        Returns:
            The silos that have not fetched it, in order.
        """
        with self._changed:
            self._changed.wait_for(lambda: set(silos) <= self._fetched.get(name, set()), timeout_s)
            return tuple(sorted(set(silos) - self._fetched.get(name, set())))

    def _announce(self) -> None:
        self.changes += 1
        self._changed.notify_all()

    def _abort(self, current: CoordinatorRound, reason: str) -> None:
        body = msgspec.msgpack.encode(Abort(current.terms, reason[:2_000]))
        abort = Envelope.sign(self._identity, COORDINATOR, Phase.LEAVE, current.terms.context, body)
        with self._changed:
            current.end()
            self._aborted[current.terms.round_name] = abort.to_bytes()
            self._announce()

    def _forget_oldest(self) -> None:
        with self._changed:
            over = [name for name, each in self._rounds.items() if each.phase is None]
            for name in over[: max(0, len(over) - MOST_ROUNDS)]:
                self._aborted.pop(name, None)
                del self._rounds[name]


class LocalBoard:
    """The coordinator in the same process, as one silo reaches it.

    Args:
        coordinator: the coordinator.
        silo: name of the silo.
    """

    def __init__(self, coordinator: Coordinator, silo: str) -> None:
        self._coordinator, self._silo = coordinator, silo

    def message(self, round_name: str, phase: Phase, timeout_s: float) -> bytes:
        """See ``Board``."""
        content = self._coordinator.message(round_name, phase, self._silo, timeout_s)
        if content is None:
            raise RoundAborted.because(f"no message of the phase {phase} within {timeout_s:g} s")
        return content

    def send(self, round_name: str, content: bytes) -> None:
        """See ``Board``."""
        self._coordinator.receive(round_name, content)

    def content(self, name: str, timeout_s: float) -> bytes:
        """See ``Board``."""
        content = self._coordinator.content(name, self._silo, timeout_s)
        if content is None:
            raise NothingPublished.within(name, timeout_s)
        return content
