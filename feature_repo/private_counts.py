"""Declaration of counts that are published with differential privacy, a day at a time, and looked up as features.

A module with a ``PrivateCounts`` and its view is all there is to say; ``refrain privacy publish`` draws the noise once
(``training.private.differential.publish``) and writes the table, ``refrain privacy show`` says what was guaranteed.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from feature_repo.errors import InputError

if TYPE_CHECKING:
    from feast import Entity, FeatureView

DAYS = 31
"""Releases that a budget of a month is divided among."""


@dataclass(frozen=True)
class PrivateCounts:
    """Counts of one day's events, and of the people behind them, by a key; a person adds a bounded share.

    Attributes:
        name: name of the view.
        about: what is counted, in words.
        events: kind of events.
        key: column of the events, or of ``profile``, by which they are counted; texts.
        items: how many keys a person counts for on a day: those with most of the person's events.
        value: how many events of a person count for a key on a day.
        epsilon: ε that all days of a month guarantee to a person together.
        delta: δ, likewise; below one by the number of people.
        purpose: purpose whose budget is spent.
        person: column of the events with the person.
        profile: raw table whose newest row of a person has ``key``; empty where the events have it.
        top: how many of the largest counts are kept; 0 for all that pass the threshold.

    Raises:
        InputError: a bound is below 1, or ε or δ is no number above 0.

    >>> counts = PrivateCounts("private_plays", "Plays of one track on a day", "plays", "track_id", 20, 3, 1.0, 1e-6)
    >>> counts.fields[:3]
    (('plays', 'Int64'), ('people', 'Int64'), ('rank', 'Int64'))
    """

    name: str
    about: str
    events: str
    key: str
    items: int
    value: int
    epsilon: float
    delta: float
    purpose: str = "analytics"
    person: str = "user_id"
    profile: str = ""
    top: int = 0

    def __post_init__(self) -> None:
        if not (self.items >= 1 and self.value >= 1 and self.top >= 0 and self.epsilon > 0 and 0 < self.delta < 1):
            raise InputError(
                expected=f"private counts {self.name} with items and value of 1 or more, ε above 0, and δ below 1",
                found=str(asdict(self)),
                next_command="correct the declaration, then: refrain apply",
            )

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Feature and type of each column: noisy counts, their place, the spread of their noise, the guarantee."""
        whole = ((self.events, "Int64"), ("people", "Int64"), ("rank", "Int64"))
        spreads = tuple((name, "Float64") for name in (f"{self.events}_sigma", "people_sigma", "epsilon", "delta"))
        return (*whole, *spreads)

    def view(self, entity: "Entity") -> "FeatureView":
        """The view of the table, which ``refrain privacy publish`` writes.

        Args:
            entity: whose join key is ``key``.
        """
        from feast import Field

        from feature_repo.feast_types import feast_type
        from feature_repo.sources import feature_table

        return feature_table(
            self.name,
            entities=[entity],
            schema=[Field(name=name, dtype=feast_type(dtype)) for name, dtype in self.fields],
            description=f"{self.about}, with noise: differentially private, unit a person",
        )
