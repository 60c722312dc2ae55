"""The extra ``homomorphic``: a vector is encrypted, scored and read; without it keys name it."""

import pytest

from tests.extras.conftest import Make

pytestmark = pytest.mark.extras

SCORED = """
import numpy as np
from inference.encrypted.evaluation import accept_context, evaluate
from inference.encrypted.model_matrix import ModelMatrix
from refrain.client.encryption import EncryptionKeys

keys, matrix = EncryptionKeys(2), ModelMatrix.of(np.array([[1.0, 0.0], [0.0, 1.0]]), "m:1")
question = keys.encrypt([3.0, 4.0])
blocks = evaluate(accept_context(keys.public), question.content, matrix.blocks)
print([round(score, 3) for score in question.decrypt(blocks, matrix.columns, matrix.norm)])
"""

MISSING = """
from feature_repo.extras import MissingExtra
from refrain.client.encryption import EncryptionKeys

try:
    EncryptionKeys(2)
except MissingExtra as error:
    print(error.next_command)
"""


def test_a_vector_is_scored(make: Make) -> None:
    environment = make("inference,client,homomorphic")
    assert environment.run("python", "-c", SCORED).stdout.strip() == "[3.0, 4.0]"


def test_without_the_extra_it_is_named(make: Make) -> None:
    environment = make("client")
    assert "'refrain[homomorphic]'" in environment.run("python", "-c", MISSING).stdout
