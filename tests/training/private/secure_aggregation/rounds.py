"""Rounds without transport: every message is in the hands of the test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.signing.public_keys import public_key_of
from training.private.secure_aggregation.coordinator_round import CoordinatorRound
from training.private.secure_aggregation.envelope import PHASES, Phase
from training.private.secure_aggregation.result import RoundSum
from training.private.secure_aggregation.roster import COORDINATOR, Roster
from training.private.secure_aggregation.silo_round import SiloRound
from training.private.secure_aggregation.terms import Terms

NAMES = tuple(f"silo{number}" for number in range(9))
IDENTITIES = {name: Ed25519PrivateKey.generate() for name in (*NAMES, COORDINATOR)}
NEVER = len(PHASES)

Change = Callable[[Phase, str, bytes], bytes]
"""Function of phase, silo and message that returns the message that arrives."""


def roster_of(silos: int) -> Roster:
    keys = {name: public_key_of(key) for name, key in IDENTITIES.items()}
    return Roster(keys[COORDINATOR], {name: keys[name] for name in NAMES[:silos]})


@dataclass
class Round:
    """One round of silos with words, and all that the coordinator saw of it."""

    words: Mapping[str, np.ndarray]
    threshold: int
    name: str = "plays-1"
    about: Mapping[str, str] = field(default_factory=dict)
    received: dict[tuple[Phase, str], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roster = roster_of(len(self.words))
        length = len(next(iter(self.words.values())))
        self.terms = Terms.of(self.name, length, self.threshold, self.about, self.roster)
        self.coordinator = CoordinatorRound(self.terms, self.roster, IDENTITIES[COORDINATOR])
        self.silos = {name: self.silo(name) for name in self.words}

    def silo(self, name: str) -> SiloRound:
        return SiloRound(self.terms, self.roster, name, IDENTITIES[name], self.words[name])

    def step(
        self, phase: Phase, present: set[str] | None = None, change: Change = lambda _, __, content: content
    ) -> None:
        """Has silos answer in a phase; it is not closed."""
        for name, silo in self.silos.items():
            if present is None or name in present:
                content = self.coordinator.message(phase, name)
                assert content is not None
                answer = change(phase, name, silo.answer(phase, content))
                self.received[phase, name] = answer
                self.coordinator.receive(answer)

    def run(self, last: Mapping[str, int] | None = None, until: Phase | None = None) -> RoundSum | None:
        """Runs the round, up to and without a phase.

        Args:
            last: silo → number of the phase in which it no longer answers.
            until: the phase; None for the whole round.
        """
        for number, phase in enumerate(PHASES):
            if phase == until:
                return None
            self.step(phase, {name for name in self.words if (last or {}).get(name, NEVER) > number})
            self.coordinator.close()
        return self.coordinator.unmasked()
