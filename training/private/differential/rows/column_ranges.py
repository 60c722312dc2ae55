"""Where columns lie: by declared bounds, else by noisy counts of people in public bins, a release of its own.

A column without bounds has bins that are the same for all data: four to each power of two, on both sides of 0, from
2⁻¹⁰ to 2⁵². A person adds, for each column, the shares of their rows in its bins, a vector of length 1 at most, and
counts as one person besides; of c columns that is √(c + 1). A bin says something if its count stands out of the noise;
the range of a column goes from the bin that the lowest of what stands out fills to a fiftieth, to that of the highest.
A range of several powers of two is read on the scale of logarithms. Everything after the noise costs nothing.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from training.private.differential import noise, zcdp

SMALLEST, LARGEST, PARTS = -10, 52, 4
"""Powers of two that the bins begin and end with, and bins of each."""
BITS = 24
TAIL = 0.02
"""Share of the noisy counts that is left out at both ends."""
STANDS_OUT = 4.5
"""Times the deviation of the noise from which on a bin counts."""
WIDE = 8.0
"""Ratio of the ends from which on a range is read on the scale of logarithms."""
_HALF = (LARGEST - SMALLEST) * PARTS
BINS = 2 * _HALF + 1


@dataclass(frozen=True)
class Scale:
    """How one column becomes a number within -1 and 1.

    Attributes:
        low: least value; smaller ones are cut to it.
        high: largest value.
        unit: unit of the scale of logarithms, sign(x) log(1 + |x| / unit); 0 for a straight scale.
    """

    low: float
    high: float
    unit: float = 0.0

    @property
    def ends(self) -> tuple[float, float]:
        """Least and largest value, in logarithms if the scale is one of these."""
        low, high = self._place(np.array([self.low, self.high])).tolist()
        return low, high

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Scales values; missing ones stay missing, and a range of one value is 0.

        >>> Scale(0.0, 10.0).apply(np.array([0.0, 5.0, 99.0, np.nan])).tolist()
        [-1.0, 0.0, 1.0, nan]
        """
        low, high = self.ends
        cut = self._place(np.clip(np.asarray(values, np.float64), self.low, self.high))
        return np.clip((cut - (low + high) / 2) / ((high - low) / 2 if high > low else 1.0), -1, 1)

    def values(self, places: np.ndarray) -> np.ndarray:
        """Returns the values at places within -1 and 1.

        >>> Scale(0.0, 3.0, unit=1.0).values(np.array([-1.0, 0.0, 1.0])).round(6).tolist()
        [0.0, 1.0, 3.0]
        """
        low, high = self.ends
        cut = (low + high) / 2 + np.asarray(places, np.float64) * (high - low) / 2
        return np.asarray(np.sign(cut) * self.unit * np.expm1(np.abs(cut)) if self.unit else cut)

    def _place(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.sign(values) * np.log1p(np.abs(values) / self.unit) if self.unit else values)


def scaled(inputs: np.ndarray, scales: Sequence[Scale]) -> np.ndarray:
    """(n, d) columns within -1 and 1, NaN where missing."""
    return np.column_stack([scale.apply(inputs[:, place]) for place, scale in enumerate(scales)])


@dataclass(frozen=True)
class Ranges:
    """Published ranges.

    Attributes:
        scales: scale of each column.
        people: noisy number of people.
    """

    scales: tuple[Scale, ...]
    people: float

    def to_json(self) -> str:
        """Serializes the ranges."""
        return json.dumps([asdict(scale) for scale in self.scales])


