"""The parameters of CKKS by which vectors are encrypted, and the bound of the standard that they keep.

Scheme: Cheon, Kim, Kim & Song 2017. A vector of ``SLOTS`` numbers is a polynomial of degree ``DEGREE``; its ciphertext
lies modulo the first prime of ``MODULUS_BITS``. The second prime serves to switch keys, which a rotation needs.

Scores take one multiplication and no rescaling: a vector at ``VECTOR_SCALE`` times a model at ``MODEL_SCALE`` lies at
``SCORE_SCALE``, and vectors and models have norms of at most one, so that a score of at most one (Cauchy-Schwarz) has
half of the modulus to itself. The vector has the larger scale, as its error is the larger one: that of encryption, of
some hundreds in a slot, beside that of rounding a model, of some tens.
"""

from feature_repo.errors import InputError

DEGREE = 4_096
"""Degree of the polynomials."""
MODULUS_BITS = (60, 49)
"""Bits of the primes of the modulus: that of ciphertexts, and that of switching keys."""
SLOTS = DEGREE // 2
"""Numbers in one ciphertext."""
VECTOR_SCALE, MODEL_SCALE = 2.0**32, 2.0**26
SCORE_SCALE = VECTOR_SCALE * MODEL_SCALE
"""Scales of an encrypted vector, of the numbers of a model, and of encrypted scores."""
MAX_DIMENSIONS = 512
"""Maximum length of a vector: each number of it costs a rotation."""
MAX_COLUMNS = SLOTS - 1
"""Scores in one ciphertext; one slot is that of the check value."""
MAX_MODULUS_BITS = {1_024: 27, 2_048: 54, 4_096: 109, 8_192: 218, 16_384: 438, 32_768: 881}
"""Degree → most bits of the modulus for 128 bits of security against classical computers, with ternary secrets.

Table 1 of the Homomorphic Encryption Standard (Albrecht et al. 2018, homomorphicencryption.org)."""


def check_security(degree: int, modulus_bits: tuple[int, ...]) -> None:
    """Refuse parameters with less than 128 bits of security.

    Args:
        degree: degree of the polynomials.
        modulus_bits: bits of each prime of the modulus, that of switching keys included: keys lie modulo all of them.

    Raises:
        InputError: the modulus is too large for the degree, or the standard does not have the degree.

    >>> check_security(4_096, (60, 49))
    >>> check_security(4_096, (60, 50))
    Traceback (most recent call last):
    feature_repo.errors.InputError: expected 109 bits of the modulus at most for the degree 4,096; found 110; next: ...
    """
    most = MAX_MODULUS_BITS.get(degree)
    if most is None or sum(modulus_bits) > most:
        raise InputError(
            expected="a degree of the homomorphic encryption standard"
            if most is None
            else f"{most} bits of the modulus at most for the degree {degree:,}",
            found=f"{degree:,}" if most is None else f"{sum(modulus_bits)}",
            next_command="use the parameters of feature_repo.homomorphic.parameters",
        )


def padded(dimensions: int) -> int:
    """Return the length to which a vector is filled with zeros: a power of two, which divides the slots.

    Raises:
        InputError: the vector is empty or too long.

    >>> padded(1), padded(64), padded(65)
    (1, 64, 128)
    """
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise InputError(
            expected=f"a vector of 1 to {MAX_DIMENSIONS} numbers",
            found=f"{dimensions:,}",
            next_command="ask a model with fewer inputs in the open",
        )
    return 1 << (dimensions - 1).bit_length()


def rotation_steps(dimensions: int) -> list[int]:
    """List the steps of the rotation keys that scores of a vector need: every rotation is a sum of some of them.

    SEAL rotates by any step through its non-adjacent form: powers of two, added and subtracted.

    >>> rotation_steps(4)
    [1, -1, 2, -2, 4]
    """
    powers = [1 << place for place in range(padded(dimensions).bit_length() - 1)]
    return [step for power in powers for step in (power, -power)] + [2 * powers[-1]] if powers else [1]
