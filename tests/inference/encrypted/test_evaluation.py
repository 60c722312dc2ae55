"""Encrypted scores against plain products; and bytes of strangers, which end in typed errors."""

import asyncio
import multiprocessing
import resource
import sys
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
import tenseal as ts
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import BundleError, InputError
from feature_repo.extras import MissingExtra
from feature_repo.homomorphic.parameters import DEGREE, MAX_COLUMNS, MODULUS_BITS, SCORE_SCALE, VECTOR_SCALE
from feature_repo.homomorphic.wire import PublicContext
from inference.encrypted.evaluation import MAX_MEMORY, accept_context, evaluate
from inference.encrypted.model_matrix import ModelMatrix
from inference.workers import Workers
from refrain.client import encryption
from refrain.client.encryption import EncryptedQuestion, EncryptionKeys

VECTOR = [1.0, -2.0, 0.5, 0.0]
MATRIX = ModelMatrix.of(np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 0.5], [2.0, 0.0, -1.0], [5.0, 1.0, 0.0]]), "m:1")


@cache
def keys_of(dimensions: int) -> tuple[EncryptionKeys, bytes]:
    keys = EncryptionKeys(dimensions)
    return keys, accept_context(keys.public)


def score(vector: Sequence[float], weights: np.ndarray) -> list[float]:
    keys, context = keys_of(len(vector))
    matrix, question = ModelMatrix.of(weights, "m:1"), keys.encrypt(vector)
    return question.decrypt(evaluate(context, question.content, matrix.blocks), matrix.columns, matrix.norm)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([1, 2, 3, 5, 16, 31]), st.integers(1, 40), st.integers(0, 2**32), st.integers(-6, 6), st.booleans()
)
def test_scores_are_products(dimensions: int, columns: int, seed: int, size: int, is_sparse: bool) -> None:
    rng = np.random.default_rng(seed)
    weights, vector = rng.normal(size=(dimensions, columns)) * 10.0**size, rng.normal(size=dimensions) * 10.0**-size
    if is_sparse:  # tracks nobody has played have vectors of zeros
        weights[:, rng.random(columns) < 0.7] = 0.0
        weights[rng.random(dimensions) < 0.5] = 0.0
    expected = vector @ weights
    largest = np.linalg.norm(vector) * np.linalg.norm(weights, axis=0).max(initial=0.0)
    assert score(vector.tolist(), weights) == pytest.approx(expected, abs=2e-5 * max(largest, 1e-12))


def test_more_scores_than_fit_into_one_ciphertext() -> None:
    weights = np.random.default_rng(1).normal(size=(2, 2 * MAX_COLUMNS + 1))
    scores = score([0.6, -0.8], weights)
    assert scores == pytest.approx(np.array([0.6, -0.8]) @ weights, abs=1e-4)


def test_weights_that_are_not_finite_are_refused() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(BundleError, match="finite weights in m:1"):
            ModelMatrix.of(np.array([[1.0, value]]), "m:1")


def context_of(degree: int, bits: list[int], scheme: str = "CKKS") -> bytes:
    if scheme == "BFV":
        other = ts.context(ts.SCHEME_TYPE.BFV, degree, plain_modulus=1_032_193, n_threads=1)
    else:
        other = ts.context(ts.SCHEME_TYPE.CKKS, degree, coeff_mod_bit_sizes=bits, n_threads=1)
    written = other.serialize(
        save_public_key=False, save_secret_key=False, save_galois_keys=False, save_relin_keys=False
    )
    keys = encryption._public_keys(other, [1])
    return PublicContext(written[2 : 2 + written[1]], *keys).to_bytes(1.0)


@pytest.mark.parametrize(
    "content",
    [
        lambda: context_of(2_048, [27, 27]),
        lambda: context_of(4_096, [54, 54]),
        lambda: context_of(4_096, [], "BFV"),
    ],
    ids=["a small degree", "another modulus", "another scheme"],
)
def test_contexts_of_other_parameters_are_refused(content: Callable[[], bytes]) -> None:
    with pytest.raises(InputError, match="other parameters"):
        accept_context(content())


def test_keys_that_do_not_fit_are_refused() -> None:
    own = PublicContext.from_bytes(keys_of(4)[0].public)
    small = PublicContext.from_bytes(context_of(2_048, [27, 27]))
    for mixed in (
        PublicContext(own.parameters, small.public_key, own.rotation_keys),
        PublicContext(own.parameters, own.public_key, small.rotation_keys),
        PublicContext(own.parameters, own.rotation_keys, own.public_key),
        PublicContext(own.parameters, own.public_key, own.rotation_keys[:16] + bytes(len(own.rotation_keys) - 16)),
    ):
        with pytest.raises(InputError, match="others, or damaged ones"):
            accept_context(mixed.to_bytes(1.0))
    short = accept_context(keys_of(2)[0].public)
    with pytest.raises(InputError, match="keys of rotations for vectors of 4"):
        evaluate(short, keys_of(2)[0].encrypt([1.0, 2.0]).content, MATRIX.blocks)


