"""One release of a model of chances: ranges of columns, then noisy sums or noisy gradients, as an ONNX model.

- ``linear``: logistic regression of second order from noisy sums (``training.private.differential.linear``).
- ``network``: gradient descent whose every step is of all people, each with one clipped gradient, with Gaussian noise
  (``training.private.differential.sgd`` at a rate of 1). Steps of a sample would need less noise by themselves, but
  what they cost does not add up with other releases in the ledger; steps of everybody cost steps / (2σ²), as sums do.

A person with all rows is the unit of both, and of the ranges. What comes after the noise is computed of it alone.
"""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Literal, cast

import numpy as np

from feature_repo.errors import InputError
from feature_repo.extras import install_command
from training.estimators.linear_onnx import weighted_sum
from training.private.differential import linear, zcdp
from training.private.differential.rows.column_ranges import Ranges, Scale, publish_ranges, scaled
from training.private.differential.rows.scale_onnx import with_scales
from training.private.differential.statement import PrivacyStatement
from transforms.pure import npz

LearnerName = Literal["linear", "network"]
LEARNERS: tuple[LearnerName, ...] = ("linear", "network")
RANGES_SHARE = 0.15
"""Share of the cost for the ranges of columns; the rest is for the model."""
STEPS = 60
"""Steps of a network."""
MOST_PEOPLE = 100_000
"""People that a network learns from, about; of more it takes those whose id's hash is small."""


@dataclass(frozen=True)
class RowsRelease:
    """What people's rows were published as.

    Attributes:
        onnx: model with an input (n, d) of columns as they are, and chances (n, 1).
        scales: range of each column.

    >>> RowsRelease.from_bytes(RowsRelease(b"model", (Scale(0.0, 1.0),)).to_bytes()).scales[0].high
    1.0
    """

    onnx: bytes
    scales: tuple[Scale, ...]

    def to_bytes(self) -> bytes:
        """Serializes the release."""
        ranges = Ranges(self.scales, 0.0).to_json().encode()
        return npz.pack({"onnx": np.frombuffer(self.onnx, np.uint8), "scales": np.frombuffer(ranges, np.uint8)})

    @classmethod
    def from_bytes(cls, content: bytes) -> "RowsRelease":
        """Deserializes the bytes of ``to_bytes``.

        Raises:
            ValueError, KeyError, EOFError, BadZipFile: the content is damaged.
        """
        arrays = npz.unpack(content)
        scales = json.loads(arrays["scales"].tobytes().decode())
        return cls(arrays["onnx"].tobytes(), tuple(Scale(**one) for one in scales))


@dataclass(frozen=True)
class PrivateRows:
    """Settings of a private model of chances.

    Attributes:
        epsilon: ε of a person.
        delta: δ, below one by the number of people.
        learner: ``linear`` or ``network``.

    Raises:
        InputError: ε or δ is no number that privacy can be had with, there is no such learner, or its extra is not
            installed.

    >>> PrivateRows(4.0).statement().text().split(":")[0]
    'ε = 4, δ = 1e-06 a person'
    """

    epsilon: float
    delta: float = 1e-6
    learner: LearnerName = "linear"

    def __post_init__(self) -> None:
        self.statement()
        if self.learner not in LEARNERS:
            raise InputError(
                expected=f"a learner of private models, {' or '.join(LEARNERS)}",
                found=repr(self.learner),
                next_command="refrain model private NAME --epsilon 4 --learner linear",
            )
        missing = [name for name in ("torch", "opacus") if self.learner == "network" and find_spec(name) is None]
        if missing:
            raise InputError(
                expected="the extra deep, which the learner network needs",
                found=f"no package {missing[0]}",
                next_command=install_command("deep"),
            )

    @property
    def rho(self) -> float:
        """The cost of a release."""
        return zcdp.rho(self.epsilon, self.delta)

    @property
    def sigma(self) -> float:
        """σ of the noise of the model, for people whose shares have length 1."""
        rho = self.rho * (1 - RANGES_SHARE)
        return math.sqrt(STEPS / (2 * rho)) if self.learner == "network" else zcdp.sigma_of(rho, math.sqrt(2))

    def statement(self, people: int | None = None, purpose: str = "", what: str = "") -> PrivacyStatement:
        """What a release guarantees.

        Args:
            people: public number of people that δ is compared with; None if none is known.
            purpose: purpose whose budget is spent.
            what: what is published.
        """
        noise = f"Gaussian in {STEPS} steps of everybody, " if self.learner == "network" else "discrete Gaussian, "
        noise += f"sigma {self.sigma:.3g} a person of length 1"
        return PrivacyStatement(
            self.epsilon, self.delta, rho=self.rho, mechanism=noise, people=people, purpose=purpose, what=what
        )

    def release(
        self,
        inputs: np.ndarray,
        labels: np.ndarray,
        people: np.ndarray,
        columns: Sequence[str],
        bounds: Mapping[str, tuple[float, float]],
        rng: np.random.Generator | None = None,
    ) -> RowsRelease:
        """Publishes a model at the cost of ``rho``, which must have been paid for.

        Args:
            inputs: (n, d) columns; NaN for missing.
            labels: (n,) above 0 for yes.
            people: (n,) person of each row.
            columns: (d,) names of the columns.
            bounds: column → least and largest value, known beforehand.
            rng: a seeded generator, in tests; None for the operating system's randomness.
        """
        ranges_rho = self.rho * RANGES_SHARE
        ranges = publish_ranges(inputs, people, columns, bounds, ranges_rho, rng)
        rows, answers = scaled(inputs, ranges.scales), (np.asarray(labels) > 0).astype(np.float64)
        fit = self._network if self.learner == "network" else self._linear
        return RowsRelease(with_scales(ranges.scales, fit(rows, answers, people, ranges, rng)), ranges.scales)

    def _linear(
        self, rows: np.ndarray, labels: np.ndarray, people: np.ndarray, ranges: Ranges, rng: np.random.Generator | None
    ) -> bytes:
        """Fits by sums; returns the model of scaled columns."""
        width = rows.shape[1]
        rho = self.rho * (1 - RANGES_SHARE)
        fitted = linear.fit(rows, labels, people, (np.full(width, -1.0), np.full(width, 1.0)), rho, rng)
        weights = fitted.weights / math.sqrt(width + 1)
        return weighted_sum(np.zeros(width), weights[:-1], np.zeros(width), float(weights[-1]), True)

    def _network(
        self, rows: np.ndarray, labels: np.ndarray, people: np.ndarray, ranges: Ranges, rng: np.random.Generator | None
    ) -> bytes:
        """Fits by steps of everybody; returns the model of scaled columns."""
        from training.private.differential.sgd import PrivateNetwork

        number = max(round(ranges.people), 1)
        if number > MOST_PEOPLE:
            names, person = np.unique(people, return_inverse=True)
            limit = 2**32 * MOST_PEOPLE / number
            is_taken = np.array([zlib.crc32(str(name).encode()) < limit for name in names.tolist()])[person]
            rows, labels, people, number = rows[is_taken], labels[is_taken], people[is_taken], MOST_PEOPLE
        settings = replace(
            PrivateNetwork(self.epsilon, self.delta), steps=STEPS, people_a_step=number, sigma=self.sigma
        )
        ends = np.full(rows.shape[1], 1.0)
        seed = None if rng is None else int(rng.integers(2**62))
        fitted, _ = settings.fit(rows, labels, people, "binary", (-ends, ends), number, seed)
        return cast(bytes, fitted.to_onnx())
