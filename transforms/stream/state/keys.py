"""Keys of a table as numbers."""

from collections.abc import Mapping

import numpy as np

from feature_repo.windows import WindowedTable
from transforms.stream.state.growing import Growing
from transforms.stream.state.pairs import Pairs
from transforms.stream.state.words import Words


class Keys:
    """Codes of keys: of a single column those of its texts, of several a number for each combination.

    Args:
        table: whose keys.
        words: column → its texts.
    """

    def __init__(self, table: WindowedTable, words: Mapping[str, Words]) -> None:
        self._names = table.keys
        self._words = [words[key] for key in table.keys]
        self._pairs = [Pairs() for _ in table.keys[1:]]
        self._parts = Growing(np.int64, tail=(len(table.keys),))

    def __len__(self) -> int:
        return len(self._pairs[-1] if self._pairs else self._words[0])

    def codes(self, parts: list[np.ndarray]) -> np.ndarray:
        """(n,) of the codes of each column."""
        if not self._pairs:
            return parts[0]
        known, found = len(self), parts[0]
        for pairs, part in zip(self._pairs, parts[1:], strict=True):
            found = pairs.numbers(found, part)
        fresh = found >= known
        if fresh.any():
            self._parts.values(len(self))[found[fresh]] = np.column_stack(parts)[fresh]
        return found

    def texts(self, codes: np.ndarray) -> dict[str, list[str]]:
        """Join key → (n,) texts."""
        parts = self._parts.values(len(self))[codes] if self._pairs else codes[:, None]
        return {
            name: [words.texts[code] for code in column]
            for name, words, column in zip(self._names, self._words, parts.T.tolist(), strict=True)
        }
