"""Ways to pack a dot product of one encrypted vector with many plain ones into CKKS, beside ours; see
``benchmarks.encrypted_scoring``.

Each takes the vector (d,) and the tracks (n, d) and returns the scores (n,) with what they cost. All have 128 bits of
security, and one thread.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import tenseal as ts

from inference.encrypted.evaluation import accept_context, evaluate
from inference.encrypted.model_matrix import ModelMatrix
from refrain.client.encryption import EncryptionKeys

R = TypeVar("R")
USUAL = (8_192, [60, 40, 60], 2.0**40)
"""Degree, modulus and scale of TenSEAL's tutorials."""
MASK = 2.0**12
"""Largest size of the numbers that hide partial sums; their sum is 0, and the modulus ends at 2 ** 19."""


@dataclass(frozen=True)
class Cost:
    """What one question costs.

    Attributes:
        scores: (n,) the decrypted scores.
        client_s: CPU seconds of the client for keys, encryption and decryption.
        server_s: CPU seconds of the server for loading the context and answering.
        context: bytes that are sent once.
        upload: bytes of the question.
        download: bytes of the answer.
    """

    scores: np.ndarray
    client_s: float
    server_s: float
    context: int
    upload: int
    download: int


def timed(work: Callable[[], R]) -> tuple[R, float]:
    """Return a result, and the CPU seconds that it took."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def _context(degree: int, bits: list[int], scale: float, *, rescales: bool) -> ts.Context:
    context = ts.context(ts.SCHEME_TYPE.CKKS, degree, coeff_mod_bit_sizes=bits, n_threads=1)
    context.global_scale = scale
    context.auto_rescale = context.auto_mod_switch = rescales
    return context


def _public(context: ts.Context, *, rotates: bool) -> bytes:
    written: bytes = context.serialize(
        save_public_key=rotates, save_secret_key=False, save_galois_keys=rotates, save_relin_keys=False
    )
    return written


def diagonals(vector: np.ndarray, tracks: np.ndarray) -> Cost:
    """Ours: the diagonals of the matrix, rotated into place; the smallest parameters and the rotations needed alone."""

    def ask() -> tuple[EncryptionKeys, object]:
        keys = EncryptionKeys(len(vector))
        return keys, keys.encrypt(vector.tolist())

    (keys, question), asking = timed(ask)
    context = accept_context(keys.public)

    def answer() -> tuple[ModelMatrix, list[bytes]]:
        matrix = ModelMatrix.of(tracks.T, "m:1")
        return matrix, evaluate(context, question.content, matrix.blocks)

    (matrix, blocks), answering = timed(answer)
    scores, reading = timed(lambda: question.decrypt(blocks, matrix.columns, matrix.norm))
    sent = len(keys.public), len(question.content), sum(map(len, blocks))
    return Cost(np.array(scores), asking + reading, answering, *sent)


def usual_diagonals(vector: np.ndarray, tracks: np.ndarray) -> Cost:
    """TenSEAL's product of a vector and a matrix, with the parameters of its tutorials and all keys of rotations."""

    def ask() -> tuple[ts.Context, bytes, bytes]:
        context = _context(*USUAL, rescales=True)
        context.generate_galois_keys()
        return context, _public(context, rotates=True), ts.ckks_vector(context, vector.tolist()).serialize()

    (context, public, question), asking = timed(ask)

    def answer() -> bytes:
        loaded = ts.context_from(public, n_threads=1)
        return ts.ckks_vector_from(loaded, question).mm(tracks.T.tolist()).serialize()

    block, answering = timed(answer)
    scores, reading = timed(lambda: ts.ckks_vector_from(context, block).decrypt())
    return Cost(np.array(scores), asking + reading, answering, len(public), len(question), len(block))


