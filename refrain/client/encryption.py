"""Keys, encryption and decryption for scores that the service computes without seeing what it is asked about.

Needs the extra ``homomorphic``. The keys hold a secret: whoever has them reads every vector that was encrypted by them.
Make new ones as often as you like; the service forgets the public part within an hour. Python cannot erase a secret
from memory: it stays there until the process ends.

Decrypted scores of CKKS contain the noise of the encryption, from which the secret key can be computed (Li & Micciancio
2021). ``decrypt`` rounds the noise away, which helps and is no proof: show the scores to nobody, the service least of
all.
"""

import hashlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from feature_repo.errors import InputError
from feature_repo.extras import explained
from feature_repo.homomorphic.parameters import (
    MAX_COLUMNS,
    MODEL_SCALE,
    SCORE_SCALE,
    VECTOR_SCALE,
    padded,
    rotation_steps,
)
from feature_repo.homomorphic.scheme import create_context, load_vector, own_parameters
from feature_repo.homomorphic.wire import PublicContext, read_vector, write_vector

if TYPE_CHECKING:
    import tenseal as ts

MAX_CHECK_ERROR = 1e-4
"""Largest error of the check value, whose size is that of a vector of norm one."""
DIGITS = 5
"""Digits after the point of scores of vectors and models of norm one: noise of some 3e-7 is rounded away."""


class EncryptionKeys:
    """A secret key, and the public part that a service needs to compute on what is encrypted by it.

    Args:
        dimensions: length of the vectors.

    Raises:
        InputError: vectors cannot have this length.
        MissingExtra: the extra ``homomorphic`` is not installed.

    >>> keys = EncryptionKeys(64)                                                      # doctest: +SKIP
    >>> client.send_encryption_keys(keys).expires_s                                    # doctest: +SKIP
    3600.0
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        steps = rotation_steps(dimensions)
        self._context = create_context()
        self.public = PublicContext(own_parameters(), *_public_keys(self._context, steps)).to_bytes(MODEL_SCALE)
        self.digest = hashlib.sha256(self.public).hexdigest()

    def __repr__(self) -> str:
        return f"EncryptionKeys({self.dimensions}, with a secret key)"

    def __reduce__(self) -> tuple:
        raise TypeError("keys are not written to files or sent to processes: make new ones there")

    def encrypt(self, vector: Sequence[float]) -> "EncryptedQuestion":
        """Encrypt a vector, at norm one: its norm stays here.

        Raises:
            InputError: it has another length, or a number that is not finite, or nothing but zeros.
        """
        numbers = [float(value) for value in vector]
        norm = math.hypot(*numbers)
        if len(numbers) != self.dimensions or not 1e-150 < norm < 1e150:
            raise InputError(
                expected=f"{self.dimensions} finite numbers, not all zero",
                found=f"{len(numbers)} with the norm {norm:g}",
                next_command="client.list_encrypted_models() names the inputs of each model",
            )
        with explained():
            import tenseal as ts
        filled = [value / norm for value in numbers] + [0.0] * (padded(self.dimensions) - self.dimensions)
        content = ts.ckks_vector(self._context, filled).serialize()
        return EncryptedQuestion(self._context, content, norm, math.fsum(filled) / math.sqrt(len(filled)))


class EncryptedQuestion:
    """One encrypted vector, and what is needed to read the scores of it.

    Args:
        context: the context with the secret key.
        content: the encrypted vector.
        norm: the norm by which the vector was divided.
        check: the check value that every block of scores has to begin with.
    """

    def __init__(self, context: "ts.Context", content: bytes, norm: float, check: float) -> None:
        self._context, self.content, self._norm, self._check = context, content, norm, check

    def decrypt(self, blocks: Sequence[bytes], count: int, model_norm: float) -> list[float]:
        """Decrypt scores, rounded to what the noise leaves.

        Args:
            blocks: encrypted scores, as the service sent them.
            count: number of scores.
            model_norm: the norm of the model, as the service sent it.

        Raises:
            InputError: they are damaged, of other keys or another question, or their noise is too large.
        """
        if len(blocks) != -(-count // MAX_COLUMNS) or not 0 < model_norm < 1e150:
            raise _unreadable(f"{len(blocks)} blocks for {count:,} scores")
        scores = [score for place, block in enumerate(blocks) for score in self._block(block, count, place)]
        unit = self._norm * model_norm
        return [round(score, DIGITS) * unit for score in scores]

    def _block(self, block: bytes, count: int, place: int) -> Iterator[float]:
        columns = min(MAX_COLUMNS, count - place * MAX_COLUMNS)
        try:
            vector = load_vector(self._context, write_vector(read_vector(block), 1 + columns, VECTOR_SCALE))
            if vector.ciphertext()[0].scale != SCORE_SCALE:
                raise _unreadable("scores of another scale")
            check, *scores = vector.decrypt()
        except (ValueError, RuntimeError) as error:
            raise _unreadable("bytes that are no ciphertext of these keys") from error
        if not abs(check - self._check) < MAX_CHECK_ERROR:
            raise _unreadable(f"a check value that is {abs(check - self._check):.2g} away")
        yield from scores


def _public_keys(context: "ts.Context", steps: Sequence[int]) -> tuple[bytes, bytes]:
    """Return the public key, and keys of rotations by the given steps alone: TenSEAL would make twice as many."""
    with explained():
        import tenseal as ts
    generator = ts._ts_cpp.KeyGenerator(context.seal_context().data, context.secret_key().data)
    rotations = ts._ts_cpp.GaloisKeys()
    generator.create_galois_keys(list(steps), rotations)
    written = []
    for key in (context.public_key().data, rotations):
        with tempfile.NamedTemporaryFile(prefix="refrain-public-key-") as file:
            key.save(file.name)
            written.append(file.read())
    return written[0], written[1]


def _unreadable(found: str) -> InputError:
    return InputError(
        expected="scores that were computed from this vector with these keys",
        found=found,
        next_command="client.send_encryption_keys(EncryptionKeys(…)), then ask again",
    )
