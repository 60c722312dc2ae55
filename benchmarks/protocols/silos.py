"""Silos of public data in one process, under masks: who leaves in which phase, and how many bytes each moves."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from threadpoolctl import threadpool_limits

from feature_repo.home import Home
from feature_repo.signing.public_keys import public_key_of
from training.datasets import Interactions
from training.private.federated.agreement import Agreement
from training.private.federated.own_data import part_of
from training.private.federated.statistic import SiloData
from training.private.federated.together import Together, run_together
from training.private.secure_aggregation.channel import SiloChannel
from training.private.secure_aggregation.coordinator import Coordinator, LocalBoard
from training.private.secure_aggregation.envelope import Phase
from training.private.secure_aggregation.errors import RoundAborted, RoundRefused
from training.private.secure_aggregation.roster import Roster


class CountingBoard(LocalBoard):
    """A coordinator in the same process that counts bytes, and that a silo may leave in some phase."""

    def __init__(self, coordinator: Coordinator, silo: str, leaves: Phase | None) -> None:
        super().__init__(coordinator, silo)
        self.bytes, self._leaves, self._phase = 0, leaves, Phase.ADVERTISE

    def message(self, round_name: str, phase: Phase, timeout_s: float) -> bytes:
        """See ``Board``."""
        if phase == self._leaves and "-sums-" in round_name:
            if phase == Phase.MASK:
                raise RoundAborted.because("the silo is gone, without a word")
            raise RoundRefused.because("a silo that stays", "one that leaves")
        content = super().message(round_name, phase, timeout_s)
        self.bytes += len(content)
        return content

    def send(self, round_name: str, content: bytes) -> None:
        """See ``Board``."""
        self.bytes += len(content)
        super().send(round_name, content)


def secure_run(
    terms: Agreement, data: Mapping[str, SiloData], drops: Mapping[str, Phase]
) -> tuple[Together, float, float]:
    """Runs under masks, in one process; returns what came of it, seconds of the processor, and bytes of a silo."""
    identities = {name: Ed25519PrivateKey.generate() for name in data}
    identity = Ed25519PrivateKey.generate()
    roster = Roster(public_key_of(identity), {name: public_key_of(key) for name, key in identities.items()})
    coordinator = Coordinator(roster, identity)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        home = Home(Path(folder)).ensure()
        boards = {name: CountingBoard(coordinator, name, drops.get(name)) for name in data}
        channels = {
            name: SiloChannel(name, identities[name], roster, home, board, timeout_s=1.5 * terms.deadline_s)
            for name, board in boards.items()
        }
        began = time.process_time()
        result = run_together(terms, home, coordinator, {name: (data[name], channels[name]) for name in data})
        seconds = time.process_time() - began
    return result, seconds, float(np.mean([board.bytes for board in boards.values()]))


def dealt(plays: Interactions, silos: int) -> dict[str, Interactions]:
    """The listeners in silos, by a hash of their ids."""
    part = np.array([part_of(user_id, silos) for user_id in plays.user_ids])
    return {f"silo{number:02}": plays.only(part[plays.user] == number) for number in range(silos)}
