"""Masks: the keystream of AES-256 in counter mode (FIPS 197, SP 800-38A) as uint64 words, little-endian.

A seed is used for one stream of one round, so that the counter begins at zero. The stream is made and added in pieces
that stay in the processor's cache.
"""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

SEED_BYTES = 32
_PIECE = 1 << 18
"""Bytes of a piece."""
_ZEROS = bytes(_PIECE)


def add_keystream(words: np.ndarray, seed: bytes, *, subtract: bool = False) -> None:
    """Adds the stream of a seed to words in place, modulo 2^64.

    Args:
        words: (n,) little-endian uint64, contiguous.
        seed: 32 bytes.
        subtract: whether the stream is subtracted.

    >>> words = np.arange(3, dtype="<u8")
    >>> add_keystream(words, bytes(32)); add_keystream(words, bytes(32), subtract=True); words.tolist()
    [0, 1, 2]
    """
    encryptor = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()
    buffer = bytearray(min(_PIECE, 8 * len(words)))
    change = np.subtract if subtract else np.add
    for start in range(0, len(words), _PIECE // 8):
        piece = words[start : start + _PIECE // 8]
        length = encryptor.update_into(memoryview(_ZEROS)[: piece.nbytes], buffer)
        change(piece, np.frombuffer(buffer, "<u8", length // 8), out=piece)