def publish_ranges(
    inputs: np.ndarray,
    people: np.ndarray,
    columns: Sequence[str],
    bounds: Mapping[str, tuple[float, float]],
    rho: float,
    rng: np.random.Generator | None = None,
) -> Ranges:
    """Publishes the ranges of columns at a cost of ρ, which must have been paid for.

    Args:
        inputs: (n, d) columns; NaN for missing.
        people: (n,) person of each row.
        columns: (d,) names.
        bounds: column → least and largest value, known beforehand.
        rho: the cost.
        rng: a seeded generator, in tests; None for the operating system's randomness.

    >>> ages, people = np.full((900, 1), 30.0), np.arange(900)
    >>> publish_ranges(ages, people, ["age"], {}, 1.0, np.random.default_rng(0)).scales
    (Scale(low=28.0, high=32.0, unit=0.0),)
    """
    unknown = [place for place, name in enumerate(columns) if name not in bounds]
    sums = people_in_bins(inputs[:, unknown], people)
    sigma = zcdp.sigma_of(rho, math.sqrt(len(unknown) + 1) * 2**BITS)
    noisy = np.ldexp((sums + noise.integers(len(sums), sigma, rng)).astype(np.float64), -BITS)
    counts = noisy[1:].reshape(len(unknown), BINS)
    ranges = {place: scale_of(counts[row], sigma / 2**BITS) for row, place in enumerate(unknown)}
    scales = [ranges[place] if place in ranges else Scale(*bounds[name]) for place, name in enumerate(columns)]
    return Ranges(tuple(scales), float(noisy[0]))


def people_in_bins(inputs: np.ndarray, people: np.ndarray) -> np.ndarray:
    """(1 + d · BINS,) int64 in units of 2^-BITS: the number of people, and the people in each bin of each column.

    A person counts in the bins of a column by shares of their rows, cut to whole units, so that nobody adds more.

    Args:
        inputs: (n, d) columns; what is missing, or no number, is in no bin.
        people: (n,) person of each row.
    """
    names, person = np.unique(people, return_inverse=True)
    counts = np.bincount(person, minlength=len(names)).astype(np.float64)
    total = np.zeros((inputs.shape[1], BINS), np.int64)
    for column, values in enumerate(inputs.T):
        is_known = np.isfinite(values)
        cells, rows = np.unique(person[is_known] * BINS + bins_of(values[is_known]), return_counts=True)
        np.add.at(total[column], cells % BINS, np.ldexp(rows / counts[cells // BINS], BITS).astype(np.int64))
    return np.concatenate([[len(names) << BITS], total.ravel()])


def bins_of(values: np.ndarray) -> np.ndarray:
    """(n,) bin of each value: 0 in the middle, larger numbers further up.

    >>> (bins_of(np.array([0.0, 1.0, 1.3, -1.0])) - bins_of(np.array([0.0]))).tolist()
    [0, 41, 42, -41]
    """
    fraction, exponent = np.frexp(np.abs(np.asarray(values, np.float64)))  # |x| = fraction · 2^exponent, from ½
    place = (exponent.astype(np.int64) - 1 - SMALLEST) * PARTS + np.floor((fraction - 0.5) * 2 * PARTS).astype(np.int64)
    place = np.where(np.abs(values) < 2.0**SMALLEST, 0, np.minimum(place, _HALF - 1) + 1)
    return np.asarray(_HALF + np.where(np.asarray(values) < 0, -place, place))


def edges_of(place: int) -> tuple[float, float]:
    """Least and largest value of a bin.

    >>> edges_of(int(bins_of(np.array([30.0]))[0])), edges_of(int(bins_of(np.array([-30.0]))[0]))
    ((28.0, 32.0), (-32.0, -28.0))
    """
    distance = abs(place - _HALF)
    if not distance:
        return 0.0, 0.0
    power, part = divmod(distance - 1, PARTS)
    size = 2.0 ** (power + SMALLEST)
    near, far = size * (1 + part / PARTS), size * (1 + (part + 1) / PARTS)
    return (near, far) if place > _HALF else (-far, -near)


def scale_of(counts: np.ndarray, sigma: float) -> Scale:
    """Returns the range of a column from the noisy counts of its bins; from 0 to 0 if none stands out."""
    kept = np.where(counts > STANDS_OUT * sigma, counts, 0.0)
    if not kept.any():
        return Scale(0.0, 0.0)
    sums = np.cumsum(kept) / kept.sum()
    first, last = int(np.argmax(sums > TAIL)), int(np.argmax(sums >= 1 - TAIL))
    low, high = edges_of(first)[0], edges_of(last)[1]
    ends = [abs(edge) for place in np.flatnonzero(kept) for edge in edges_of(int(place)) if edge]
    smallest = min((end for end in ends if end >= 2.0**SMALLEST), default=0.0)
    is_wide = max(abs(low), abs(high)) >= WIDE * max(min(abs(low), abs(high)), smallest, 2.0**SMALLEST)
    return Scale(low, high, smallest if is_wide else 0.0)
