"""What the coordinator publishes to all silos, signed under its name."""

import hashlib
import re

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.signing.public_keys import is_signed_by
from training.private.secure_aggregation.envelope import decode
from training.private.secure_aggregation.errors import RoundRefused
from training.private.secure_aggregation.messages import Signature
from training.private.secure_aggregation.roster import Roster
from training.private.secure_aggregation.terms import LABEL, ROUND_NAME


class Publication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published content.

    Attributes:
        name: its name, which never has another content.
        content: any bytes.
        signature: of the coordinator, over name and content.
    """

    name: str
    content: bytes
    signature: Signature

    @classmethod
    def sign(cls, identity: Ed25519PrivateKey, roster: Roster, name: str, content: bytes) -> "Publication":
        """A content that is signed for the silos of a roster.

        Raises:
            RoundRefused: the name has other characters than letters, digits and ``. _ -``.
        """
        if not re.fullmatch(ROUND_NAME, name):
            raise RoundRefused.because("a name of letters, digits and . _ -", repr(name[:140]))
        return cls(name, content, identity.sign(_signed_bytes(roster, name, content)))

    @classmethod
    def read(cls, published: bytes, roster: Roster, name: str) -> bytes:
        """Returns a content that the coordinator published under this name to this roster.

        Raises:
            RoundRefused: it did not.
        """
        publication = decode(published, cls)
        content = _signed_bytes(roster, name, publication.content)
        if publication.name != name or not is_signed_by(roster.coordinator, content, publication.signature):
            raise RoundRefused.because(f"{name}, signed by the coordinator", "something else, or of another signature")
        return publication.content


def _signed_bytes(roster: Roster, name: str, content: bytes) -> bytes:
    return msgspec.msgpack.encode((LABEL, "publish", roster.digest, name, hashlib.sha256(content).digest()))
