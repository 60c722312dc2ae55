"""Codes of the texts or integers of one column, in the order of first appearance, with ranks in their own order."""

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.batch.windows.distinct import levels
from transforms.stream.state.growing import Growing

_MOST_BYTES = np.iinfo(np.int32).max

_SPACE, _STEP = 1 << 62, 1 << 24
"""Ranks are below the first; a new rank is at most the second above its lower neighbour. Numbered names arrive in
ascending order, and halving the remaining space for each would soon use it up.
"""

RECENT = 2_000
"""Most texts of the last run."""


class Words:
    """Codes of texts, or of integers; a missing one is −1.

    >>> words = Words()
    >>> words.codes(["b", None, "a", "b"]).tolist(), words.ranks[:2].argsort().tolist()
    ([0, -1, 1, 0], [1, 0])
    """

    def __init__(self) -> None:
        self.texts: list[Any] = []
        self._codes: dict[Any, int] = {None: -1}
        self._ranks, self._levels = Growing(np.int64), Growing(np.int64)
        self._numbers, self._numbered = Growing(np.int64), 0
        self._runs: list[list[Any]] = [[]]  # each sorted; the last one is short, so that insertions are fast
        self._ranked = 0
        self._levelled = 0
        self._bytes, self._ends = Growing(np.uint8), Growing(np.int32)
        self._arrow: pa.Array = pa.array([], pa.string())

    def __len__(self) -> int:
        return len(self.texts)

    def codes(self, texts: Sequence[str | int | None]) -> np.ndarray:
        """(n,) codes of texts or integers; new ones get new codes."""
        codes = list(map(self._codes.get, texts))
        if None in codes:
            code_by_text = self._codes
            for place, code in enumerate(codes):
                if code is None:
                    text = texts[place]
                    codes[place] = code_by_text.setdefault(text, len(self.texts))
                    if codes[place] == len(self.texts):
                        self.texts.append(text)
        return np.array(codes, np.int64)

    @property
    def ranks(self) -> np.ndarray:
        """(words,) numbers in the order of the texts or integers, with gaps for new ones, which may change them."""
        new_texts = self.texts[self._ranked :]
        ranks = self._ranks.values(len(self.texts))
        self._ranked = len(self.texts)
        if len(new_texts) > 64 + len(self.texts) // 64 or not all(self._rank(text, ranks) for text in new_texts):
            self._rank_all(ranks)
        elif len(self._runs[-1]) > RECENT:
            run = self._runs.pop()
            while self._runs and len(self._runs[-1]) <= len(run):  # as in ``by_key``
                run = sorted(self._runs.pop() + run)
            self._runs += [run, []]
        return ranks

    def _rank(self, text: Any, ranks: np.ndarray) -> bool:
        """Gives a text a rank between those of its neighbours; false if there is no gap."""
        low, high = 0, _SPACE
        for run in self._runs:
            place = bisect.bisect(run, text)
            if place:
                low = max(low, int(ranks[self._codes[run[place - 1]]]))
            if place < len(run):
                high = min(high, int(ranks[self._codes[run[place]]]))
        run.insert(place, text)
        ranks[self._codes[text]] = low + min((high - low) // 2, _STEP)
        return high - low > 1

    def _rank_all(self, ranks: np.ndarray) -> None:
        run = sorted(self.texts)
        self._runs = [run, []]
        order = np.fromiter((self._codes[text] for text in run), np.int64, len(run))
        ranks[order] = np.arange(1, len(order) + 1) * (_SPACE // (len(order) + 1))

    @property
    def numbers(self) -> np.ndarray:
        """(words,) the integers."""
        numbers = self._numbers.values(len(self.texts))
        numbers[self._numbered :] = self.texts[self._numbered :]
        self._numbered = len(self.texts)
        return numbers

    @property
    def arrow(self) -> pa.Array:
        """(count,) the texts as an Arrow array; less than 2 GiB in total."""
        count_before, count = len(self._arrow), len(self.texts)
        if count_before == count:
            return self._arrow
        new_bytes = [text.encode() for text in self.texts[count_before:]]
        begin = int(self._ends.values(count_before + 1)[count_before])
        ends = begin + np.cumsum([len(encoded_text) for encoded_text in new_bytes])
        if ends[-1] > _MOST_BYTES:
            raise OverflowError(f"{ends[-1]:,} bytes of texts in one column of the stream, {_MOST_BYTES:,} at the most")
        self._ends.values(count + 1)[count_before + 1 :] = ends
        self._bytes.values(int(ends[-1]))[begin:] = np.frombuffer(b"".join(new_bytes), np.uint8)
        # bytes in the buffers never change, so that arrays returned earlier stay valid
        buffers = [self._ends.values(count + 1), self._bytes.values(int(ends[-1]))]
        self._arrow = pa.Array.from_buffers(pa.string(), count, [None, *map(pa.py_buffer, buffers)])
        return self._arrow

    @property
    def levels(self) -> np.ndarray:
        """(words,) number of trailing zeros of each text's hash, see ``transforms.batch.windows.distinct``."""
        out = self._levels.values(len(self.texts))
        if self._levelled < len(self.texts):
            out[self._levelled :] = levels(self.texts[self._levelled :])
            self._levelled = len(self.texts)
        return out
