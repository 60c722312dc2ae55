"""Some rows of a training set: looked at when a model is registered, and kept for the next one to be compared with."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from training.datasets.columns import to_numpy
from training.datasets.point_in_time import TrainingSet

LOOKED_AT, KEPT = 20_000, 2_000
"""Rows that are looked at, and that are kept of these; drawn at random."""


@dataclass(frozen=True)
class Sample:
    """Of one training set.

    Attributes:
        manifest: of the training set.
        features: ``view__feature`` → (n,) numbers with NaN, or objects with None for texts; vectors are left out.
        labels: (n,), where they belong to its rows; else empty.
        kind: of label.
        chosen: whether whoever declares the model can leave features out by name: one that is missing stops it then.
    """

    manifest: Mapping[str, Any]
    features: Mapping[str, np.ndarray]
    labels: np.ndarray = field(default_factory=lambda: np.empty(0))
    kind: Literal["binary", "number"] = "binary"
    chosen: bool = False

    @classmethod
    def of(cls, pulled: TrainingSet, labels: np.ndarray | None = None, *, seed: int = 0) -> "Sample":
        """Of a set, with what was to be learned of each row; of a column ``label``, if it has one."""
        data = pulled.data
        if labels is None and "label" in data.columns:
            labels = data["label"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        places = drawn(data.height, LOOKED_AT, seed)
        some = data.select(
            name for name, dtype in data.schema.items() if "__" in name and not isinstance(dtype, pl.List)
        )[places]
        told = np.empty(0) if labels is None else np.asarray(labels, np.float64)[places]
        return cls(pulled.manifest, {column.name: to_numpy(column) for column in some}, told)

    @property
    def service(self) -> str:
        """Feature service of the set."""
        return str(self.manifest["feature_service"])


def drawn(count: int, most: int, seed: int = 0) -> np.ndarray:
    """Places of so many of some rows at the most, at random, in order."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def kept(samples: Sequence[Sample], *, seed: int = 0) -> bytes:
    """Features of some rows of each, without keys and labels, as a file of a bundle that is no pickle."""
    told: dict[str, np.ndarray] = {}
    for sample in samples:
        count = len(next(iter(sample.features.values()), ()))
        places = drawn(count, KEPT, seed)
        for name, values in sample.features.items():
            told[f"{sample.service}/{name}"] = _plain(values[places])
    out = io.BytesIO()
    np.savez_compressed(out, **told)  # type: ignore[arg-type]
    return out.getvalue()


def read(content: bytes) -> dict[str, dict[str, np.ndarray]]:
    """Service → feature → values, of what ``kept`` made; a missing text is an empty one."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as told:
        for name in told.files:
            service, _, feature = name.partition("/")
            found.setdefault(service, {})[feature] = told[name]
    return found


def _plain(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        return np.array(["" if value is None else str(value) for value in values.tolist()], dtype=np.str_)
    return values
