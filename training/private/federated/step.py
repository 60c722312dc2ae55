"""What the coordinator asks next. Steps have numbers, and a few attempts each; a silo that comes late reads on until
the one that is open. A message never changes, as each attempt has a name of its own.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from feature_repo.errors import InputError

AGREEMENT, RESULT, STOPPED = "agreement", "result", "stopped"
"""Names under which the coordinator shows the terms, the result, and why there will be none."""
END = "end"
"""Kind of the last step."""
MOST_BYTES = 2**20


@dataclass(frozen=True)
class Step:
    """One question to all silos.

    Attributes:
        number: 0, 1, 2, …
        attempt: how often it was asked before.
        kind: which answer is computed (``answer.Answer``); ``end`` for the last.
        round: name of the round of sums; another one for each attempt.
        agreement: digest of the terms.
        catalogue: digest of the catalogue; empty before there is one.
        content: what the answer depends on, such as a capacity.
        attachment: digest of bytes that belong to the step; empty if there are none.
        is_open: whether the silos should answer; otherwise its round is over.
    """

    number: int
    attempt: int
    kind: str
    round: str
    agreement: str
    catalogue: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    attachment: str = ""
    is_open: bool = True

    @property
    def question(self) -> str:
        """SHA-256 of what is asked: equal for all attempts."""
        record = [self.number, self.kind, self.agreement, self.catalogue, dict(self.content), self.attachment]
        return digest(json.dumps(record, sort_keys=True).encode())

    def to_bytes(self) -> bytes:
        """Serializes the step."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes, number: int, attempt: int, agreement: str) -> "Step":
        """Deserializes a step of a run.

        Raises:
            InputError: it is damaged, or of another number or other terms.
        """
        try:
            if len(content) > MOST_BYTES:
                raise ValueError(f"{len(content):,} bytes")
            step = cls(**json.loads(content))
            texts = (step.kind, step.round, step.agreement, step.catalogue, step.attachment)
            if not all(isinstance(text, str) for text in texts) or not isinstance(step.content, dict):
                raise TypeError("a field of another type")
            if (step.number, step.attempt, step.agreement) != (number, attempt, agreement):
                raise ValueError("another step, or other terms")
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(
                expected=f"step {number} of this run",
                found=f"{type(error).__name__}: {str(error)[:200]}",
                next_command="refrain model federate join URL  (again, once the coordinator goes on)",
            ) from error
        return step


def name_of(number: int, attempt: int) -> str:
    """Name under which an attempt of a step is shown."""
    return f"step-{number}-{attempt}"


def name_of_attachment(attachment: str) -> str:
    """Name under which the bytes with a digest are shown."""
    return f"bytes-{attachment[:32]}"


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
