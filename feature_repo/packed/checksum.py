"""Checksums of packed values: multilinear hashing of 32-bit words, vectorized over all values of a lookup.

For words s₁ … sₙ it is ⌊(m₀·n + m₁·s₁ + … + mₙ·sₙ mod 2⁶⁴) / 2³²⌋, after Lemire and Kaser, "Strongly universal string
hashing is fast" (2014), with the multipliers mᵢ = splitmix64(i). Damage is missed with a probability of 2⁻³².
"""

import struct
from collections.abc import Sequence
from operator import mul

import numpy as np

WORD = 4
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_multipliers = np.empty(0, np.uint64)


def multipliers(count: int) -> np.ndarray:
    """Returns the first ``count`` multipliers (cached).

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
    """Computes (rows,) checksums of rows of equal length, given as (rows, n) 32-bit words."""
    count = words.shape[1]
    first = np.uint64(int(multipliers(1)[0]) * count & _MASK)
    return _high_words((words * multipliers(count + 1)[1:]).sum(axis=1, dtype=np.uint64) + first)


def are_sound(raw: bytes, rows: int) -> bool:
    """Whether concatenated rows of equal length all end in their correct checksum."""
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
    """Computes (pieces,) checksums of concatenated pieces.

    Args:
        words: all words of all pieces.
        lengths: (pieces,) words of each piece, at least 2. The last word holds the checksum and is not hashed.
    """
    if not len(lengths):
        return np.empty(0, np.uint32)
    factors = multipliers(int(lengths.max()) + 1)
    word_factors = np.concatenate([factors[1:end] for end in (lengths + 1).tolist()])
    stops = np.cumsum(lengths)
    word_factors[stops - 1] = 0
    sums = np.add.reduceat(words * word_factors, stops - lengths)
    return _high_words(sums + factors[0] * (lengths - 1).astype(np.uint64))


def first_damaged(values: Sequence[bytes]) -> int | None:
    """Returns the index of the first value with a wrong checksum; None if all are correct."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    is_malformed = (lengths % WORD != 0) | (lengths < 2 * WORD)
    if is_malformed.any():
        return int(is_malformed.argmax())
    words = np.frombuffer(b"".join(values), "<u4")
    counts = lengths // WORD
    checksum_positions = np.cumsum(counts) - 1
    if (counts == counts[0]).all():
        rows = words.reshape(len(values), counts[0])
        is_wrong = of_rows(rows[:, :-1]) != rows[:, -1]
    else:
        is_wrong = of_pieces(words, counts) != words[checksum_positions]
    return int(is_wrong.argmax()) if is_wrong.any() else None


_FEW_WORDS = 80
"""Maximum number of words for which Python integers are faster than numpy."""
_MASK = (1 << 64) - 1
_FIRST, *_FACTORS = multipliers(_FEW_WORDS + 1).tolist()


def _high_words(sums: np.ndarray) -> np.ndarray:
    return (sums >> np.uint64(32)).astype(np.uint32)