def encrypted(scale: float = VECTOR_SCALE, work: Callable[["ts.CKKSVector"], "ts.CKKSVector"] = lambda v: v) -> bytes:
    written: bytes = work(ts.ckks_vector(keys_of(4)[0]._context, VECTOR, scale)).serialize()
    return written


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (lambda: encrypted(2.0**20), "1,048,576"),
        (lambda: encrypted(2.0**20, lambda vector: vector.mul([1.0] * 4)), "1,099,511,627,776"),
        (lambda: encrypted(2.0**20, lambda vector: vector.mul(vector)), "not fresh"),
        (lambda: other_vector(8_192, [40, 60]), "bytes that are none"),
        (lambda: other_vector(4_096, [36, 36, 37]), "bytes that are none"),
        (lambda: keys_of(4)[0].encrypt(VECTOR).content[:-100], "cut off"),
    ],
    ids=["another scale", "multiplied", "squared", "another degree", "another modulus", "cut"],
)
def test_vectors_that_are_not_fresh_or_of_other_parameters(content: Callable[[], bytes], found: str) -> None:
    with pytest.raises(InputError, match=found):
        evaluate(keys_of(4)[1], content(), MATRIX.blocks)


def other_vector(degree: int, bits: list[int]) -> bytes:
    other = ts.context(ts.SCHEME_TYPE.CKKS, degree, coeff_mod_bit_sizes=bits, n_threads=1)
    written: bytes = ts.ckks_vector(other, VECTOR, VECTOR_SCALE).serialize()
    return written


def ask() -> tuple[EncryptedQuestion, list[bytes]]:
    question = keys_of(4)[0].encrypt(VECTOR)
    return question, evaluate(keys_of(4)[1], question.content, MATRIX.blocks)


def test_answers_of_other_keys_and_other_questions_are_refused() -> None:
    question, blocks = ask()
    assert len(question.decrypt(blocks, 3, MATRIX.norm)) == 3
    with pytest.raises(InputError, match="a check value"):
        EncryptionKeys(4).encrypt(VECTOR).decrypt(blocks, 3, MATRIX.norm)
    with pytest.raises(InputError, match="a check value"):
        keys_of(4)[0].encrypt([9.0, 1.0, 1.0, 1.0]).decrypt(blocks, 3, MATRIX.norm)
    for count, norm in ((5_000, 1.0), (3, float("nan")), (3, -1.0), (0, 1.0)):
        with pytest.raises(InputError, match="blocks for"):
            question.decrypt(blocks, count, norm)


def test_answers_whose_noise_is_used_up_are_refused() -> None:
    """A product beyond the modulus wraps around, and the check value shows it."""
    question, _ = ask()
    large = [block * 1e4 for block in MATRIX.blocks]
    with pytest.raises(InputError, match="a check value"):
        question.decrypt(evaluate(keys_of(4)[1], question.content, large), 3, MATRIX.norm)
    with pytest.raises(InputError, match="another scale"):
        question.decrypt([encrypted(SCORE_SCALE / 2**10)], 3, MATRIX.norm)
    with pytest.raises(InputError, match="no ciphertext"):
        question.decrypt([other_vector(4_096, [36, 36, 37])], 3, MATRIX.norm)


@pytest.mark.parametrize(
    "vector", [[], [1.0], [1.0, float("nan"), 0.0, 0.0], [0.0] * 4, [float("inf"), 0.0, 0.0, 0.0], [1e200, 0, 0, 0]]
)
def test_vectors_that_cannot_be_encrypted(vector: list[float]) -> None:
    with pytest.raises(InputError, match="4 finite numbers"):
        keys_of(4)[0].encrypt(vector)


def test_keys_stay_where_they_are() -> None:
    keys = keys_of(4)[0]
    assert repr(keys) == "EncryptionKeys(4, with a secret key)"
    with pytest.raises(TypeError, match="not written to files"):
        multiprocessing.reduction.ForkingPickler.dumps(keys)
    assert PublicContext.from_bytes(keys.public)  # no secret key in it
    assert keys.public != EncryptionKeys(4).public
    assert keys.encrypt(VECTOR).content != keys.encrypt(VECTOR).content


def test_scores_are_rounded_beyond_the_noise() -> None:
    question, blocks = ask()
    units = np.array(question.decrypt(blocks, 3, MATRIX.norm)) / (question._norm * MATRIX.norm)
    assert units == pytest.approx(np.round(units, encryption.DIGITS), abs=1e-12)


def test_a_worker_process_has_bounded_memory() -> None:
    workers = Workers(1)

    async def work() -> int:
        await workers.run(accept_context, keys_of(4)[0].public)
        soft, _ = await workers.run(resource.getrlimit, resource.RLIMIT_DATA)
        return soft

    try:
        assert asyncio.run(work()) == MAX_MEMORY
    finally:
        workers.close()
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] != MAX_MEMORY
    assert sum(MODULUS_BITS) == 109 and DEGREE == 4_096


def test_without_the_extra_the_next_command_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenseal", None)
    with pytest.raises(MissingExtra, match="homomorphic"):
        evaluate(b"", keys_of(4)[0].public, MATRIX.blocks)
    with pytest.raises(MissingExtra, match="homomorphic"):
        EncryptionKeys(4)
