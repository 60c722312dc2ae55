"""Which silo asks: requests are signed, so that strangers can neither read nor fill the coordinator's memory."""

import re
import time

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.signing.public_keys import is_signed_by
from training.private.secure_aggregation.roster import Roster
from training.private.secure_aggregation.terms import LABEL

HEADER = "x-refrain-silo"
"""Name, time and signature, separated by spaces."""

SKEW_S = 300
"""Seconds that clocks of a silo and the coordinator may differ."""

_VALUE = re.compile(r"([a-z0-9_-]{1,64}) (\d{1,12}) ([0-9a-f]{128})")


def sign_request(identity: Ed25519PrivateKey, roster: Roster, silo: str, method: str, path: str) -> str:
    """The header of a request, which counts for some minutes."""
    at = int(time.time())
    return f"{silo} {at} {identity.sign(_signed_bytes(roster, silo, method, path, at)).hex()}"


def silo_of(header: str, roster: Roster, method: str, path: str) -> str | None:
    """The silo that signed a request; None if none did, or too long ago."""
    match = _VALUE.fullmatch(header)
    if match is None or match[1] not in roster.silos or abs(time.time() - int(match[2])) > SKEW_S:
        return None
    content = _signed_bytes(roster, match[1], method, path, int(match[2]))
    return match[1] if is_signed_by(roster.silos[match[1]], content, bytes.fromhex(match[3])) else None


def _signed_bytes(roster: Roster, silo: str, method: str, path: str, at: int) -> bytes:
    return msgspec.msgpack.encode((LABEL, "request", roster.digest, silo, method, path, at))
