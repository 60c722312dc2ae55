"""Whose plays the family learns from: judges listeners at a cutoff, and keeps what it saw as features of a listener.

The table ``listener_trust`` has the weight of each listener, 0 or 1, as of each cutoff. Erasures read it there: what a
person has in the sums of a version is nothing where the version did not learn from them.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.datasets.interactions import Interactions
from training.models.recommendation.feature_rows import write_rows
from training.shilling.detection import SIGNALS, Assessment, Detection
from transforms import feature_tables
from transforms.raw.table import MICROSECONDS_UTC

VIEW = "listener_trust"


def judge(home: Home, interactions: Interactions, cutoff: int, detection: Detection | None) -> Assessment:
    """Judges all listeners by their plays before a cutoff, and writes what was seen of those who have any.

    Args:
        home: the data folder.
        interactions: all plays.
        cutoff: µs since 1970 UTC.
        detection: settings of the filter; None leaves nobody out.
    """
    past = interactions.before(cutoff)
    assessment = (detection or Detection(fewest=2**62)).assess(past)
    active = np.unique(past.user)
    stamp = pl.repeat(cutoff, len(active), dtype=pl.Int64, eager=True).cast(MICROSECONDS_UTC)
    values = {"weight": assessment.weight, "score": assessment.score, **assessment.signals, "burst": assessment.burst}
    rows = pl.DataFrame(
        {
            "user_id": pl.Series(interactions.user_ids, dtype=pl.String)[active],
            "event_timestamp": stamp,
            "created_timestamp": stamp,
            **{name: pl.Series(column[active], dtype=pl.Float32) for name, column in values.items()},
        }
    )
    content = b"".join(values[name][active].astype("<f4").tobytes() for name in ("weight", "burst", *SIGNALS))
    write_rows(home, VIEW, rows, cutoff, hashlib.sha256(content).hexdigest()[:16])
    return assessment


def describe_left_out(left_out: int, listeners: int, most: int = Detection.most) -> str:
    """Says from how many listeners the family did not learn, and where a person finds why.

    Args:
        left_out: number of listeners from whom it did not learn.
        listeners: number of all.
        most: number of listeners beyond which nobody is judged.

    >>> describe_left_out(3, 200)
    'not learned from 3 of 200 listeners, whose plays look made up; why: refrain model manipulation'
    """
    if not left_out:
        why = f"; with more than {most:,} nobody is judged" if listeners > most else ""
        return f"learned from all {listeners:,} listeners{why}"
    whose = f"{left_out:,} of {listeners:,} listeners, whose plays look made up"
    return f"not learned from {whose}; why: refrain model manipulation"


def not_learned_from(home: Home, user_ids: Sequence[str], cutoff: int) -> set[str]:
    """Returns those of some listeners whom the training at a cutoff left out.

    Args:
        home: the data folder.
        user_ids: the listeners.
        cutoff: µs since 1970 UTC.
    """
    if not feature_tables.files_in(home.features(VIEW)):
        return set()
    rows = feature_tables.scan(home, VIEW).filter(
        pl.col("user_id").is_in(list(user_ids)),
        pl.col("event_timestamp") == datetime.fromtimestamp(cutoff / 1e6, UTC),
    )
    newest = rows.sort("created_timestamp").group_by("user_id", maintain_order=True).agg(pl.col("weight").last())
    return set(newest.filter(pl.col("weight") == 0).collect()["user_id"])
