"""The scheme itself, by TenSEAL (extra ``homomorphic``), which is imported with the first call."""

from functools import cache
from typing import TYPE_CHECKING

from feature_repo.extras import explained
from feature_repo.homomorphic.parameters import DEGREE, MODULUS_BITS, VECTOR_SCALE, check_security

if TYPE_CHECKING:
    import tenseal as ts


def create_context() -> "ts.Context":
    """Create a context of our parameters with a new secret key, from the randomness of the system.

    Raises:
        MissingExtra: TenSEAL is not installed.
    """
    with explained():
        import tenseal as ts
    check_security(DEGREE, MODULUS_BITS)
    context = ts.context(ts.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=list(MODULUS_BITS), n_threads=1)
    context.global_scale = VECTOR_SCALE
    context.auto_relin = context.auto_rescale = context.auto_mod_switch = False
    return context


def load_context(content: bytes) -> "ts.Context":
    """Load a public context; one thread evaluates.

    Raises:
        MissingExtra: TenSEAL is not installed.
        ValueError: it is damaged; so say also RuntimeError, IndexError, OverflowError and MemoryError.
    """
    with explained():
        import tenseal as ts
    return ts.context_from(content, n_threads=1)


def load_vector(context: "ts.Context", content: bytes) -> "ts.CKKSVector":
    """Load an encrypted vector; the errors are those of ``load_context``."""
    with explained():
        import tenseal as ts
    return ts.ckks_vector_from(context, content)


@cache
def own_parameters() -> bytes:
    """Return our parameters, as SEAL writes them: equal parameters of one version of SEAL are equal bytes."""
    written: bytes = create_context().serialize(
        save_public_key=False, save_secret_key=False, save_galois_keys=False, save_relin_keys=False
    )
    return written[2 : 2 + written[1]]  # field 1, of fewer than 128 bytes
