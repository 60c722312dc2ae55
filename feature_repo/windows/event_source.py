"""The declaration of a kind of events."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from feature_repo.windows.units import LARGEST, Days, Units

TYPES = ("String", "Int64", "Float64", "Bool", "Date")
"""Types that the column of an event may have: Feast's, and days, which Feast has as texts."""


@dataclass(frozen=True)
class EventSource:
    """One kind of event. Its raw table (``transforms.raw``) has the same columns, and further validation rules.

    Attributes:
        name: name of the raw table, and ``kind`` of the event in the stream.
        columns: column name → type (one of ``TYPES``), without the time columns. A ``Date`` is a text such as
            "2026-03-01" wherever it is stored, sent or returned.
        key: columns that identify an event together with ``event_timestamp``; reports with equal keys are versions.
        shared: columns whose value is the tenant's name in every event.
        ranges: number column → minimum and maximum valid value.
        resolution: Float64 column → the size of its units, such as 0.01 for prices in cents. Aggregates that compute
            with the values (``Sum``, ``Mean``, …) count whole units, so that they are exact.
        personal: columns with data about a person, beside the join keys of people.
        sensitive: columns with data whose use needs a reason, such as a gender or a free text.
        retention: how long events are kept, such as ``"365d"``; empty for as long as the folder is. These three count
            where the project has no raw table of this name, which has its own.
        purposes: what the events may be used for (``feature_repo.purposes``); None for anything.

    Raises:
        InputError: a column has another type, or a resolution that is no positive number of a Float64 column, or a mark
            names a column that is not there.

    >>> orders = EventSource("orders", columns={"price": "Float64"}, resolution={"price": 0.01})
    >>> orders.units("price"), orders.integers("price"), orders.dtype("color")
    (Units(resolution=0.01), 'price.units', None)
    >>> orders.limits("price")
    (-11258999068426.24, 11258999068426.24)
    """

    name: str
    columns: Mapping[str, str] = field(hash=False)
    key: tuple[str, ...] = ()
    shared: tuple[str, ...] = ("platform_id",)
    ranges: Mapping[str, tuple[Any, Any]] = field(default_factory=dict, hash=False)
    resolution: Mapping[str, float] = field(default_factory=dict, hash=False)
    personal: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    retention: str = ""
    purposes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in (*self.personal, *self.sensitive):
            if name not in self.columns:
                found = f"the mark of {name!r}, which is not there"
                raise self._declaration_error(found, f"marks of columns among {', '.join(self.columns)}")
        for name, dtype in self.columns.items():
            if dtype not in TYPES:
                raise self._declaration_error(f"{name!r}: {dtype!r}", f"columns of type {', '.join(TYPES)}")
            if dtype == "Float64" and name in self.key:
                raise self._declaration_error(f"the key {name!r} of type Float64", "a key of texts or whole numbers")
        for name, resolution in self.resolution.items():
            if self.columns.get(name) != "Float64":
                found = f"a resolution of {name!r} ({self.columns.get(name) or 'which is not there'})"
                raise self._declaration_error(found, "resolutions of Float64 columns")
            if not 0 < resolution < math.inf:
                raise self._declaration_error(f"the resolution {resolution!r} of {name!r}", "resolutions above 0")

    def dtype(self, name: str) -> str | None:
        """Returns the declared type of a column; None if there is no such column."""
        return "String" if name in self.shared else self.columns.get(name)

    def feast_type(self, name: str) -> str | None:
        """Returns the Feast type of a column; None if there is no such column.

        >>> EventSource("orders", columns={"due": "Date"}).feast_type("due")
        'String'
        """
        dtype = self.dtype(name)
        return "String" if dtype == "Date" else dtype

    def holds_texts(self, name: str) -> bool:
        """Returns whether the values of a column are texts, as those of a Date are.

        >>> EventSource("orders", columns={"due": "Date"}).holds_texts("due")
        True
        """
        return self.feast_type(name) == "String"

    def is_wide(self, name: str) -> bool:
        """Returns whether an Int64 column may hold values so large that few of them exceed 64 bits when summed.

        >>> EventSource("orders", columns={"pieces": "Int64"}, ranges={"pieces": (0, 99)}).is_wide("pieces")
        False
        """
        low, high = self.ranges.get(name, (-LARGEST - 1, LARGEST + 1))
        return self.dtype(name) == "Int64" and (low < -LARGEST or high > LARGEST)

    @property
    def dates(self) -> tuple[str, ...]:
        """Names of the columns of type Date."""
        return tuple(name for name, dtype in self.columns.items() if dtype == "Date")

    def units(self, name: str) -> Units | None:
        """Returns how the values of a Float64 column become integers; None for a column of another type."""
        return Units(self.resolution.get(name)) if self.dtype(name) == "Float64" else None

    def limits(self, name: str) -> tuple[float, float] | None:
        """Returns the smallest and largest valid value of a number column; None if every integer is valid.

        Floats must be finite, and not too large for their units.
        """
        units, limits = self.units(name), self.ranges.get(name)
        if units is None:
            return limits
        low, high = limits or (-units.largest, units.largest)
        return max(float(low), -units.largest), min(float(high), units.largest)

    def integers(self, name: str) -> str:
        """Returns the name of the integers that aggregates read: units of floats, days since 1970, or the column."""
        return f"{name}.units" if self.dtype(name) in ("Float64", "Date") else name

    def decode(self, name: str, integers: np.ndarray) -> np.ndarray:
        """(n,) values of a column from integers: floats from units, texts from days, booleans from 0 and 1.

        >>> EventSource("orders", columns={"due": "Date"}).decode("due", np.array([20_513])).tolist()
        ['2026-03-01']
        """
        dtype, units = self.dtype(name), self.units(name)
        if dtype == "Date":
            return Days.decode(integers)
        if dtype == "Bool":
            return integers != 0
        return integers if units is None else units.decode(integers)

    def _declaration_error(self, found: str, expected: str) -> InputError:
        return InputError(
            expected=f"{expected} in the EventSource {self.name}",
            found=found,
            next_command=f"correct the declaration of {self.name}, then: refrain apply",
        )
