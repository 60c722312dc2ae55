"""A trained linear model, asked about an encrypted row, says what it says in the open."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_repo.bundle import BACKGROUND
from feature_repo.errors import BundleError, InputError
from inference.encrypted.evaluation import accept_context, evaluate
from inference.encrypted.linear_head import LinearHead
from inference.encrypted.model_matrix import ModelMatrix
from refrain.client.answers import EncryptedModel
from refrain.client.encryption import EncryptionKeys
from tests.inference.encrypted.linear_bundles import bundle_of, rows
from training.estimators.linear import Linear


@pytest.mark.parametrize("kind", ["binary", "number"])
def test_encrypted_rows_have_the_scores_of_plain_ones(tmp_path: Path, kind: Any) -> None:
    rng = np.random.default_rng(3)
    inputs = rows(rng)
    truth = np.nan_to_num(inputs[:, 0], nan=20) / 50 + inputs[:, 2] + rng.normal(size=300)
    fitted = Linear().fit(inputs, truth > 1.6 if kind == "binary" else truth, kind, {})
    head = LinearHead.of(bundle_of(tmp_path, fitted, inputs[:100], kind))
    model = EncryptedModel(
        "m", head.kind, len(head.weights), None, list(head.inputs), head.centers.tolist(), head.units.tolist()
    )
    assert model.inputs == ["user__plays", "user__seconds", "user__plan=free", "user__plan=paid"]
    keys = EncryptionKeys(model.dimensions)
    context, matrix = accept_context(keys.public), ModelMatrix.of(head.weights[:, None], "m:1")
    for row in inputs[100:110]:
        question = keys.encrypt(model.row(dict(zip(model.inputs, row.tolist(), strict=True))))
        (score,) = question.decrypt(evaluate(context, question.content, matrix.blocks), 1, matrix.norm)
        (expected,) = fitted.contributions(row[None]).sum(axis=1)
        assert score == pytest.approx(expected, abs=1e-4)
        assert (1 / (1 + np.exp(-score)) if kind == "binary" else score) == pytest.approx(
            fitted.predict(row[None])[0], abs=1e-4
        )


def test_models_that_cannot_answer(tmp_path: Path) -> None:
    inputs = rows(np.random.default_rng(3))
    fitted = Linear().fit(inputs, inputs[:, 2], "number", {})
    with pytest.raises(InputError, match="trees and networks"):
        LinearHead.of(bundle_of(tmp_path, fitted, inputs, "number", learner="lightgbm"))
    (tmp_path / BACKGROUND).unlink()
    old = bundle_of(tmp_path, fitted, inputs, "number")
    (tmp_path / BACKGROUND).unlink()
    with pytest.raises(BundleError, match="weights and reference rows"):
        LinearHead.of(old)


def test_rows_that_cannot_be_sent() -> None:
    model = EncryptedModel("m", "binary", 5, None, ["a", "b"], [0.0, 2.0], [4.0, 1.0])
    assert model.row({"a": float("nan"), "b": -1.0}) == [0.0, -3.0, 1.0, 0.0, 1.0]
    with pytest.raises(InputError, match="'c'"):
        model.row({"c": 1.0})
    for value in (257.0, float("inf"), -1e30):
        with pytest.raises(InputError, match="a between -256 and 256"):
            model.row({"a": value})
