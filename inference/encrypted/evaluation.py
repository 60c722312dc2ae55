"""Evaluates a model on an encrypted vector; the functions of this module run in a worker process.

The product is that of Halevi & Shoup 2014: the vector times each diagonal of the matrix, rotated into place and added.
All scores of a block then lie in one ciphertext, for as many multiplications and rotations as the vector has numbers.
"""

import multiprocessing
import resource
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from feature_repo.errors import InputError
from feature_repo.homomorphic.parameters import DEGREE, MODEL_SCALE, MODULUS_BITS, VECTOR_SCALE
from feature_repo.homomorphic.scheme import load_context, load_vector, own_parameters
from feature_repo.homomorphic.wire import PublicContext, read_vector, write_vector

if TYPE_CHECKING:
    import tenseal as ts

R = TypeVar("R")
MAX_MEMORY = 1 << 30
"""Maximum bytes that a worker process may use for data: compressed keys may claim more than they are."""
FAULTS = (ValueError, RuntimeError, IndexError, OverflowError, MemoryError)
"""What SEAL raises about bytes that are not what they should be."""
_KEYS = "send the keys again: client.send_encryption_keys(keys)"


def accept_context(content: bytes) -> bytes:
    """Check a client's context, and return it with our own parameters and scale.

    Args:
        content: the context, as the client sent it.

    Raises:
        InputError: it has other parameters, a secret key, or keys that do not fit.
    """
    context = PublicContext.from_bytes(content)
    if context.parameters != own_parameters():
        raise InputError(
            expected=f"a context of CKKS with degree {DEGREE:,} and a modulus of {MODULUS_BITS} bits",
            found="other parameters, or those of another version of SEAL",
            next_command="make the keys by refrain.client.encryption, with the service's version of tenseal",
        )
    accepted = context.to_bytes(MODEL_SCALE)
    _load_context(accepted)
    return accepted


def evaluate(context: bytes, content: bytes, blocks: Sequence[np.ndarray]) -> list[bytes]:
    """Multiply an encrypted vector by matrices.

    Args:
        context: a context that ``accept_context`` returned.
        content: the encrypted vector, as the client sent it.
        blocks: matrices (d, n) of a ``ModelMatrix``.

    Returns:
        One encrypted vector of n scores for each matrix, at the scale of scores.

    Raises:
        InputError: the vector is damaged, or of another context, level or scale.
    """
    loaded, ciphertext = _load_context(context), read_vector(content)
    dimensions = len(blocks[0])
    described = "a vector that was encrypted with the context of the request"
    message = write_vector(ciphertext, dimensions, MODEL_SCALE)
    vector = _checked(lambda: load_vector(loaded, message), described, "bytes that are none")
    inner = vector.ciphertext()[0]
    if inner.parms_id() != loaded.seal_context().data.first_parms_id() or inner.size() != 2 or inner.is_transparent():
        raise _invalid(described, "one that is not fresh: of another level or size, or not encrypted")
    if inner.scale != VECTOR_SCALE:
        raise _invalid(f"a vector at the scale {VECTOR_SCALE:,.0f}", f"{inner.scale:,.0f}")
    return [
        _checked(
            lambda block=block: vector.mm(block.tolist()).serialize(),  # type: ignore[misc]
            f"keys of rotations for vectors of {dimensions} numbers",
            "keys that lack some",
        )
        for block in blocks
    ]


def _load_context(content: bytes) -> "ts.Context":
    _limit_memory()
    described = "a public key and keys of rotations for the parameters of the context"
    return _checked(lambda: load_context(content), described, "others, or damaged ones")


@cache
def _limit_memory() -> None:
    """Bound the memory of a worker process; one that only answers has none of this work in it."""
    if multiprocessing.parent_process() is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, hard))


def _checked(work: Callable[[], R], expected: str, found: str) -> R:
    try:
        return work()
    except FAULTS as error:
        raise _invalid(expected, found) from error


def _invalid(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command=_KEYS)
