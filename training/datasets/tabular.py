"""Labelled rows of a feature service, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets.columns import to_numpy
from training.datasets.history import of_kept_history
from training.datasets.point_in_time import training_set

LABEL = "label"
LABEL_TIME = "label_timestamp"
"""Optional column of the rows: when what the label says happened."""


@dataclass(frozen=True)
class TabularSet:
    """A pulled training set, in order of time.

    Attributes:
        features: ``view__feature`` → (n,) float64 with NaN, or objects with None.
        labels: (n,) float64, NaN where missing.
        times: (n,) microseconds.
        label_times: (n,) microseconds at which what the label says happened; empty if the rows do not say it.
        units: (n,) names of rows: their keys and time.
        clusters: (n,) cluster of each row.
        segments: division → (n,) texts.
        pulled: manifest of the training set.
        folder: folder of the saved set.
        lists: features of the service that are lists. A model of rows takes none of them: texts are no numbers, and
            lists of numbers have one entry per event, or are vectors that an on-demand function compares.
    """

    features: Mapping[str, np.ndarray]
    labels: np.ndarray
    times: np.ndarray
    label_times: np.ndarray
    units: np.ndarray
    clusters: np.ndarray
    segments: Mapping[str, np.ndarray]
    pulled: Mapping[str, Any]
    folder: Path
    lists: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, row_numbers: np.ndarray) -> "TabularSet":
        """Selects rows by number."""
        return replace(
            self,
            features={name: values[row_numbers] for name, values in self.features.items()},
            labels=self.labels[row_numbers],
            times=self.times[row_numbers],
            label_times=self.label_times[row_numbers] if len(self.label_times) else self.label_times,
            units=self.units[row_numbers],
            clusters=self.clusters[row_numbers],
            segments={name: values[row_numbers] for name, values in self.segments.items()},
        )

    @classmethod
    def pull(
        cls,
        home: Home,
        service: str,
        rows: pl.DataFrame,
        *,
        cluster: str,
        segments: Sequence[str] = (),
        without: Sequence[str] = (),
        most: int | None = None,
        seed: int = 0,
    ) -> "TabularSet":
        """Pulls the features of labelled rows, each as of its time, and saves the set.

        Rows from before what is kept (``training.datasets.history``) are left out.

        Args:
            home: the data folder.
            service: name of the feature service.
            rows: the service's join keys, ``event_timestamp``, ``label``, columns that divide rows, and optionally
                ``label_timestamp``.
            cluster: column of the cluster.
            segments: columns of rows, or features, that rows are divided by.
            without: features, or whole views, that are left out.
            most: largest number of rows; more are sampled at random.
            seed: seed of the sample.

        Raises:
            InputError: there is no label, or it is no number.
        """
        if LABEL not in rows.columns:
            raise InputError(
                expected=f"labels: a column {LABEL!r} beside keys and event_timestamp",
                found=f"{rows.columns}",
                next_command=f"rename the label's column in the model's rows() to {LABEL!r}",
            )
        _refuse_types(rows)
        whole = of_kept_history(home, service, rows)
        rows = whole if whole.height else rows  # if all are too old, the error says from when on there are features
        if most is not None and rows.height > most:
            rows = rows.sample(most, seed=seed)
        spine = rows.sort("event_timestamp", *sorted(set(rows.columns) - {"event_timestamp"}))
        pulled = training_set(service, spine, home=home)
        data = pulled.data
        folder = pulled.save(home)
        return cls.read(folder, data, pulled.manifest, cluster=cluster, segments=segments, without=without)

    @classmethod
    def read(
        cls,
        folder: Path,
        data: pl.DataFrame,
        manifest: Mapping[str, Any],
        *,
        cluster: str,
        segments: Sequence[str] = (),
        without: Sequence[str] = (),
    ) -> "TabularSet":
        """Makes the arrays of a set that was pulled before."""
        excluded = set(without)
        selected = [name for name in data.columns if "__" in name and not excluded & {name, name.partition("__")[0]}]
        lists = tuple(name for name in selected if data.schema[name].is_nested())
        names = [name for name in selected if name not in lists]
        keys = [
            name for name in data.columns if "__" not in name and name not in (LABEL, LABEL_TIME, "event_timestamp")
        ]
        times = data["event_timestamp"].dt.timestamp("us").to_numpy()
        label_times = (
            data[LABEL_TIME].dt.timestamp("us").to_numpy() if LABEL_TIME in data.columns else np.empty(0, np.int64)
        )
        row_names = data.select(
            pl.concat_str([pl.col(key).cast(pl.String).fill_null("") for key in keys], separator="|")
        )
        units = np.array(
            [f"{name}@{time}" for name, time in zip(row_names.to_series().to_list(), times.tolist(), strict=True)]
        )
        divisions = {name.partition("__")[2] or name: _texts(data[name]) for name in segments if name in data.columns}
        return cls(
            {name: to_numpy(data[name]) for name in names},
            data[LABEL].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            times,
            label_times,
            units,
            _texts(data[cluster]),
            divisions,
            manifest,
            folder,
            lists,
        )


def _refuse_types(rows: pl.DataFrame) -> None:
    """Raises an error for labels that are no numbers or booleans, and label times that are no times."""
    label_type, time_type = rows.schema[LABEL], rows.schema.get(LABEL_TIME, pl.Datetime())
    if not (label_type.is_numeric() or label_type in (pl.Boolean, pl.Null)):
        raise InputError(
            expected="labels that are numbers or booleans",
            found=f"labels of type {label_type}",
            next_command="cast the label in the model's rows(), such as (pl.col('answer') == 'yes').cast(pl.Int8)",
        )
    if not isinstance(time_type, pl.Datetime):
        raise InputError(
            expected=f"times in {LABEL_TIME}",
            found=f"values of type {time_type}",
            next_command=f"cast {LABEL_TIME} in the model's rows() to pl.Datetime",
        )


def _texts(column: pl.Series) -> np.ndarray:
    return np.array(column.cast(pl.String).fill_null("").to_list(), dtype=np.str_)
