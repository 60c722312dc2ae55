"""Masks: every word has one, also beyond the pieces in which they are made."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from training.private.secure_aggregation.keystream import add_keystream

PIECE = 2**15
"""Words of a piece."""


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7])
def test_the_stream_is_that_of_the_cipher_in_one_go(length: int) -> None:
    seed = bytes(range(32))
    oracle = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor().update(bytes(8 * length))
    words = np.full(length, 2**63 + 5, "<u8")
    add_keystream(words, seed)
    assert (words - np.frombuffer(oracle, "<u8") == 2**63 + 5).all()
    add_keystream(words, seed, subtract=True)
    assert (words == 2**63 + 5).all()
    assert len(np.unique(np.frombuffer(oracle, "<u8"))) == length
