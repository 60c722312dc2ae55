"""Texts of one column as numbers, in the order in which they first came, and the order of their letters beside."""

import bisect
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from transforms.batch.windows.distinct import levels
from transforms.stream.state.growing import Growing

_MOST_BYTES = np.iinfo(np.int32).max

_SPACE, _STEP = 1 << 62, 1 << 24
"""Ranks stay below the one, and a new one lies at most the other above the one before: names that are counted up come
in ascending order, and halving what is left each time would soon leave nothing.
"""

RECENT = 2_000
"""Texts of the last run."""


class Words:
    """Codes of texts; a missing text is −1.

    >>> words = Words()
    >>> words.codes(["b", None, "a", "b"]).tolist(), words.ranks[:2].argsort().tolist()
    ([0, -1, 1, 0], [1, 0])
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._codes: dict[str | None, int] = {None: -1}
        self._ranks, self._levels = Growing(np.int64), Growing(np.int64)
        self._runs: list[list[str]] = [[]]  # each sorted; the last one is short, where room is made faster
        self._ranked = 0
        self._levelled = 0
        self._bytes, self._ends = Growing(np.uint8), Growing(np.int32)
        self._arrow: pa.Array = pa.array([], pa.string())

    def __len__(self) -> int:
        return len(self.texts)

    def codes(self, texts: Sequence[str | None]) -> np.ndarray:
        """(n,) of texts, new ones included."""
        found = list(map(self._codes.get, texts))
        if None in found:
            known = self._codes
            for place, code in enumerate(found):
                if code is None:
                    text = texts[place]
                    found[place] = known.setdefault(text, len(self.texts))
                    if found[place] == len(self.texts):
                        self.texts.append(text)  # type: ignore[arg-type]
        return np.array(found, np.int64)

    @property
    def ranks(self) -> np.ndarray:
        """(words,) numbers in the order of the letters, with room for words to come; they may change when one does."""
        fresh = self.texts[self._ranked :]
        ranks = self._ranks.values(len(self.texts))
        self._ranked = len(self.texts)
        if len(fresh) > 64 + len(self.texts) // 64 or not all(self._rank(text, ranks) for text in fresh):
            self._rank_anew(ranks)
        elif len(self._runs[-1]) > RECENT:
            run = self._runs.pop()
            while self._runs and len(self._runs[-1]) <= len(run):  # as in ``by_key``
                run = sorted(self._runs.pop() + run)
            self._runs += [run, []]
        return ranks

    def _rank(self, text: str, ranks: np.ndarray) -> bool:
        """Give a text a rank between those of its neighbours, unless there is no room."""
        low, high = 0, _SPACE
        for known in self._runs:
            place = bisect.bisect(known, text)
            if place:
                low = max(low, int(ranks[self._codes[known[place - 1]]]))
            if place < len(known):
                high = min(high, int(ranks[self._codes[known[place]]]))
        known.insert(place, text)
        ranks[self._codes[text]] = low + min((high - low) // 2, _STEP)
        return high - low > 1

    def _rank_anew(self, ranks: np.ndarray) -> None:
        run = sorted(self.texts)
        self._runs = [run, []]
        order = np.fromiter((self._codes[text] for text in run), np.int64, len(run))
        ranks[order] = np.arange(1, len(order) + 1) * (_SPACE // (len(order) + 1))

    @property
    def arrow(self) -> pa.Array:
        """(words,) the texts; less than 2 GiB in all."""
        known, words = len(self._arrow), len(self.texts)
        if known == words:
            return self._arrow
        fresh = [text.encode() for text in self.texts[known:]]
        begin = int(self._ends.values(known + 1)[known])
        ends = begin + np.cumsum([len(one) for one in fresh])
        if ends[-1] > _MOST_BYTES:
            raise OverflowError(f"{ends[-1]:,} bytes of texts in one column of the stream, {_MOST_BYTES:,} at the most")
        self._ends.values(words + 1)[known + 1 :] = ends
        self._bytes.values(int(ends[-1]))[begin:] = np.frombuffer(b"".join(fresh), np.uint8)
        # what is there never changes, so that arrays of before stay as they are
        buffers = [self._ends.values(words + 1), self._bytes.values(int(ends[-1]))]
        self._arrow = pa.Array.from_buffers(pa.string(), words, [None, *map(pa.py_buffer, buffers)])
        return self._arrow

    @property
    def levels(self) -> np.ndarray:
        """(words,) zeros at the end of each one's hash, see ``transforms.batch.windows.distinct``."""
        out = self._levels.values(len(self.texts))
        if self._levelled < len(self.texts):
            out[self._levelled :] = levels(self.texts[self._levelled :])
            self._levelled = len(self.texts)
        return out
