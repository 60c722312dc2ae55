"""Keys of a table as numbers."""

from collections.abc import Mapping

import numpy as np

from feature_repo.windows import WindowedTable
from transforms.stream.state.growing import Growing
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
        self._known: dict[tuple[int, ...], int] = {}
        self._parts = Growing(np.int64, tail=(len(table.keys),))

    def __len__(self) -> int:
        return len(self._words[0]) if len(self._words) == 1 else len(self._known)

    def codes(self, parts: list[np.ndarray]) -> np.ndarray:
        """(n,) of the codes of each column."""
        if len(parts) == 1:
            return parts[0]
        known = self._known
        wanted = list(zip(*(part.tolist() for part in parts), strict=True))
        found = list(map(known.get, wanted))
        if None in found:
            before = len(known)
            fresh: list[tuple[int, ...]] = []
            for place, code in enumerate(found):
                if code is None:
                    found[place] = known.setdefault(wanted[place], len(known))
                    if found[place] == before + len(fresh):
                        fresh.append(wanted[place])
            self._parts.values(len(known))[before:] = np.array(fresh, np.int64)
        return np.array(found, np.int64)

    def texts(self, codes: np.ndarray) -> dict[str, list[str]]:
        """Join key → (n,) texts."""
        parts = self._parts.values(len(self))[codes] if len(self._words) > 1 else codes[:, None]
        return {
            name: [words.texts[code] for code in column]
            for name, words, column in zip(self._names, self._words, parts.T.tolist(), strict=True)
        }
