"""A fingerprint as Chromaprint's text, which AcoustID, fpcalc and FFmpeg read and write.

Each number is combined with the one before by exclusive or, so that few bits are set. Of these, the distances are
written: 3 bits each, with 0 as the end of a number; from 7 on, what exceeds 7 follows in 5 bits after all of them.
Bytes are filled from the lowest bit on. Before them stand the algorithm and the number of items; all of it is base64
for URLs, without padding.
"""

import base64
import binascii

import numpy as np

from feature_repo.errors import InputError

_ALGORITHM = 1
"""Chromaprint's number of its algorithm 2."""
_LARGEST = 7
"""Largest distance in 3 bits."""


def to_text(fingerprint: np.ndarray) -> str:
    """Return the text of a fingerprint; empty for an empty one.

    Args:
        fingerprint: (n,) uint32 from ``fingerprint.Fingerprinter``.

    >>> to_text(np.array([1, 3], np.uint32))
    'AQAAAoEA'
    """
    if not len(fingerprint):
        return ""
    values = fingerprint.astype(np.uint32)
    changes = values ^ np.concatenate([[np.uint32(0)], values[:-1]])
    item, bit = np.nonzero((changes[:, None] >> np.arange(32, dtype=np.uint32)) & np.uint32(1))
    is_first = np.r_[True, item[1:] != item[:-1]][: len(item)]
    distance = np.where(is_first, bit + 1, np.diff(bit, prepend=0))
    ends = np.arange(len(values))
    order = np.argsort(np.concatenate([item, ends]), kind="stable")  # the end of an item comes after its distances
    threes = np.concatenate([np.minimum(distance, _LARGEST), np.zeros(len(ends), np.int64)])[order]
    fives = distance[distance >= _LARGEST] - _LARGEST
    head = bytes([_ALGORITHM]) + len(values).to_bytes(3, "big")
    content = head + _packed(threes, 3) + _packed(fives, 5)
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def from_text(text: str) -> np.ndarray:
    """Return the (n,) uint32 fingerprint of a text.

    Raises:
        InputError: it is no fingerprint, or one of another algorithm.

    >>> from_text("AQAAAoEA")
    array([1, 3], dtype=uint32)
    """
    if not text:
        return np.empty(0, np.uint32)
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_fingerprint(text) from error
    count = int.from_bytes(content[1:4], "big")
    bits = np.unpackbits(np.frombuffer(content[4:], np.uint8), bitorder="little")
    threes = _unpacked(bits, 3)
    ends = np.flatnonzero(threes == 0)[:count]
    if content[:1] != bytes([_ALGORITHM]) or not count or len(ends) < count:
        raise _no_fingerprint(text)
    threes = threes[: ends[-1] + 1]
    is_large = threes == _LARGEST
    fives = _unpacked(bits[-(-3 * len(threes) // 8) * 8 :], 5)[: is_large.sum()]
    if len(fives) < is_large.sum():
        raise _no_fingerprint(text)
    distance = threes.astype(np.int64)
    distance[is_large] += fives
    item = np.cumsum(threes == 0) - (threes == 0)
    total = np.cumsum(distance)
    before = np.concatenate([[0], total[ends[:-1]]])
    bit = total - before[item] - 1
    is_bit = threes > 0
    if (bit[is_bit] > 31).any():
        raise _no_fingerprint(text)
    changes = np.zeros(count, np.uint32)
    np.bitwise_or.at(changes, item[is_bit], np.uint32(1) << bit[is_bit].astype(np.uint32))
    return np.bitwise_xor.accumulate(changes)


def _packed(values: np.ndarray, width: int) -> bytes:
    bits = (values[:, None] >> np.arange(width)) & 1
    return np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()


def _unpacked(bits: np.ndarray, width: int) -> np.ndarray:
    whole = bits[: len(bits) // width * width].reshape(-1, width)
    return np.asarray(whole @ (1 << np.arange(width)))


def _no_fingerprint(text: str) -> InputError:
    return InputError(
        expected="a fingerprint of Chromaprint's algorithm 2, as text",
        found=repr(text[:40]),
        next_command="refrain analyze FILE --json",
    )
