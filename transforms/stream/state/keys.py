"""Keys of a table as numbers."""

from collections.abc import Mapping

import numpy as np

from feature_repo.windows import WindowedTable
from transforms.stream.state.growing import Growing
from transforms.stream.state.pairs import Pairs
from transforms.stream.state.words import Words


class Keys:
    """Codes of keys: the code of the value for a key of one column, the number of the combination for several columns.

    Args:
        table: the table that has the keys.
        words: column → its coded values.
    """

    def __init__(self, table: WindowedTable, words: Mapping[str, Words]) -> None:
        self._names = table.keys
        self._words = [words[key] for key in table.keys]
        self._pairs = [Pairs() for _ in table.keys[1:]]
        self._parts = Growing(np.int64, tail=(len(table.keys),))

    def __len__(self) -> int:
        return len(self._pairs[-1] if self._pairs else self._words[0])

    def codes(self, parts: list[np.ndarray]) -> np.ndarray:
        """(n,) codes of keys, from the (n,) codes of the values of each column; new keys get new codes."""
        if not self._pairs:
            return parts[0]
        count_before, codes = len(self), parts[0]
        for pairs, part in zip(self._pairs, parts[1:], strict=True):
            codes = pairs.numbers(codes, part)
        is_new = codes >= count_before
        if is_new.any():
            self._parts.values(len(self))[codes[is_new]] = np.column_stack(parts)[is_new]
        return codes

    def values(self, codes: np.ndarray) -> dict[str, list[str | int]]:
        """Join key → (n,) values of the coded keys."""
        parts = self._parts.values(len(self))[codes] if self._pairs else codes[:, None]
        return {
            name: [words.texts[code] for code in column]
            for name, words, column in zip(self._names, self._words, parts.T.tolist(), strict=True)
        }
