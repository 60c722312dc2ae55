"""Which tracks may be played, in plain loops, from what the online store said of each and when."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """The rights of one track as the catalogue has them; None where it says nothing."""

    available: bool | None = True
    explicit: bool | None = False
    regions: tuple[str, ...] | None = None


@dataclass
class RightsOracle:
    """What was read of each track, and when.

    Attributes:
        limit_s: seconds for which something that was read counts.
        read: track → its row and when it was read.
    """

    limit_s: float
    read: dict[str, tuple[Row, float]] = field(default_factory=dict)

    def permitted(self, tracks: Iterable[str], now: float, country: str | None, explicit: bool) -> set[str]:
        """The tracks that may be played, as far as is known."""
        return {
            track
            for track in tracks
            if track in self.read
            and now - self.read[track][1] <= self.limit_s
            and may_be_played(self.read[track][0], country, explicit)
        }


def may_be_played(row: Row, country: str | None, explicit: bool) -> bool:
    """Whether a track may be played: a track of which nobody knows whether it is explicit may be."""
    if row.available is False:
        return False
    if row.regions is not None and (country is None or country not in row.regions):
        return False
    return explicit or row.explicit is False
