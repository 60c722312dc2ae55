"""Linear models of rows as one column: the weighted sum before the logistic function, of values that stay encrypted.

A row is sent as three groups of numbers: the distance of each value from its center, divided by its unit, or 0 where it
is missing; 1 where a value is missing; and a 1 for the constant. Centers and units are those of the reference rows of
the bundle, rounded to powers of two and multiples of them, so that all numbers of a row are of like size: the noise of
encryption is that of the largest one.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import BundleError, InputError
from inference.watermarks import reference_rows
from transforms.pure.tabular.layout import Layout

LINEAR, WEIGHTS = "linear", "native"
"""The learner of linear models, and the file with their weights."""


@dataclass(frozen=True)
class LinearHead:
    """The weights of a linear model.

    Attributes:
        inputs: names of the columns.
        centers: (d,) what is taken away from the values of each column.
        units: (d,) what the rest is divided by.
        weights: (2 * d + 1,) weights of the numbers of a row, as the module lists them.
        kind: ``binary`` if a score is the log-odds of a chance, else ``number``.
    """

    inputs: tuple[str, ...]
    centers: np.ndarray
    units: np.ndarray
    weights: np.ndarray
    kind: Literal["binary", "number"]

    @classmethod
    def of(cls, bundle: Bundle) -> "LinearHead":
        """Read the weights of a bundle.

        Raises:
            InputError: the model is not linear.
            BundleError: it was trained before weights and reference rows were kept.
        """
        extra, name = bundle.manifest["extra"], bundle.manifest["name"]
        if extra.get("learner") != LINEAR:
            raise _unusable(bundle, f"the learner {extra.get('learner', bundle.manifest['family'])}")
        rows = reference_rows(bundle)
        if WEIGHTS not in bundle.manifest["files"] or not len(rows):
            raise BundleError(
                expected=f"weights and reference rows in {bundle.name_version}",
                found="none",
                next_command=f"refrain model run {name} --again",
            )
        terms = {part: np.array(values) for part, values in json.loads(bundle.read(WEIGHTS)).items()}
        centers, units = scale_of(rows)
        base = (
            terms["base"]
            + centers @ terms["weights"]
            - terms["means"] @ terms["weights"]
            - terms["missing_means"] @ terms["missing_weights"]
        )
        missing = (terms["fill"] - centers) * terms["weights"] + terms["missing_weights"]
        weights = np.concatenate([terms["weights"] * units, missing, [base]])
        return cls(tuple(Layout.from_json(extra["layout"]).outputs), centers, units, weights, extra["answer"])

    @property
    def fit(self) -> int:
        """A digest of columns, centers and units: a row that was made by others has another score. Below 2^53."""
        scale = json.dumps([self.inputs, self.centers.tolist(), self.units.tolist()])
        return int.from_bytes(hashlib.sha256(scale.encode()).digest()[:6])


def scale_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the centers (d,) and units (d,) of rows (n, d): units are powers of two, centers multiples of them.

    >>> centers, units = scale_of(np.array([[0.25, 1005.0, np.nan], [0.75, 1009.0, np.nan]]))
    >>> centers.tolist(), units.tolist()
    ([0.5, 1008.0, 0.0], [0.25, 2.0, 1.0])
    """
    known = np.isfinite(rows)
    numbers = np.where(known, rows, 0.0).astype(np.float64)
    means = numbers.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    deviations = np.abs(np.where(known, rows - means, 0.0)).max(axis=0, initial=0.0)
    deviations = np.where(deviations > 1e-9 * np.abs(means), deviations, np.maximum(np.abs(means), 1.0))
    units = 2.0 ** np.ceil(np.log2(deviations))
    return np.round(means / units) * units, units


def _unusable(bundle: Bundle, found: str) -> InputError:
    return InputError(
        expected="a linear model: trees and networks multiply encrypted numbers by each other, which costs seconds",
        found=f"{bundle.name_version}, of {found}",
        next_command=f"refrain model run {bundle.manifest['name']} --set learner=linear",
    )
