"""What a detector is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from feature_repo.home import Home
from training.datasets.telemetry import moments
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.incidents import MINUTE

POLICY = AlarmPolicy(threshold=3.0, quiet=5, raised=0.0)
"""Of rows. An alarm makes the next one no harder: how rare a row is was told by all entities' rows, and whoever was
attacked yesterday is not to be deaf today.
"""


@dataclass(frozen=True)
class Detector:
    """One of the five.

    Attributes:
        name: of the registered model.
        about: one line.
        service: feature service of its rows.
        key: join key of whom it is about.
        tables: raw tables whose events it looks at the entity after.
        points: metrics that come one by one: the key, ``event_timestamp``, and a column each; None if there are none.
        counts: those of the metrics that count events, such as requests a minute.
        policy: of rows; its threshold is chosen.
        aftermath: microseconds after an incident in which an alarm is still about it: its windows have to run empty.
        gap: alarms of one entity no more than so many microseconds apart are one incident.
        every_entity: whether the false incidents are counted by entity and week; else by week of the whole service,
            where entities are seen once or come and go.
    """

    name: str
    about: str
    service: str
    key: str
    tables: tuple[str, ...]
    points: Callable[[Home], pl.DataFrame] | None = None
    counts: tuple[str, ...] = ()
    policy: AlarmPolicy = POLICY
    aftermath: int = 60 * MINUTE
    gap: int = 30 * MINUTE
    every_entity: bool = True

    def moments(self, home: Home) -> pl.DataFrame:
        """Spine of the rows that it looks at: the key and ``event_timestamp``."""
        return moments(home, self.tables, self.key)


def metrics_of(points: pl.DataFrame, key: str) -> Sequence[str]:
    """Names of the metrics among the columns of points."""
    return [name for name in points.columns if name not in (key, "event_timestamp")]
