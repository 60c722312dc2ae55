"""Declaration of an anomaly detector."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from feature_repo.home import Home
from training.datasets.telemetry import moments
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.incidents import MINUTE

POLICY = AlarmPolicy(threshold=3.0, quiet=5, raised=0.0)
"""Alarm policy for rows. An alarm does not raise the threshold of the next one, as scores are calibrated on the rows of
all entities, and an entity that was attacked yesterday must still raise alarms today.
"""


@dataclass(frozen=True)
class Detector:
    """The declaration of one of the five detectors.

    Attributes:
        name: name of the registered model.
        about: one-line description.
        service: feature service of its rows.
        key: join key of the entity that it watches.
        tables: raw tables; after each of their events the entity is scored.
        points: function that reads the metrics: the key, ``event_timestamp``, and one column per metric; None for none.
        counts: the metrics that count events, such as requests per minute.
        policy: alarm policy for rows; its threshold is chosen in training.
        aftermath: microseconds after an incident in which an alarm still belongs to it, until its windows have passed.
        gap: maximum distance in microseconds between alarms of one entity that form one incident.
        every_entity: whether false incidents are counted per entity and week. If not, they are counted per week of the
            whole service, for entities that occur once or come and go.
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
        """Return the spine of the rows to score: the key and ``event_timestamp``."""
        return moments(home, self.tables, self.key)


def metrics_of(points: pl.DataFrame, key: str) -> Sequence[str]:
    """Return the names of the metric columns of points."""
    return [name for name in points.columns if name not in (key, "event_timestamp")]
