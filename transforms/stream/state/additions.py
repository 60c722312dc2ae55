"""Additions to a live table: events, or tiles of the batch run, as columns of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from transforms.stream.state.grouped import Grouped


@dataclass
class Texts:
    """Values of one column to add, texts or integers: one row for each event or tile.

    Attributes:
        key: (n,) codes of the keys.
        value: (n,) codes of coded values, or the integers; none missing.
        at: (n,) a moment within the hop that the row counts in, microseconds.
        first: (n,) time of the text's first event, microseconds.
        last: (n,) time of the text's last event, microseconds.
        n: (n,) numbers of events; None if every row is one event.
        pair: (n,) numbers of the pairs of key and text, see ``Values.pairs``; None if not looked up yet.
    """

    key: np.ndarray
    value: np.ndarray
    at: np.ndarray
    first: np.ndarray
    last: np.ndarray
    n: np.ndarray | None = None
    pair: np.ndarray | None = None

    @cached_property
    def by_key(self) -> Grouped:
        """The rows grouped by key."""
        return Grouped.by(self.key)

    def keep(self, selection: np.ndarray | None) -> "Texts":
        """Selects rows by a mask or by row numbers; None selects all."""
        if selection is None:
            return self
        columns = (self.key, self.value, self.at, self.first, self.last, self.n, self.pair)
        return Texts(*(None if column is None else column[selection] for column in columns))  # type: ignore[arg-type]


@dataclass
class Additions:
    """Additions to a live table: one row for each event, or for each tile of the batch run.

    Attributes:
        key: (n,) codes of the keys.
        at: (n,) a moment within the hop that the row counts in, microseconds.
        last: (n,) time of the newest event, microseconds.
        created: (n,) created time, microseconds; 0 if it is the event time.
        sums: (n, parts) numbers to add, in the order of ``LiveTable.parts``.
        masses: name of the decayed sum → (n,) its value as of ``last``.
        texts: column → its values.
        sequence: column → its values as single events.
        due: whether the additions make rows due.
    """

    key: np.ndarray
    at: np.ndarray
    last: np.ndarray
    created: np.ndarray
    sums: np.ndarray
    masses: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, Texts] = field(default_factory=dict)
    sequence: Mapping[str, Texts] = field(default_factory=dict)
    due: bool = True

    @cached_property
    def by_key(self) -> Grouped:
        """The rows grouped by key."""
        return Grouped.by(self.key)
