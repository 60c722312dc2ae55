"""Shamir's sharing of secrets over GF(2^8), byte by byte (Shamir 1979; the field is that of AES, FIPS 197).

Any ``threshold`` shares give the secret, fewer say nothing about it: to each possible secret there is exactly one
polynomial through them. Products are computed by shifts, without tables, so that no address depends on a secret.
"""

import secrets
from collections.abc import Sequence

import numpy as np

MOST_SHARES = 255
"""Points of the field besides zero, which is where the secret lies."""

_POLYNOMIAL = 0x1B
"""x^8 = x^4 + x^3 + x + 1."""


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Product in GF(2^8) of uint8 arrays, broadcast.

    >>> multiply(np.uint8([0x57]), np.uint8([0x83])).tolist() == [0xC1]
    True
    """
    left, right = np.broadcast_arrays(np.asarray(left, np.uint8), np.asarray(right, np.uint8))
    product = np.zeros(left.shape, np.uint8)
    for bit in range(8):
        product ^= left * (right >> bit & 1)
        left = left << 1 ^ (left >> 7) * np.uint8(_POLYNOMIAL)
    return product


def share(secret: bytes, threshold: int, points: Sequence[int]) -> list[bytes]:
    """Returns a share of a secret for each point, as long as the secret.

    Args:
        secret: any bytes.
        threshold: number of shares that give the secret.
        points: distinct numbers from 1 to 255, one a share.

    >>> shares = share(b"seed", 2, [1, 2, 7])
    >>> combine({7: shares[2], 1: shares[0]})
    b'seed'
    """
    if not 1 <= threshold <= len(points) <= MOST_SHARES:
        raise ValueError(f"{threshold} of {len(points)} shares; at most {MOST_SHARES}")
    if len(set(points)) < len(points) or not all(1 <= point <= MOST_SHARES for point in points):
        raise ValueError("points have to be distinct numbers from 1 to 255")
    drawn = np.frombuffer(secrets.token_bytes((threshold - 1) * len(secret)), np.uint8)
    coefficients = drawn.reshape(threshold - 1, len(secret))
    places = np.array(points, np.uint8)[:, None]
    values = np.zeros((len(points), len(secret)), np.uint8)
    for coefficient in (*coefficients, np.frombuffer(secret, np.uint8)):
        values = multiply(values, places) ^ coefficient
    return [row.tobytes() for row in values]


def combine(shares: dict[int, bytes]) -> bytes:
    """Returns the secret of shares by their points; of too few, bytes that have nothing to do with it."""
    weights = weights_at_zero(list(shares))
    rows = np.frombuffer(b"".join(shares.values()), np.uint8).reshape(len(shares), -1)
    return np.bitwise_xor.reduce(multiply(weights[:, None], rows), axis=0).tobytes()


def weights_at_zero(points: Sequence[int]) -> np.ndarray:
    """(t,) uint8 weights of Lagrange's interpolation at zero, one a point."""
    places = np.array(points, np.uint8)
    differences = places[:, None] ^ places
    np.fill_diagonal(differences, 1)
    ratios = multiply(_inverse(differences), places)
    np.fill_diagonal(ratios, 1)
    weights = np.ones(len(points), np.uint8)
    for column in ratios.T:
        weights = multiply(weights, column)
    return weights


def _inverse(values: np.ndarray) -> np.ndarray:
    """Inverses of values that are not zero: their powers of 254."""
    power, square = np.ones_like(values), values
    for _ in range(7):
        square = multiply(square, square)
        power = multiply(power, square)
    return power
