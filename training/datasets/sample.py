"""Sample rows of a training set: checked when a model is registered, and stored to compare the next version with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from training.datasets.columns import to_numpy
from training.datasets.point_in_time import TrainingSet
from transforms.pure import npz

LOOKED_AT, KEPT = 20_000, 2_000
"""Rows that are checked, and rows of these that are stored; drawn at random."""


@dataclass(frozen=True)
class Sample:
    """Sample rows of one training set.

    Attributes:
        manifest: manifest of the training set.
        features: ``view__feature`` → (n,) numbers with NaN, or objects with None for texts; vectors are left out.
        labels: (n,) labels, if they belong to these rows; else empty.
        kind: kind of the label.
        times: (n,) microseconds as of which the features are; empty if unknown.
        label_times: (n,) microseconds at which what the label says happened; empty if unknown.
        horizon: microseconds after its time until the label of a row is known; None if labels do not depend on time.
        chosen: whether the model's declaration can leave features out by name; a missing feature is an error then.

    >>> sample = Sample.of(training_set("churn_v1", spine))                         # doctest: +SKIP
    >>> sample.service, sample.labels.mean()                                        # doctest: +SKIP
    """

    manifest: Mapping[str, Any]
    features: Mapping[str, np.ndarray]
    labels: np.ndarray = field(default_factory=lambda: np.empty(0))
    kind: Literal["binary", "number"] = "binary"
    chosen: bool = False
    times: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    label_times: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    horizon: int | None = None

    @classmethod
    def of(cls, pulled: TrainingSet, labels: np.ndarray | None = None, *, seed: int = 0) -> "Sample":
        """Draws a sample of a set, with a label of each row; of its column ``label``, if it has one."""
        data = pulled.data
        if labels is None and "label" in data.columns:
            labels = data["label"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        row_numbers = drawn(data.height, LOOKED_AT, seed)
        features = data.select(
            name for name, dtype in data.schema.items() if "__" in name and not isinstance(dtype, pl.List)
        )[row_numbers]
        sampled_labels = np.empty(0) if labels is None else np.asarray(labels, np.float64)[row_numbers]
        return cls(pulled.manifest, {column.name: to_numpy(column) for column in features}, sampled_labels)

    @property
    def service(self) -> str:
        """Name of the set's feature service."""
        return str(self.manifest["feature_service"])


def drawn(count: int, most: int, seed: int = 0) -> np.ndarray:
    """Draws at most so many row numbers at random, in order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def samples_to_bytes(samples: Sequence[Sample], *, seed: int = 0) -> bytes:
    """Serializes features of some rows of each sample, without keys and labels, as a file of a bundle.

    The file is no pickle.
    """
    arrays: dict[str, np.ndarray] = {}
    for sample in samples:
        count = len(next(iter(sample.features.values()), ()))
        row_numbers = drawn(count, KEPT, seed)
        for name, values in sample.features.items():
            arrays[f"{sample.service}/{name}"] = _without_objects(values[row_numbers])
    return npz.pack(arrays)


def samples_from_bytes(content: bytes) -> dict[str, dict[str, np.ndarray]]:
    """Reads what ``samples_to_bytes`` wrote: service → feature → values; a missing text is an empty one."""
    features_by_service: dict[str, dict[str, np.ndarray]] = {}
    for name, values in npz.unpack(content).items():
        service, _, feature = name.partition("/")
        features_by_service.setdefault(service, {})[feature] = values
    return features_by_service


def _without_objects(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        return np.array(["" if value is None else str(value) for value in values.tolist()], dtype=np.str_)
    return values
