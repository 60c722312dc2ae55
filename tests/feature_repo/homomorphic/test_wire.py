"""Parameters against the standard, and messages of strangers, which are read strictly."""

import pytest
import tenseal as ts
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.homomorphic.parameters import (
    DEGREE,
    MAX_DIMENSIONS,
    MODEL_SCALE,
    MODULUS_BITS,
    check_security,
    padded,
    rotation_steps,
)
from feature_repo.homomorphic.scheme import create_context, load_context, own_parameters
from feature_repo.homomorphic.wire import MAX_CONTEXT_BYTES, MAX_VECTOR_BYTES, PublicContext, read_vector, write_vector

CONTEXT = create_context()
CONTEXT.generate_galois_keys()
PUBLIC = CONTEXT.serialize(save_public_key=True, save_secret_key=False, save_galois_keys=True, save_relin_keys=True)
VECTOR = ts.ckks_vector(CONTEXT, [1.0, 2.0]).serialize()


@pytest.mark.parametrize(
    ("degree", "bits"),
    [(1_024, (28,)), (2_048, (30, 25)), (4_096, (60, 50)), (8_192, (60, 60, 60, 39)), (4_000, (30,))],
)
def test_parameters_below_128_bits_are_refused(degree: int, bits: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="standard" if degree == 4_000 else "bits of the modulus"):
        check_security(degree, bits)


def test_seal_knows_the_same_bound() -> None:
    """SEAL's own table is an independent copy of the standard's."""
    check_security(DEGREE, MODULUS_BITS)
    with pytest.raises(ValueError, match="not set correctly"):
        ts.context(ts.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=[60, 50], n_threads=1)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 64, 65, MAX_DIMENSIONS])
def test_every_rotation_is_a_sum_of_few_steps(dimensions: int) -> None:
    steps = set(rotation_steps(dimensions))
    for rotation in range(1, padded(dimensions)):
        rest, power = rotation, 1
        while rest:
            if rest & 1:
                digit = 2 - rest % 4  # the non-adjacent form
                assert digit * power in steps, rotation
                rest -= digit
            rest, power = rest >> 1, power * 2
    for wrong in (0, MAX_DIMENSIONS + 1):
        with pytest.raises(InputError, match="1 to 512 numbers"):
            padded(wrong)


def test_what_tenseal_writes_is_read_and_written_again() -> None:
    context = PublicContext.from_bytes(PUBLIC)
    assert context.parameters == own_parameters()
    again = context.to_bytes(MODEL_SCALE)
    assert PublicContext.from_bytes(again) == context
    loaded = load_context(again)
    assert loaded.is_public() and loaded.global_scale == MODEL_SCALE
    assert not (loaded.auto_rescale or loaded.auto_mod_switch or loaded.has_relin_keys())
    message = write_vector(read_vector(VECTOR), 2, CONTEXT.global_scale)
    assert ts.ckks_vector_from(CONTEXT, message).decrypt() == pytest.approx([1.0, 2.0], abs=1e-4)


def test_a_secret_key_is_refused() -> None:
    for relin in (True, False):
        private = CONTEXT.serialize(
            save_public_key=True, save_secret_key=True, save_galois_keys=False, save_relin_keys=relin
        )
        with pytest.raises(InputError, match="without a secret key") as refused:
            PublicContext.from_bytes(private)
        assert "new keys" in refused.value.next_command


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "with its parameters"),
        (PUBLIC[:-1], "a context"),
        (PUBLIC[: len(PUBLIC) // 2], "a context"),
        (VECTOR, "the parameters of a context"),
        (PUBLIC[: 2 + PUBLIC[1]], "with its public part"),
        (bytes(MAX_CONTEXT_BYTES + 1), "at most 4,000,000 bytes"),
        (
            CONTEXT.serialize(
                save_public_key=True, save_secret_key=False, save_galois_keys=False, save_relin_keys=False
            ),
            "with keys of rotations",
        ),
    ],
    ids=["empty", "cut", "half", "a vector", "parameters alone", "long", "without rotations"],
)
def test_contexts_that_are_none(content: bytes, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        PublicContext.from_bytes(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "one ciphertext"),
        (VECTOR[:-20], "an encrypted vector"),
        (b"\x12\x03abc" * 2, "one ciphertext"),
        (b"\x12\x03abc", "as SEAL writes it"),
        (b"\x10\x05", "a ciphertext"),
        (b"\x0b", "an encrypted vector"),
        (b"\xff" * 11, "an encrypted vector"),
        (bytes(MAX_VECTOR_BYTES + 1), "at most 100,000 bytes"),
    ],
    ids=["empty", "cut", "two", "no header", "a number", "a group", "an endless number", "long"],
)
def test_vectors_that_are_none(content: bytes, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read_vector(content)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda more: VECTOR[:30] + more))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for read in (read_vector, PublicContext.from_bytes):
        with pytest.raises(InputError):
            read(content)
