"""What was served beside what a training set has for the same keys and moments."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from feature_repo.home import Home
from feature_repo.manifest import Service, View, resolve_service
from feature_repo.store import open_store
from training.datasets import training_set
from transforms import feature_tables
from transforms.logged.lookups import EVENT, served, trained_on
from transforms.pure import drift

SAME = 1e-9
"""Relative difference below which two floats are one value; 1e-6 for vectors of 32 bits."""

LATER, OLDER, NEWER, OTHER, COMPUTED = (
    "known later",
    "older row online",
    "newer row online",
    "same row, other value",
    "computed",
)
"""Why values differ: the row was corrected after it was served; the online store lagged behind, or was ahead of, the
feature table; the same row has another value; or the feature is computed when it is asked for.
"""


@dataclass
class FeatureSkew:
    """One feature.

    Attributes:
        rows: compared.
        different: of them.
        causes: how many of these for which reason.
        mean_difference: of numbers that differ, absolute; None for others.
        largest_difference: likewise.
        psi: between what models were trained on and what was served; None for lists.
        ks: likewise, for numbers.
        trained: (n,) numbers that models were trained on.
        served: (m,) numbers that were served.
    """

    name: str
    rows: int
    different: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    mean_difference: float | None = None
    largest_difference: float | None = None
    psi: float | None = None
    ks: float | None = None
    trained: np.ndarray | None = None
    served: np.ndarray | None = None

    @property
    def share(self) -> float:
        """Of the rows that differ."""
        return self.different / max(self.rows, 1)


@dataclass
class Audit:
    """One feature service.

    Attributes:
        service: name.
        rows: compared.
        first: moment of the oldest lookup.
        last: of the newest.
        features: in the order of the service.
        trained_on: name of the training set that distributions are compared with; None for the replay itself.
    """

    service: str
    rows: int
    first: datetime
    last: datetime
    features: list[FeatureSkew]
    trained_on: str | None

    def failures(self, mismatches: float, most_psi: float | None) -> list[str]:
        """What is above a threshold, in words."""
        out = []
        for one in self.features:
            if one.share > mismatches:
                out.append(f"{one.name}: {one.share:.2%} of the values differ, more than {mismatches:.2%}")
            if most_psi is not None and one.psi is not None and one.psi > most_psi:
                out.append(f"{one.name}: PSI {one.psi:.3f}, more than {most_psi:g}")
        return out


def audit(name: str, *, home: Home | None = None, since: datetime | None = None, most: int = 100_000) -> Audit:
    """Replay logged lookups of a feature service.

    Args:
        name: of the service.
        home: the data folder; from the environment if None.
        since: only lookups from then on.
        most: rows at the most, the newest.

    Raises:
        StoreError: nothing was logged, or the feature tables are not built.
    """
    home = home or Home.from_env()
    service = resolve_service(open_store(home), name)
    was = served(home, service, since, most)
    spine = was.select(*service.join_keys, "event_timestamp", *service.request_fields)
    if "request_timestamp" in spine.columns:
        moment = (pl.col("request_timestamp") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
        spine = spine.with_columns(request_timestamp=moment)
    final, known = (training_set(name, spine, home=home, as_known=as_known).to_polars() for as_known in (False, True))
    newer = {view.name: _newer(home, view, was) for view in service.views}
    name_of_set, trained = trained_on(home, service)
    features = [_feature(service, feature, was, final, known, newer, trained) for feature, _ in service.features]
    first, last = was.select(first=pl.col("event_timestamp").min(), last=pl.col("event_timestamp").max()).row(0)
    return Audit(name, was.height, first, last, features, name_of_set)


def _feature(
    service: Service,
    name: str,
    was: pl.DataFrame,
    final: pl.DataFrame,
    known: pl.DataFrame,
    newer: dict[str, np.ndarray],
    trained: pl.DataFrame | None,
) -> FeatureSkew:
    found = FeatureSkew(name, was.height)
    differs = ~same(was[name], final[name])
    found.different = int(differs.sum())
    if found.different:
        view = name.partition("__")[0]
        later = differs & same(was[name], known[name])
        rest = differs & ~later
        split = {COMPUTED: rest} if view not in newer else _split(rest, newer[view])
        found.causes = {cause: int(some.sum()) for cause, some in ({LATER: later} | split).items() if some.any()}
    before = final if trained is None else trained
    if was.schema[name].is_numeric() or was.schema[name] == pl.Boolean():
        served_numbers, final_numbers, trained_numbers = (_numbers(frame[name]) for frame in (was, final, before))
        gap = np.abs(served_numbers - final_numbers)[differs]
        if found.different and not np.isnan(gap).all():
            found.mean_difference, found.largest_difference = float(np.nanmean(gap)), float(np.nanmax(gap))
        found.psi, found.ks = drift.psi(trained_numbers, served_numbers), drift.ks(trained_numbers, served_numbers)
        found.trained, found.served = trained_numbers, served_numbers
    elif was.schema[name] == pl.String():
        found.psi = drift.psi_of_texts(before[name].to_list(), was[name].to_list())
    return found


def _split(some: np.ndarray, newer: np.ndarray) -> dict[str, np.ndarray]:
    return {OLDER: some & (newer > 0), NEWER: some & (newer < 0), OTHER: some & (newer == 0)}


def same(one: pl.Series, other: pl.Series) -> np.ndarray:
    """(n,) whether values are the same; missing ones are equal to each other, floats to nine digits."""
    if one.dtype.is_float():
        first, second = _numbers(one), _numbers(other)
        equal = np.isclose(first, second, rtol=SAME, atol=0, equal_nan=True)
        return np.asarray(equal)
    if isinstance(one.dtype, pl.List) and one.dtype.inner.is_float():  # type: ignore[union-attr]
        return np.array([_same_vector(a, b) for a, b in zip(one.to_list(), other.to_list(), strict=True)], bool)
    return one.eq_missing(other).to_numpy()


def _same_vector(one: list[float] | None, other: list[float] | None) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=1e-6, atol=0, equal_nan=True))


def _numbers(values: pl.Series) -> np.ndarray:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _newer(home: Home, view: View, was: pl.DataFrame) -> np.ndarray:
    """(n,) 1 where the feature table has a newer row than the one that was served, −1 an older one, 0 the same."""
    keys = list(view.join_keys)
    table = feature_tables.scan(home, view.name).select(*keys, "event_timestamp").unique()
    offline = table.with_columns(row=pl.col("event_timestamp").dt.timestamp("us")).sort("event_timestamp").collect()
    asked = was.select(*keys, "event_timestamp", online=EVENT + view.name).with_row_index("number")
    joined = asked.sort("event_timestamp").join_asof(
        offline, on="event_timestamp", by=keys or None, strategy="backward", check_sortedness=False
    )
    joined = joined.sort("number").select(pl.col("row").fill_null(-1), pl.col("online").fill_null(-1))
    return np.sign(joined["row"].to_numpy() - joined["online"].to_numpy())
