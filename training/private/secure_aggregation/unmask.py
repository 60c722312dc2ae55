"""The sum without its masks, from shares of at least ``threshold`` silos."""

from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from training.private.secure_aggregation.agreement import mask_seed, public_bytes
from training.private.secure_aggregation.errors import RoundAborted
from training.private.secure_aggregation.keystream import SEED_BYTES, add_keystream
from training.private.secure_aggregation.messages import Keys, Unmasking
from training.private.secure_aggregation.shamir import combine
from training.private.secure_aggregation.silo_round import commitment


def unmask(masked: np.ndarray, context: bytes, keys: Mapping[str, Keys], shares: Mapping[int, Unmasking]) -> None:
    """Takes the masks from a sum in place: the survivors' own, and those of pairs with a silo that dropped out.

    Args:
        masked: (n,) sum of the survivors' masked words, little-endian uint64.
        context: of the round.
        keys: what each silo advertised.
        shares: point of a silo → what it gave up; as many silos as the threshold, all of the same survivors.

    Raises:
        RoundAborted: shares do not give the seed or key that a silo is committed to.
    """
    first = next(iter(shares.values()))
    survivors, dropped = sorted(first.seeds), sorted(first.keys)
    rows = {
        point: b"".join([each.seeds[name] for name in survivors] + [each.keys[name] for name in dropped])
        for point, each in shares.items()
    }
    joined = combine(rows)
    secrets = {
        name: joined[SEED_BYTES * place : SEED_BYTES * (place + 1)] for place, name in enumerate((*survivors, *dropped))
    }
    for name in survivors:
        if commitment(secrets[name], context) != keys[name].commitment:
            raise _wrong_share(name)
    for name in dropped:
        if public_bytes(secrets[name]) != keys[name].mask:
            raise _wrong_share(name)
    for name in survivors:
        add_keystream(masked, secrets[name], subtract=True)
    for gone in dropped:
        key = X25519PrivateKey.from_private_bytes(secrets[gone])
        for name in survivors:
            add_keystream(masked, mask_seed(key, keys[name].mask, context), subtract=name < gone)


def _wrong_share(name: str) -> RoundAborted:
    return RoundAborted.because(
        f"the shares of {name}'s secret do not fit: it dealt wrong ones, or a silo changed its own"
    )
