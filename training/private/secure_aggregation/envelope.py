"""Signed messages: who sends, in which phase, of which round. Nothing of a body is read before its signature counts."""

import hashlib
from enum import StrEnum
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.signing.public_keys import is_signed_by
from training.private.secure_aggregation.errors import RoundRefused
from training.private.secure_aggregation.roster import Roster
from training.private.secure_aggregation.terms import LABEL

Content = TypeVar("Content")

OVERHEAD = 512
"""Bytes of an envelope besides its body, at most."""


class Phase(StrEnum):
    """The phases of a round, in order. In each, silos send one message, and get one of the coordinator before it."""

    ADVERTISE = "advertise"
    SHARE = "share"
    MASK = "mask"
    CONFIRM = "confirm"
    UNMASK = "unmask"
    LEAVE = "leave"


PHASES = (Phase.ADVERTISE, Phase.SHARE, Phase.MASK, Phase.CONFIRM, Phase.UNMASK)


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message.

    Attributes:
        sender: name of a silo, or ``coordinator``.
        phase: the phase it belongs to.
        body: what it says.
        signature: 64 bytes of the sender's key.
    """

    sender: str
    phase: Phase
    body: bytes
    signature: bytes

    @classmethod
    def sign(cls, identity: Ed25519PrivateKey, sender: str, phase: Phase, context: bytes, body: bytes) -> "Envelope":
        """A message that is signed."""
        return cls(sender, phase, body, identity.sign(signed_bytes(sender, phase, context, body)))

    @classmethod
    def parse(cls, content: bytes, most_bytes: int) -> "Envelope":
        """Reads a message; its signature is not verified.

        Raises:
            RoundRefused: it is too long, or no message.
        """
        if len(content) > most_bytes + OVERHEAD:
            raise RoundRefused.because(f"at most {most_bytes + OVERHEAD:,} bytes", f"{len(content):,}")
        return decode(content, cls)

    def verify(self, roster: Roster, context: bytes, *, sender: str = "", phase: Phase | None = None) -> None:
        """Checks that the message was signed by a party of the roster, for this round.

        Args:
            roster: the parties.
            context: of the round.
            sender: who has to have sent it; any party if empty.
            phase: the phase that it has to be of; any if None.

        Raises:
            RoundRefused: it was not.
        """
        key = roster.key_of(self.sender)
        if key is None:
            raise RoundRefused.because("a message of a party of the roster", f"one of {self.sender[:80]!r}")
        if sender and sender != self.sender:
            raise RoundRefused.because(f"a message of {sender}", f"one of {self.sender}")
        if phase not in (None, self.phase):
            raise RoundRefused.because(f"a message of the phase {phase}", f"one of the phase {self.phase}")
        if not is_signed_by(key, signed_bytes(self.sender, self.phase, context, self.body), self.signature):
            raise RoundRefused.because(
                f"a signature of {self.sender} over this message and the terms of this round",
                "one of another key, of another message, or of other terms",
            )

    def to_bytes(self) -> bytes:
        """The message as it travels."""
        return msgspec.msgpack.encode(self)


def signed_bytes(sender: str, phase: Phase, context: bytes, body: bytes) -> bytes:
    """What a signature is made of: label, round, phase and sender beside the digest of the body."""
    return msgspec.msgpack.encode((LABEL, context, phase, sender, hashlib.sha256(body).digest()))


def decode(content: bytes, kind: type[Content]) -> Content:
    """Reads a body in its strict form.

    Raises:
        RoundRefused: it has another form.
    """
    try:
        return msgspec.msgpack.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RoundRefused.because("a message in the form of this protocol", str(error)[:200]) from None
