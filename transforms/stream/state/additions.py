"""What is added to a live table at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from transforms.stream.state.grouped import Grouped


@dataclass
class Texts:
    """Texts of one column that came: one row an event, or a tile.

    Attributes:
        key: (n,) whose.
        value: (n,) codes, none missing.
        at: (n,) a moment of the hop.
        first: (n,) when first, microseconds.
        last: (n,) when last.
        n: (n,) how often; None for once each.
        pair: (n,) numbers of keys and texts, see ``Values.pairs``; None if nobody knows them yet.
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
        """Which of them belong together."""
        return Grouped.by(self.key)

    def keep(self, some: np.ndarray | None) -> "Texts":
        """Those at some places; all if None."""
        if some is None:
            return self
        columns = (self.key, self.value, self.at, self.first, self.last, self.n, self.pair)
        return Texts(*(None if column is None else column[some] for column in columns))  # type: ignore[arg-type]


@dataclass
class Additions:
    """What came: one row an event, or a tile of the batch run.

    Attributes:
        key: (n,) codes.
        at: (n,) a moment of the hop that it counts in.
        last: (n,) time of the newest event, microseconds.
        created: (n,) when it was known; 0 for at once.
        sums: (n, parts) in the order of ``LiveTable.parts``.
        masses: fading sum → (n,) as of ``last``.
        texts: column → its texts.
        sequence: column → its texts as single events.
        due: whether rows are due to it.
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
        """Which of them belong together."""
        return Grouped.by(self.key)
