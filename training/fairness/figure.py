"""One figure of fairness: of a group, of all, or the gap between the groups of a division."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from training.validation.bootstrap import Interval

FAIRNESS = "fairness.json"
"""File of a bundle with its figures."""
FEWEST = 20
"""Fewest clusters (people, as a rule) of a group of which a figure is given."""
TOO_SMALL = "too small to tell"
TIMES = " × "
"""Joins the names of divisions, and of their groups, where they are crossed."""
OF_LISTS, OF_PEOPLE = "shown", "people"
"""What the groups of a division are: of those whose work is shown, or of those who are answered."""


@dataclass(frozen=True)
class Figure:
    """A figure with its interval.

    Attributes:
        metric: name of a ``Rate`` or a ``Gap``.
        division: name of the division; empty for all units.
        group: name of the group; empty for all units, and for a gap.
        interval: the figure; None if the group, or all but one of the groups, is too small to tell.
        clusters: number of clusters of the group; for a gap, of the smallest group that counts.
        is_gap: whether it compares groups.
        left_out: for a gap, the groups that were too small.
        about: ``people`` or ``shown``.
    """

    metric: str
    division: str
    group: str
    interval: Interval | None
    clusters: int
    is_gap: bool = False
    left_out: tuple[str, ...] = ()
    about: str = OF_PEOPLE

    @property
    def text(self) -> str:
        """The figure with its interval as text; ``too small to tell`` if there is none."""
        return TOO_SMALL if self.interval is None else str(self.interval)

    @property
    def is_crossed(self) -> bool:
        """Whether the division is an intersection of several."""
        return TIMES in self.division


def to_bytes(figures: Iterable[Figure]) -> bytes:
    """Serializes figures as a file of a bundle."""
    return (json.dumps([asdict(figure) for figure in figures], ensure_ascii=False, indent=1) + "\n").encode()


def read(folder: Path) -> tuple[Figure, ...] | None:
    """Reads the figures of a bundle; None if it has none."""
    try:
        entries = json.loads((folder / FAIRNESS).read_bytes())
        return tuple(_figure(entry) for entry in entries)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _figure(entry: dict[str, object]) -> Figure:
    interval = entry.pop("interval")
    left_out: Sequence[str] = entry.pop("left_out")  # type: ignore[assignment]
    return Figure(
        **entry,  # type: ignore[arg-type]
        interval=Interval(**interval) if isinstance(interval, dict) else None,
        left_out=tuple(left_out),
    )
