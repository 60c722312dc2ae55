"""Coordinator and silos in one process, each an object: for tests, and to try the protocol out."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.home import Home
from feature_repo.signing.public_keys import public_key_of
from training.private.secure_aggregation.channel import SiloChannel
from training.private.secure_aggregation.coordinator import Coordinator, LocalBoard
from training.private.secure_aggregation.roster import Roster


def connect(
    silos: Sequence[str], folder: Path, *, timeout_s: float = 60.0
) -> tuple[Coordinator, dict[str, SiloChannel]]:
    """Draws keys, and makes a coordinator and its silos, each with a data folder of its own.

    Both sides wait for each other, so that each runs in a thread of its own.

    Args:
        silos: names of the silos, two or more.
        folder: where their data folders are made.
        timeout_s: seconds that a silo waits for each message of the coordinator.

    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as threads:
    ...     coordinator, channels = connect(["north", "south", "east"], Path(folder))
    ...     submissions = [
    ...         threads.submit(channel.submit, "plays-1", np.array([1, 10 * n], np.uint64))
    ...         for n, channel in enumerate(channels.values())
    ...     ]
    ...     total = coordinator.collect("plays-1", 2, threshold=2, timeout_s=10)
    ...     coordinator.publish("plays-1", total.words.tobytes())
    ...     print(total.words, total.silos, len(channels["east"].fetch("plays-1", 10)))
    [ 3 30] ('east', 'north', 'south') 16
    """
    identities = {name: Ed25519PrivateKey.generate() for name in silos}
    identity = Ed25519PrivateKey.generate()
    roster = Roster(public_key_of(identity), {name: public_key_of(key) for name, key in identities.items()})
    coordinator = Coordinator(roster, identity)
    channels = {
        name: SiloChannel(
            name, key, roster, Home(folder / name).ensure(), LocalBoard(coordinator, name), timeout_s=timeout_s
        )
        for name, key in identities.items()
    }
    return coordinator, channels
