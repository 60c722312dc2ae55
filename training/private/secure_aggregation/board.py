"""Where silos and the coordinator meet: what a silo needs of a transport."""

from typing import Protocol

from training.private.secure_aggregation.envelope import Phase


class Board(Protocol):
    """The coordinator as one silo reaches it. What goes over it is signed, and need not be trusted."""

    def message(self, round_name: str, phase: Phase, timeout_s: float) -> bytes:
        """The coordinator's message of a phase to this silo, or that the round was aborted.

        Raises:
            RoundAborted: there is none within the time, or the coordinator is not reached.
            RoundRefused: the silo is not in this phase.
        """

    def send(self, round_name: str, content: bytes) -> None:
        """Sends a message of this silo.

        Raises:
            RoundAborted: the coordinator is not reached.
            RoundRefused: it does not take the message.
        """

    def content(self, name: str, timeout_s: float) -> bytes:
        """What the coordinator published under a name, with its signature.

        Raises:
            NothingPublished: there is nothing within the time.
        """
