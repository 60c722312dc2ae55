"""Key values that are numbered once, such as the tracks of a catalogue: a lookup then takes numbers, not texts."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from feature_repo.keys import key_parts


class KnownKeys:
    """The distinct values of one join key, numbered from 0. They never change.

    >>> tracks = KnownKeys(["t000001", "t000002", "t000003"])
    >>> list(tracks.at(np.array([2, -1, 0])))
    ['t000003', None, 't000001']
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values
        self._parts: dict[tuple[str, str], list[bytes]] = {}

    def at(self, numbers: np.ndarray) -> "NumberedKeys":
        """Return the keys (n,) with these numbers; -1 is a missing key."""
        return NumberedKeys(self, numbers)

    def parts(self, dtype: str, key: str) -> list[bytes]:
        """Return the values as bytes (``feature_repo.keys.key_parts``), converted on the first call.

        Raises:
            InputError: a value does not fit the type.
        """
        if (dtype, key) not in self._parts:
            self._parts[dtype, key] = key_parts(self.values, dtype, key)  # type: ignore[assignment]
        return self._parts[dtype, key]


class NumberedKeys(Sequence[Any]):
    """Keys of the rows of a lookup, as numbers of known keys.

    Attributes:
        known: the known keys.
        numbers: (n,) numbers among them; -1 for a missing key.
    """

    def __init__(self, known: KnownKeys, numbers: np.ndarray) -> None:
        self.known, self.numbers = known, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> "NumberedKeys": ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return self.known.at(self.numbers[place])
        number = int(self.numbers[place])
        return None if number < 0 else self.known.values[number]
