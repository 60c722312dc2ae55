"""What every published number carries: what was guaranteed, to whom, and by which noise."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypedDict, Unpack

from feature_repo.errors import InputError
from training.private.differential import zcdp
from training.private.differential.guarantee import check

PERSON = "person"
"""The unit: all rows of one person, of whom there may be one more or one less."""


class About(TypedDict, total=False):
    """Attributes of a ``PrivacyStatement`` that say what was published, and how."""

    unit: str
    mechanism: str
    people: int | None
    purpose: str
    what: str
    request: str


FILE = "privacy.json"
"""File of a bundle: what it guarantees."""


@dataclass(frozen=True)
class PrivacyStatement:
    """What a release guarantees to one unit, by itself; what all releases together guarantee is in the ledger.

    Attributes:
        epsilon: ε.
        delta: δ, below one by the number of people.
        rho: the cost ρ that was spent.
        mechanism: the noise, such as ``discrete Gaussian, sigma 31.6``.
        people: how many people δ was compared with: a number that may be known, never the exact count; None if none.
        unit: whose rows are protected as a whole.
        purpose: purpose whose budget was spent.
        what: what was published.
        request: id of the release; the same id costs nothing more.
        failure: part of δ that is no conversion of ρ: the chance that a key of one person alone passes a threshold.

    Raises:
        InputError: ε or δ is no number that privacy can be had with, or δ is one by the number of people, or more.

    >>> statement = PrivacyStatement(1.0, 1e-6, rho=0.0243, mechanism="discrete Gaussian, sigma 4.5", people=10_000)
    >>> print(statement.text())
    ε = 1, δ = 1e-06 a person: with or without all rows of any one person it would look nearly the same (discrete \
Gaussian, sigma 4.5; ρ = 0.0243; δ is below 1/10,000).
    >>> PrivacyStatement.from_dict(statement.to_dict()) == statement
    True
    """

    epsilon: float
    delta: float
    unit: str = PERSON
    rho: float = 0.0
    mechanism: str = ""
    people: int | None = None
    purpose: str = ""
    what: str = ""
    request: str = ""
    failure: float = 0.0

    def __post_init__(self) -> None:
        check(self.epsilon, self.delta, self.people)

    @classmethod
    def of(cls, rho: float, delta: float, *, failure: float = 0.0, **about: Unpack[About]) -> "PrivacyStatement":
        """The statement of a cost.

        Args:
            rho: what was spent.
            delta: δ of the whole statement.
            failure: the part of δ that a threshold takes; below ``delta``.
            about: the other attributes.

        >>> round(PrivacyStatement.of(0.02435, 1e-6, mechanism="discrete Gaussian").epsilon, 2)
        1.0
        """
        return cls(zcdp.epsilon(rho, delta - failure), delta, rho=rho, failure=failure, **about)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "PrivacyStatement":
        """The statement that ``to_dict`` wrote.

        Raises:
            InputError: it is none.
        """
        names = {field.name for field in fields(cls)}
        try:
            return cls(**{name: value for name, value in content.items() if name in names})
        except TypeError as error:
            raise InputError(
                expected="a statement with epsilon and delta",
                found=f"{sorted(map(str, content))}",
                next_command="refrain privacy show",
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """The attributes, as JSON holds them."""
        return asdict(self)

    def to_bytes(self) -> bytes:
        """The statement as the file of a bundle."""
        return json.dumps(self.to_dict(), indent=1).encode()

    def text(self) -> str:
        """The statement as a sentence."""
        people = f"; δ is below 1/{self.people:,}" if self.people else ""
        return (
            f"ε = {self.epsilon:.3g}, δ = {self.delta:.3g} a {self.unit}: with or without all rows of any one "
            f"{self.unit} it would look nearly the same ({self.mechanism}; ρ = {self.rho:.3g}{people})."
        )
