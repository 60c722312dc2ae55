"""Counts of one day by a key, bounded for each person, with noise, and without keys that few people have."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from feature_repo.home import Home
from feature_repo.private_counts import DAYS, PrivateCounts
from training.private.differential import noise, zcdp
from training.private.differential.contributions import Bounds, limit
from training.private.differential.threshold import threshold
from transforms import parquet
from transforms.raw.declared import raw_tables
from transforms.raw.read import scan, scan_files

_SEED = 7
"""Of the hashes of keys that decide between equal counts of a person."""


@dataclass(frozen=True)
class Plan:
    """What one day of some counts costs, and the noise that follows.

    Attributes:
        bounds: what a person adds to the counts of events.
        rho: the cost.
        failure: δ of the threshold.
        events_sigma: σ of the noise of events; half of the cost.
        people_sigma: σ of the noise of people; the other half.
        threshold: least noisy number of people of a key that is published.

    >>> plan = Plan.of(PrivateCounts("private_plays", "Plays", "plays", "country", 1, 20, 1.0, 1e-6))
    >>> round(plan.rho, 5), round(plan.people_sigma), plan.threshold
    (0.00074, 37, 206)
    """

    bounds: Bounds
    rho: float
    failure: float
    events_sigma: float
    people_sigma: float
    threshold: int

    @classmethod
    def of(cls, declared: PrivateCounts) -> "Plan":
        """A day of a month whose days guarantee what is declared."""
        bounds, share = Bounds(declared.items, declared.value), (1 - 1e-9) / DAYS  # so that sums of shares fit
        rho, failure = zcdp.rho(declared.epsilon, declared.delta / 2) * share, declared.delta / 2 * share
        people_sigma = zcdp.sigma_of(rho / 2, Bounds(declared.items).l2)
        return cls(
            bounds,
            rho,
            failure,
            zcdp.sigma_of(rho / 2, bounds.l2),
            people_sigma,
            threshold(people_sigma, failure, declared.items),
        )

    @property
    def mechanism(self) -> str:
        """The noise, in words."""
        return (
            f"discrete Gaussian, sigma {self.events_sigma:.4g} on events and {self.people_sigma:.4g} on people; "
            f"keys of {self.threshold} noisy people or more; a person counts for {self.bounds.items} keys with at most "
            f"{self.bounds.value} events each"
        )


def exact_counts(home: Home, declared: PrivateCounts, day: date) -> pl.DataFrame:
    """Counts the bounded events and people of a day; exact, and so for nobody's eyes.

    Returns:
        The key, ``events`` and ``people``, int64, in the order of the keys.

    Raises:
        StoreError: a raw file is damaged.
    """
    path = home.raw(declared.events) / f"date={day}" / parquet.PART
    rows = scan_files(raw_tables(home)[declared.events], [path] if path.is_file() else [])
    person, key = declared.person, declared.key
    if declared.profile:
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        profiles = scan(home, declared.profile).filter(pl.col("event_timestamp") < end)
        newest = profiles.sort("event_timestamp", "created_timestamp").group_by(person).agg(pl.col(key).last())
        rows = rows.select(person).join(newest, on=person, how="inner")
    counted = rows.select(person, pl.col(key).cast(pl.String)).drop_nulls().group_by(person, key).len("events")
    frame = counted.sort(person, key).collect()
    place, values = limit(
        frame[person].rank("dense").to_numpy(),
        frame[key].rank("dense").to_numpy(),
        frame["events"].cast(pl.Int64).to_numpy(),
        Bounds(declared.items, declared.value),
        tie=frame[key].hash(_SEED).to_numpy(),
    )
    kept = frame[place].with_columns(pl.Series("events", values, pl.Int64))
    return kept.group_by(key).agg(pl.col("events").sum(), pl.len().cast(pl.Int64).alias("people")).sort(key)


def noisy_counts(
    exact: pl.DataFrame, declared: PrivateCounts, plan: Plan, rng: np.random.Generator | None = None
) -> pl.DataFrame:
    """Adds noise, and drops keys below the threshold, and what is not among the largest.

    Args:
        exact: result of ``exact_counts``.
        declared: what is counted.
        plan: its noise.
        rng: a seeded generator, in tests; None for the operating system's randomness.

    Returns:
        The key, ``events`` and ``people``, and ``rank`` by events, 1 for the largest; in the order of the keys. Nothing
        else of the exact counts: all further steps may be published.
    """
    noisy = exact.with_columns(
        pl.col("events") + pl.Series(noise.integers(exact.height, plan.events_sigma, rng)),
        pl.col("people") + pl.Series(noise.integers(exact.height, plan.people_sigma, rng)),
    )
    public = noisy.filter(pl.col("people") >= plan.threshold).sort(
        pl.col("events"), pl.col(declared.key), descending=[True, False]
    )
    ranked = public.with_row_index("rank", offset=1).with_columns(pl.col("rank").cast(pl.Int64))
    return (ranked.head(declared.top) if declared.top else ranked).sort(declared.key)
