"""One round at the coordinator, without transport: takes the silos' messages, phase by phase, and makes its own."""

import hashlib

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from training.private.secure_aggregation import messages
from training.private.secure_aggregation.envelope import PHASES, Envelope, Phase, decode
from training.private.secure_aggregation.errors import RoundAborted, RoundRefused
from training.private.secure_aggregation.result import RoundSum
from training.private.secure_aggregation.roster import COORDINATOR, Roster
from training.private.secure_aggregation.terms import Terms
from training.private.secure_aggregation.unmask import unmask

BYTES_A_SILO = 256
"""Bytes of what a message says of one silo, at most."""
MOST_REASON = 500
"""Characters of the reason of a silo that leaves."""


class CoordinatorRound:
    """The coordinator's part in one round. It keeps no summand: masked words are added as they come.

    Args:
        terms: the terms.
        roster: the parties.
        identity: private key of the coordinator.

    Attributes:
        terms: the terms.
        phase: the phase that silos' messages are taken of; None at the end.
    """

    def __init__(self, terms: Terms, roster: Roster, identity: Ed25519PrivateKey) -> None:
        self.terms, self._roster, self._identity = terms, roster, identity
        self._context = terms.context
        self.phase: Phase | None = Phase.ADVERTISE
        self._members: dict[Phase, tuple[str, ...]] = {Phase.ADVERTISE: tuple(roster.silos)}
        self._received: dict[Phase, dict[str, bytes]] = {phase: {} for phase in PHASES}
        self._signatures: dict[Phase, dict[str, bytes]] = {phase: {} for phase in PHASES}
        self._digests: dict[tuple[Phase, str], bytes] = {}
        self._reasons: dict[str, str] = {}
        self._bodies: dict[Phase, bytes | dict[str, bytes]] = {Phase.ADVERTISE: msgspec.msgpack.encode(terms)}
        self._keys: dict[str, messages.Keys] = {}
        self._confirmation = b""
        self._sum = np.zeros(terms.words, "<u8")
        self._answerers: tuple[str, ...] = ()

    @property
    def most_bytes(self) -> int:
        """Bytes of the body of a message of a silo, at most."""
        return max(8 * self.terms.words, BYTES_A_SILO * (1 + len(self._roster.silos)))

    @property
    def waits_for(self) -> set[str]:
        """Silos whose message of this phase is not there, and may still come."""
        if self.phase is None:
            return set()
        return set(self._members[self.phase]) - set(self._received[self.phase]) - set(self._reasons)

    @property
    def is_settled(self) -> bool:
        """Whether no further message of this phase matters: all are there, or too few can come."""
        waits_for = self.waits_for
        return not waits_for or len(self._received[self.phase or Phase.UNMASK]) + len(waits_for) < self.terms.threshold

    def receive(self, content: bytes) -> None:
        """Takes a message of a silo. The same message again changes nothing.

        Raises:
            RoundRefused: it is not signed by a silo that is in this phase, for this phase and these terms, it is the
                silo's second one, or does not say what it has to.
        """
        envelope = Envelope.parse(content, self.most_bytes)
        phase, silo, digest = envelope.phase, envelope.sender, hashlib.sha256(content).digest()
        if self._digests.get((phase, silo)) == digest:
            return
        if phase not in (Phase.LEAVE, self.phase):
            raise RoundRefused.because(
                f"a message of the phase {self.phase or 'that is over'}",
                f"one of the phase {phase}: too late or too early",
            )
        envelope.verify(self._roster, self._context)
        if silo not in self._members.get(phase, tuple(self._roster.silos)) or silo in self._reasons:
            raise RoundRefused.because(f"a silo that is in the phase {phase}", f"{silo}, which dropped out before")
        if (phase, silo) in self._digests:
            raise RoundRefused.because(f"one message of {silo} in the phase {phase}", "another one")
        self._take(phase, silo, envelope)
        self._digests[phase, silo] = digest

    def close(self) -> None:
        """Ends a phase with the messages that are there, and makes the coordinator's of the next.

        Raises:
            RoundAborted: there are too few.
        """
        phase = self.phase
        if phase is None:
            raise ValueError("the round is at its end")
        answers = self._received[phase]
        if len(answers) < self.terms.threshold:
            reason = self._too_few(phase, set(answers))
            self.end()
            raise RoundAborted.because(reason)
        members = tuple(sorted(answers))
        if phase == PHASES[-1]:
            self.phase, self._answerers = None, members
            return
        following = PHASES[PHASES.index(phase) + 1]
        self._members[following] = members
        self._bodies[following] = self._body(following, members)
        self.phase = following

    def unmasked(self) -> RoundSum:
        """The sum, once, after the last phase.

        Raises:
            RoundAborted: shares do not fit.
        """
        if self.phase is not None or not self._answerers:
            raise ValueError("the round is not at its end, or its sum was taken")
        silos = self._members[Phase.CONFIRM]
        shares = {
            self._roster.point_of(name): decode(self._received[Phase.UNMASK][name], messages.Unmasking)
            for name in self._answerers[: self.terms.threshold]
        }
        total = self._sum
        self.end()
        unmask(total, self._context, self._keys, shares)
        return RoundSum(total.astype(np.uint64), silos, tuple(name for name in self._roster.silos if name not in silos))

    def end(self) -> None:
        """Ends the round, and forgets what was received."""
        self.phase, self._answerers, self._sum = None, (), np.zeros(0, "<u8")
        self._received = {phase: {} for phase in PHASES}

    def message(self, phase: Phase, silo: str) -> bytes | None:
        """The coordinator's message of a phase to a silo; None before the phase has begun.

        Raises:
            RoundRefused: the silo is not in this phase: it came too late for the one before.
        """
        if phase not in self._bodies:
            return None
        if silo not in self._members[phase]:
            raise RoundRefused.because(f"a silo that is in the phase {phase}", f"{silo[:80]}, which dropped out before")
        body = self._bodies[phase]
        content = body[silo] if isinstance(body, dict) else body
        return Envelope.sign(self._identity, COORDINATOR, phase, self._context, content).to_bytes()

    def _take(self, phase: Phase, silo: str, envelope: Envelope) -> None:
        body, kept = envelope.body, envelope.body
        if phase == Phase.LEAVE:
            self._reasons[silo] = decode(body, str)[:MOST_REASON]
            return
        if phase == Phase.ADVERTISE:
            self._keys[silo] = decode(body, messages.Keys)
        elif phase == Phase.SHARE:
            if set(decode(body, messages.Shares)) != set(self._members[phase]) - {silo}:
                raise RoundRefused.because("shares for every other silo that advertised keys", "shares for others")
        elif phase == Phase.MASK:
            if len(body) != 8 * self.terms.words:
                raise RoundRefused.because(f"{self.terms.words:,} words", f"{len(body) / 8:,} words")
            self._sum += np.frombuffer(body, "<u8")
            kept = b""
        elif phase == Phase.CONFIRM:
            if body != self._confirmation:
                raise RoundRefused.because("the confirmation of these survivors", "one of others")
        else:
            unmasking = decode(body, messages.Unmasking)
            survivors, shared = set(self._members[Phase.CONFIRM]), set(self._members[Phase.MASK])
            if set(unmasking.seeds) != survivors or set(unmasking.keys) != shared - survivors:
                raise RoundRefused.because("shares of all survivors' seeds and of the others' keys", "shares of others")
        self._received[phase][silo] = kept
        self._signatures[phase][silo] = envelope.signature

    def _body(self, phase: Phase, members: tuple[str, ...]) -> bytes | dict[str, bytes]:
        """The body of the coordinator's message of a phase, to all silos or to each."""
        if phase == Phase.SHARE:
            keys, signatures = self._received[Phase.ADVERTISE], self._signatures[Phase.ADVERTISE]
            all_keys = {name: messages.SignedKeys(keys[name], signatures[name]) for name in members}
            return msgspec.msgpack.encode(all_keys)
        if phase == Phase.MASK:
            shares = {name: decode(self._received[Phase.SHARE][name], messages.Shares) for name in members}
            return {
                name: msgspec.msgpack.encode({other: shares[other][name] for other in members if other != name})
                for name in members
            }
        if phase == Phase.CONFIRM:
            all_keys_body = self._bodies[Phase.SHARE]
            assert isinstance(all_keys_body, bytes)
            digest = hashlib.sha256(all_keys_body).digest()
            confirmation = messages.Confirmation(digest, list(self._members[Phase.MASK]), list(members))
            self._confirmation = msgspec.msgpack.encode(confirmation)
            return msgspec.msgpack.encode(list(members))
        return msgspec.msgpack.encode({name: self._signatures[Phase.CONFIRM][name] for name in members})

    def _too_few(self, phase: Phase, present: set[str]) -> str:
        absent = [name for name in self._roster.silos if name not in present]
        reasons = "".join(f"; {name} left: {self._reasons[name]}" for name in absent if name in self._reasons)
        return (
            f"{len(present)} silos in the phase {phase}, {self.terms.threshold} are needed; "
            f"absent: {', '.join(absent)}{reasons}"
        )
