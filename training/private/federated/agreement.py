"""What the silos of a run agree on: what is counted, of which days, and how many must be in a sum.

The coordinator writes it, every silo reads and checks it before anything of its listeners is counted, and the digest of
it stands in every later message. A version of the format that a silo does not know is refused.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from feature_repo.errors import InputError

FORMAT = 1
"""Version of the format of all messages."""
FEWEST = 3
"""Fewest silos of a sum: of two, each could subtract itself and read the other."""
MOST_SILOS = 255
EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_800_000_000
"""The years 1 and 10,000 in µs since 1970 UTC, between which a cutoff is."""
MOST_BYTES = 2**20
"""Largest agreement that is read."""


def new_run() -> str:
    """A name of a run that was never used: 16 random bytes in hex, so that no message of another run fits."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Agreement:
    """The terms of a run.

    Attributes:
        name: what the run is for.
        procedure: what is done in which rounds (``procedures``).
        cutoff: µs since 1970 UTC; only plays before it count.
        statistics: names of what is counted (``statistics``).
        silos: number of silos that may take part.
        threshold: fewest silos of a sum.
        deadline_s: seconds after which a round goes on without those that are missing.
        least_listeners: fewest listeners, of all silos, of an item of the catalogue.
        segments: names of the segments of listeners that are counted, such as ``SE 1990s``.
        parameters: further parameters of the procedure and the statistics.
        run: identifier of the run.

    >>> terms = Agreement("charts", cutoff=7, silos=4, threshold=3, statistics=("popularity",))
    >>> Agreement.from_bytes(terms.to_bytes()) == terms
    True
    """

    name: str
    procedure: str = "exact"
    cutoff: int = 0
    statistics: tuple[str, ...] = ()
    silos: int = FEWEST
    threshold: int = FEWEST
    deadline_s: float = 600.0
    least_listeners: int = 1
    segments: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    run: str = field(default_factory=new_run)

    def __post_init__(self) -> None:
        if not FEWEST <= self.threshold <= self.silos <= MOST_SILOS:
            raise InputError(
                expected=f"{FEWEST} silos or more in every sum, of {MOST_SILOS} at most",
                found=f"a threshold of {self.threshold}, and {self.silos} silos",
                next_command="refrain model federate --help",
            )
        if not (0 < self.deadline_s < 10**7 and self.least_listeners >= 1):
            raise InputError(
                expected="a deadline of seconds, and at least one listener of an item",
                found=f"{self.deadline_s} s, {self.least_listeners} listeners",
                next_command="refrain model federate --help",
            )
        if not EARLIEST <= self.cutoff < LATEST:
            raise InputError(
                expected="a cutoff between the years 1 and 9999, in µs since 1970",
                found=str(self.cutoff)[:100],
                next_command="refrain model federate recommendation --before 2026-07-01",
            )
        for name, texts in (("statistics", self.statistics), ("segments", self.segments)):
            if len(set(texts)) != len(texts):
                raise InputError(
                    expected=f"each of the {name} once",
                    found=f"{texts}",
                    next_command="refrain model federate --help",
                )

    @property
    def most(self) -> int:
        """Largest absolute value of a cell of one silo: the sum of all silos stays within 63 bits."""
        return (2**63 - 1) // self.silos

    def to_bytes(self) -> bytes:
        """Serializes the terms; equal terms give equal bytes."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True).encode()

    def digest(self) -> str:
        """SHA-256 of the terms."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Agreement":
        """Deserializes terms.

        Raises:
            InputError: they are damaged, or of another version of the format.
        """
        try:
            if len(content) > MOST_BYTES:
                raise ValueError(f"{len(content):,} bytes")
            record = json.loads(content)
            version = record.pop("format")
            if version != FORMAT:
                raise ValueError(f"format {version!r}")
            kinds = {
                "name": str,
                "procedure": str,
                "cutoff": int,
                "silos": int,
                "threshold": int,
                "deadline_s": float,
                "least_listeners": int,
                "parameters": dict,
                "run": str,
            }
            for name, kind in kinds.items():
                if type(record[name]) is not kind:
                    raise TypeError(f"{name}: {record[name]!r}")
            lists = {name: _texts(record[name]) for name in ("statistics", "segments")}
            return cls(**{**record, **lists})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                expected=f"the terms of a run, in format {FORMAT}",
                found=f"{type(error).__name__}: {str(error)[:200]}",
                next_command="the same version of Refrain at the coordinator and at every silo",
            ) from error


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"a list of texts, not {values!r}")
    return tuple(values)
