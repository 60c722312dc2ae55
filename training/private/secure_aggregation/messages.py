"""What messages say, phase by phase. Masked words have no form of their own: they are the body, little-endian."""

from typing import Annotated

import msgspec

from training.private.secure_aggregation.terms import Terms

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Sealed = Annotated[bytes, msgspec.Meta(min_length=80, max_length=80)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys that a silo advertises.

    Attributes:
        encryption: public key that shares are sealed for.
        mask: public key of the masks of its pairs.
        commitment: digest of the seed of its own mask, so that a wrong share cannot lead to a wrong sum.
    """

    encryption: Key
    mask: Key
    commitment: Key


class SignedKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of a silo as it signed them.

    Attributes:
        body: ``Keys``, encoded.
        signature: of the silo.
    """

    body: bytes
    signature: Signature


AllKeys = dict[str, SignedKeys]
"""Silo → its keys: what the coordinator passes on to all."""
Shares = dict[str, Sealed]
"""Silo → shares sealed for it (to the coordinator), or sealed by it (from the coordinator)."""
Survivors = list[str]
"""Silos whose masked words the coordinator has."""
Signatures = dict[str, Signature]
"""Silo → its signature of a confirmation."""


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all survivors have to have been told alike.

    Attributes:
        keys: digest of all keys as they were passed on.
        members: silos that shared their secrets, in order: the masks of their pairs are in the sum.
        survivors: silos whose words are in the sum, in order.
    """

    keys: Key
    members: list[str]
    survivors: list[str]


class Unmasking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares that a silo gives up; of no silo are there both.

    Attributes:
        seeds: survivor → share of the seed of its own mask.
        keys: silo that dropped out → share of its mask key.
    """

    seeds: dict[str, Key]
    keys: dict[str, Key]


class Abort(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the coordinator says in the place of its next message when a round ends without a sum.

    Attributes:
        terms: of the round, so that a silo which has not joined can verify the signature.
        reason: why it ended.
    """

    terms: Terms
    reason: str
