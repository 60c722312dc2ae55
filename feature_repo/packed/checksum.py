"""The checksum of packed values: multilinear hashing of 32-bit words, for all values of a lookup in one pass of numpy.

For words s₁ … sₙ it is ⌊(m₀·n + m₁·s₁ + … + mₙ·sₙ mod 2⁶⁴) / 2³²⌋, after Lemire and Kaser, "Strongly universal string
hashing is fast" (2014), with the multipliers mᵢ = splitmix64(i). Damage goes unseen once in four billion times.
"""

import struct
from collections.abc import Sequence
from operator import mul

import numpy as np

WORD = 4
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_multipliers = np.empty(0, np.uint64)


def multipliers(count: int) -> np.ndarray:
    """The first ``count`` of them.

    >>> hex(int(multipliers(1)[0]))
    '0xe220a8397b1dcdaf'
    """
    global _multipliers  # noqa: PLW0603
    if len(_multipliers) < count:
        z = (np.arange(max(count, 1024), dtype=np.uint64) + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        _multipliers = z ^ (z >> np.uint64(31))
    return _multipliers[:count]


def of_rows(words: np.ndarray) -> np.ndarray:
    """(rows,) checksums of rows of equal length: (rows, n) 32-bit words."""
    count = words.shape[1]
    first = np.uint64(int(multipliers(1)[0]) * count & _MASK)
    return _high((words * multipliers(count + 1)[1:]).sum(axis=1, dtype=np.uint64) + first)


def are_sound(raw: bytes, rows: int) -> bool:
    """Whether rows of equal length, one after the other, each end in their own checksum."""
    count = len(raw) // rows // WORD
    if count * rows <= _FEW_WORDS:
        words = struct.unpack(f"<{count * rows}I", raw)
        for start in range(0, count * rows, count):
            *body, last = words[start : start + count]
            total = sum(map(mul, body, _FACTORS), _FIRST * (count - 1))
            if (total & _MASK) >> 32 != last:
                return False
        return True
    words_of = np.frombuffer(raw, "<u4").reshape(rows, count)
    return not (of_rows(words_of[:, :-1]) != words_of[:, -1]).any()


def of_pieces(words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(pieces,) checksums of pieces that lie one after the other, each of so many words.

    The last word of each, where its checksum stands or will stand, does not count; there is one more at the least.
    """
    if not len(lengths):
        return np.empty(0, np.uint32)
    factors = multipliers(int(lengths.max()) + 1)
    of_words = np.concatenate([factors[1:after] for after in (lengths + 1).tolist()])
    stops = np.cumsum(lengths)
    of_words[stops - 1] = 0
    sums = np.add.reduceat(words * of_words, stops - lengths)
    return _high(sums + factors[0] * (lengths - 1).astype(np.uint64))


def first_damaged(values: Sequence[bytes]) -> int | None:
    """Place of the first value that does not end in its own checksum; None if all are sound."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    odd = (lengths % WORD != 0) | (lengths < 2 * WORD)
    if odd.any():
        return int(odd.argmax())
    words = np.frombuffer(b"".join(values), "<u4")
    counts = lengths // WORD
    last = np.cumsum(counts) - 1
    if (counts == counts[0]).all():
        rows = words.reshape(len(values), counts[0])
        wrong = of_rows(rows[:, :-1]) != rows[:, -1]
    else:
        wrong = of_pieces(words, counts) != words[last]
    return int(wrong.argmax()) if wrong.any() else None


_FEW_WORDS = 80
"""Up to so many words Python's own integers are faster than numpy."""
_MASK = (1 << 64) - 1
_FIRST, *_FACTORS = multipliers(_FEW_WORDS + 1).tolist()


def _high(sums: np.ndarray) -> np.ndarray:
    return (sums >> np.uint64(32)).astype(np.uint32)
