"""Compares served values with those of a training set for the same keys and moments."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from feature_repo.access.whole import check_whole
from feature_repo.compile_manifest import resolve_service
from feature_repo.contract import contract_of
from feature_repo.home import Home
from feature_repo.manifest import Service, View
from feature_repo.store import open_store
from training.datasets import training_set
from training.datasets.consent import Permission
from training.datasets.view_rows import view_rows
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
"""Reasons of a difference: the row was corrected after it was served; the online store lagged behind, or was ahead of,
the feature table; the same row has another value; or the feature is computed on demand.
"""


@dataclass
class FeatureSkew:
    """The skew of one feature.

    Attributes:
        name: name of the feature.
        rows: number of rows compared.
        different: number of rows that differ.
        causes: reason → number of differing rows.
        mean_difference: mean absolute difference of the numbers that differ; None for other types.
        largest_difference: largest absolute difference; None for other types.
        psi: population stability index between the trained and the served values; None for lists.
        ks: Kolmogorov-Smirnov statistic between them, for numbers.
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
        """Share of the rows that differ."""
        return self.different / max(self.rows, 1)


@dataclass
class Audit:
    """The skew of one feature service.

    Attributes:
        service: name of the service.
        rows: number of rows compared.
        first: moment of the oldest lookup.
        last: moment of the newest lookup.
        features: skew of each feature, in the order of the service.
        trained_on: name of the training set that distributions are compared with; None for the replay itself.
    """

    service: str
    rows: int
    first: datetime
    last: datetime
    features: list[FeatureSkew]
    trained_on: str | None

    def failures(self, mismatches: float, most_psi: float | None) -> list[str]:
        """Lists the features above a threshold, in words."""
        messages = []
        for feature in self.features:
            if feature.share > mismatches:
                messages.append(f"{feature.name}: {feature.share:.2%} of the values differ, more than {mismatches:.2%}")
            if most_psi is not None and feature.psi is not None and feature.psi > most_psi:
                messages.append(f"{feature.name}: PSI {feature.psi:.3f}, more than {most_psi:g}")
        return messages


def audit(name: str, *, home: Home | None = None, since: datetime | None = None, most: int = 100_000) -> Audit:
    """Replays logged lookups of a feature service.

    Args:
        name: name of the service.
        home: the data folder; from the environment if None.
        since: time of the oldest lookup to replay; no limit if None.
        most: largest number of rows; the newest are taken.

    Raises:
        StoreError: no lookups were logged, or the feature tables are not built.
    """
    home = home or Home.from_env()
    check_whole(home, "the audit of lookups")
    store = open_store(home)
    service = resolve_service(store, contract_of(home), name)
    lookups = Permission.of(home, service.purpose).rows(served(home, service, since, most))
    spine = lookups.select(*service.join_keys, "event_timestamp", *service.request_fields)
    if "request_timestamp" in spine.columns:
        request_time = (pl.col("request_timestamp") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
        spine = spine.with_columns(request_timestamp=request_time)
    final_set, as_known_set = (
        training_set(name, spine, home=home, as_known=as_known).to_polars() for as_known in (False, True)
    )
    row_orders = {view.name: _row_order(view_rows(home, store, view), view, lookups) for view in service.views}
    training_set_name, trained = trained_on(home, service)
    features = [
        _feature(service, feature, lookups, final_set, as_known_set, row_orders, trained)
        for feature, _ in service.features
        if feature in lookups.columns
    ]
    first, last = lookups.select(first=pl.col("event_timestamp").min(), last=pl.col("event_timestamp").max()).row(0)
    return Audit(name, lookups.height, first, last, features, training_set_name)


def _feature(
    service: Service,
    name: str,
    lookups: pl.DataFrame,
    final_set: pl.DataFrame,
    as_known_set: pl.DataFrame,
    row_orders: dict[str, np.ndarray],
    trained: pl.DataFrame | None,
) -> FeatureSkew:
    skew = FeatureSkew(name, lookups.height)
    differs = ~same(lookups[name], final_set[name])
    skew.different = int(differs.sum())
    if skew.different:
        view = name.partition("__")[0]
        known_later = differs & same(lookups[name], as_known_set[name])
        unexplained = differs & ~known_later
        split = {COMPUTED: unexplained} if view not in row_orders else _by_row_order(unexplained, row_orders[view])
        skew.causes = {cause: int(rows.sum()) for cause, rows in ({LATER: known_later} | split).items() if rows.any()}
    reference = final_set if trained is None else trained
    if lookups.schema[name].is_numeric() or lookups.schema[name] == pl.Boolean():
        served_numbers, final_numbers, trained_numbers = (
            _numbers(frame[name]) for frame in (lookups, final_set, reference)
        )
        gap = np.abs(served_numbers - final_numbers)[differs]
        if skew.different and not np.isnan(gap).all():
            skew.mean_difference, skew.largest_difference = float(np.nanmean(gap)), float(np.nanmax(gap))
        skew.psi, skew.ks = drift.psi(trained_numbers, served_numbers), drift.ks(trained_numbers, served_numbers)
        skew.trained, skew.served = trained_numbers, served_numbers
    elif lookups.schema[name] == pl.String():
        skew.psi = drift.psi_of_texts(reference[name].to_list(), lookups[name].to_list())
    return skew


def _by_row_order(rows: np.ndarray, row_order: np.ndarray) -> dict[str, np.ndarray]:
    return {OLDER: rows & (row_order > 0), NEWER: rows & (row_order < 0), OTHER: rows & (row_order == 0)}


def same(left: pl.Series, right: pl.Series) -> np.ndarray:
    """(n,) whether two values are the same. Missing values equal each other; floats are compared to nine digits."""
    if left.dtype.is_float():
        first, second = _numbers(left), _numbers(right)
        equal = np.isclose(first, second, rtol=SAME, atol=0, equal_nan=True)
        return np.asarray(equal)
    if isinstance(left.dtype, pl.List) and left.dtype.inner.is_float():  # type: ignore[union-attr]
        return np.array([_same_vector(a, b) for a, b in zip(left.to_list(), right.to_list(), strict=True)], bool)
    return left.eq_missing(right).to_numpy()


def _same_vector(left: list[float] | None, right: list[float] | None) -> bool:
    if left is None or right is None:
        return left is right
    return len(left) == len(right) and bool(np.allclose(left, right, rtol=1e-6, atol=0, equal_nan=True))


def _numbers(values: pl.Series) -> np.ndarray:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _row_order(rows: pl.LazyFrame, view: View, lookups: pl.DataFrame) -> np.ndarray:
    """Compares the row of the view's files with the served one.

    Args:
        rows: keys and ``event_timestamp`` of the files.
        view: the view.
        lookups: (n,) the logged lookups.

    Returns:
        (n,) 1 if the row of the files is newer, −1 if older, 0 if it is the same.
    """
    keys = list(view.join_keys)
    offline = rows.unique().with_columns(row=pl.col("event_timestamp").dt.timestamp("us")).sort("event_timestamp")
    queries = lookups.select(*keys, "event_timestamp", online=EVENT + view.name).with_row_index("number")
    joined = queries.sort("event_timestamp").join_asof(
        offline.collect(),
        on="event_timestamp",
        by=keys or None,
        strategy="backward",
        check_sortedness=False,
    )
    joined = joined.sort("number").select(pl.col("row").fill_null(-1), pl.col("online").fill_null(-1))
    return np.sign(joined["row"].to_numpy() - joined["online"].to_numpy())