def dot_a_track(vector: np.ndarray, tracks: np.ndarray) -> Cost:
    """What comes to mind first: one encrypted dot product for each track."""

    def ask() -> tuple[ts.Context, bytes, bytes]:
        context = _context(*USUAL, rescales=True)
        context.generate_galois_keys()
        return context, _public(context, rotates=True), ts.ckks_vector(context, vector.tolist()).serialize()

    (context, public, question), asking = timed(ask)

    def answer() -> list[bytes]:
        loaded = ts.context_from(public, n_threads=1)
        encrypted = ts.ckks_vector_from(loaded, question)
        return [encrypted.dot(track.tolist()).serialize() for track in tracks]

    blocks, answering = timed(answer)
    scores, reading = timed(lambda: [ts.ckks_vector_from(context, block).decrypt()[0] for block in blocks])
    return Cost(
        np.array(scores), asking + reading, answering, len(public), len(question), sum(len(block) for block in blocks)
    )


def ciphertext_a_number(vector: np.ndarray, tracks: np.ndarray) -> Cost:
    """One ciphertext for each number of the vector, with tracks in the slots: no rotation, and no key is sent."""
    slots = 2_048

    def ask() -> tuple[ts.Context, bytes, list[bytes]]:
        context = _context(4_096, [60, 49], 2.0**28, rescales=False)
        question = [ts.ckks_vector(context, [number] * slots).serialize() for number in vector.tolist()]
        return context, _public(context, rotates=False), question

    (context, public, question), asking = timed(ask)

    def answer() -> list[bytes]:
        loaded = ts.context_from(public, n_threads=1)
        encrypted = [ts.ckks_vector_from(loaded, content) for content in question]
        blocks = []
        for first in range(0, len(tracks), slots):
            block = np.zeros((len(vector), slots))
            block[:, : len(tracks) - first] = tracks[first : first + slots].T
            total = encrypted[0].mul(block[0].tolist())
            for number, column in zip(encrypted[1:], block[1:], strict=True):
                total.add_(number.mul(column.tolist()))
            blocks.append(total.serialize())
        return blocks

    blocks, answering = timed(answer)
    scores, reading = timed(lambda: np.concatenate([ts.ckks_vector_from(context, one).decrypt() for one in blocks]))
    upload, download = sum(map(len, question)), sum(map(len, blocks))
    return Cost(scores[: len(tracks)], asking + reading, answering, len(public), upload, download)


def sums_by_the_client(vector: np.ndarray, tracks: np.ndarray) -> Cost:
    """One ciphertext with the vector over and over; the client adds products, which numbers of sum 0 hide."""
    slots, dimensions = 2_048, len(vector)

    def ask() -> tuple[ts.Context, bytes, bytes]:
        context = _context(4_096, [50, 30, 29], 2.0**30, rescales=True)
        repeated = np.tile(vector, slots // dimensions)
        return context, _public(context, rotates=False), ts.ckks_vector(context, repeated.tolist()).serialize()

    (context, public, question), asking = timed(ask)
    rng = np.random.default_rng()

    def answer() -> list[bytes]:
        loaded = ts.context_from(public, n_threads=1)
        encrypted, blocks = ts.ckks_vector_from(loaded, question), []
        for first in range(0, len(tracks), slots // dimensions):
            block = np.zeros((slots // dimensions, dimensions))
            block[: len(tracks) - first] = tracks[first : first + len(block)]
            mask = rng.uniform(-MASK, MASK, block.shape)
            mask[:, -1] = -mask[:, :-1].sum(axis=1)
            blocks.append(encrypted.mul(block.ravel().tolist()).add(mask.ravel().tolist()).serialize())
        return blocks

    blocks, answering = timed(answer)

    def read() -> np.ndarray:
        products = np.array([ts.ckks_vector_from(context, block).decrypt() for block in blocks])
        return products.reshape(-1, dimensions).sum(axis=1)[: len(tracks)]

    scores, reading = timed(read)
    return Cost(scores, asking + reading, answering, len(public), len(question), sum(len(block) for block in blocks))


PACKINGS: dict[str, Callable[[np.ndarray, np.ndarray], Cost]] = {
    "diagonals, smallest parameters (ours)": diagonals,
    "diagonals, TenSEAL's usual parameters": usual_diagonals,
    "one dot product for each track": dot_a_track,
    "one ciphertext for each number": ciphertext_a_number,
    "one ciphertext, sums by the client": sums_by_the_client,
}
"""Name → packing."""
