"""A silo's way to the coordinator: what it submits leaves its process masked."""

from collections.abc import Mapping
from contextlib import suppress

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.errors import RefrainError
from feature_repo.home import Home
from feature_repo.signing.public_keys import public_key_of
from training.private.secure_aggregation.board import Board
from training.private.secure_aggregation.coordinator_round import MOST_REASON
from training.private.secure_aggregation.envelope import PHASES, Envelope, Phase, decode
from training.private.secure_aggregation.errors import RoundAborted, RoundRefused
from training.private.secure_aggregation.memory import RoundMemory
from training.private.secure_aggregation.messages import Abort
from training.private.secure_aggregation.publication import Publication
from training.private.secure_aggregation.roster import COORDINATOR, Roster
from training.private.secure_aggregation.silo_round import MOST_BYTES, SiloRound
from training.private.secure_aggregation.terms import Terms


class SiloChannel:
    """A silo that takes part in rounds.

    Args:
        silo: its name in the roster.
        identity: its private key.
        roster: the parties, as this silo pinned them.
        home: its data folder, which remembers the rounds that it joined.
        board: the way to the coordinator.
        timeout_s: seconds that it waits for each message of the coordinator.
        least_threshold: the smallest threshold that this silo takes part with; more than half of all if None.

    Raises:
        RoundRefused: the private key is not the silo's in the roster.

    See ``local.connect`` for an example.
    """

    def __init__(
        self,
        silo: str,
        identity: Ed25519PrivateKey,
        roster: Roster,
        home: Home,
        board: Board,
        *,
        timeout_s: float = 600.0,
        least_threshold: int | None = None,
    ) -> None:
        if roster.silos.get(silo) != public_key_of(identity):
            raise RoundRefused.because(f"the private key of {silo} in the roster", "that of another public key")
        self.silo, self.roster, self._identity, self._board = silo, roster, identity, board
        self._memory, self._timeout_s = RoundMemory(home, silo), timeout_s
        self._least_threshold = max(least_threshold or 0, roster.least_threshold)

    def submit(self, round_name: str, words: np.ndarray, *, about: Mapping[str, str] | None = None) -> None:
        """Adds words to a round, masked, and returns when the silo has done its part.

        Args:
            round_name: a round that this silo never joined.
            words: (n,) uint64.
            about: what has to be agreed on besides; the coordinator's has to be the same.

        Raises:
            RoundAborted: the round ended without a sum, or the coordinator is not reached.
            RoundRefused: this silo does not take part: other terms, a round that it joined before, a coordinator that
                breaks the protocol; or it came too late.
        """
        self._memory.check_new(round_name)
        announcement = self._message(round_name, Phase.ADVERTISE)
        announced = self._announced(announcement)
        try:
            own = Terms.of(round_name, len(words), announced.threshold, about or {}, self.roster)
            own.check_equal(announced)
            if own.threshold < self._least_threshold:
                raise RoundRefused.because(f"a threshold of {self._least_threshold} or more", f"{own.threshold}")
            part = SiloRound(own, self.roster, self.silo, self._identity, words)
            self._memory.join(round_name)
            for phase in PHASES:
                content = announcement if phase == Phase.ADVERTISE else self._message(round_name, phase)
                self._board.send(round_name, part.answer(phase, content))
        except RoundAborted:
            raise
        except RefrainError as error:
            self._leave(announced, f"expected {error.expected}; found {error.found}")
            raise

    def fetch(self, name: str, timeout_s: float) -> bytes:
        """Returns what the coordinator published under a name.

        Raises:
            NothingPublished: it published nothing within the time.
            RoundRefused: what came is not signed by the coordinator.
        """
        return Publication.read(self._board.content(name, timeout_s), self.roster, name)

    def _message(self, round_name: str, phase: Phase) -> bytes:
        """The coordinator's message of a phase.

        Raises:
            RoundAborted: the coordinator says that the round has ended.
        """
        content = self._board.message(round_name, phase, self._timeout_s)
        envelope = Envelope.parse(content, MOST_BYTES)
        if envelope.phase == Phase.LEAVE:
            abort = decode(envelope.body, Abort)
            envelope.verify(self.roster, abort.terms.context, sender=COORDINATOR)
            if abort.terms.round_name == round_name:
                raise RoundAborted.because(abort.reason)
        return content

    def _announced(self, content: bytes) -> Terms:
        """The terms that the coordinator announced, after its signature was verified."""
        envelope = Envelope.parse(content, MOST_BYTES)
        terms = decode(envelope.body, Terms)
        envelope.verify(self.roster, terms.context, sender=COORDINATOR, phase=Phase.ADVERTISE)
        return terms

    def _leave(self, announced: Terms, reason: str) -> None:
        """Tells the coordinator not to wait for this silo, and why."""
        body = msgspec.msgpack.encode(reason[:MOST_REASON])
        envelope = Envelope.sign(self._identity, self.silo, Phase.LEAVE, announced.context, body)
        with suppress(RefrainError):
            self._board.send(announced.round_name, envelope.to_bytes())
