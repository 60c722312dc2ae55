"""The owner's watermark of a served model: in its answers, not in its bundle, and found by the ownership test."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.model_theft import AnswerSettings, TheftSettings
from feature_repo.watermark_secret import create_secret, read_secret
from inference import RowModel
from inference.watermarks import AnswerMark, reference_rows
from refrain.cli import app
from training import promotions
from training.models.base import Model
from training.pipeline.models import run_model
from transforms.raw.read import plays

STRENGTH = 0.05


def own_test(*words: str) -> dict[str, float]:
    result = CliRunner().invoke(app, ["model", "own-test", "own_model", *words, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, float] = json.loads(result.output.strip().splitlines()[-1])
    return answer


def test_a_served_model_carries_the_mark_and_a_test_finds_it(
    own_model: Model, own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_model(own_world, own_model)
    promotions.promote(own_world, "own_model", 1)
    clean = RowModel.load("own_model", own_world)
    monkeypatch.setattr(TheftSettings, "answers_of", lambda self, model: AnswerSettings(watermark=STRENGTH))
    own_world.watermark_secret.unlink(missing_ok=True)
    with pytest.raises(BundleError, match="own-key"):
        RowModel.load("own_model", own_world)
    assert CliRunner().invoke(app, ["model", "own-key"]).exit_code == 0
    assert not create_secret(own_world)
    marked = RowModel.load("own_model", own_world)
    rows = plays(own_world).filter(pl.col("artist_id").is_not_null()).head(40).collect()
    keys = {name: rows[name].to_list() for name in ("user_id", "track_id", "artist_id")}
    request = {"request_timestamp": 1_769_947_200.0, "device": "phone", "context": "playlist"}
    before, after = clean.predict(keys, request).values, marked.predict(keys, request).values
    assert np.abs(after - before).max() > 0
    assert np.all(np.abs(after - (2 * STRENGTH + (1 - 4 * STRENGTH) * before)) <= 2 * STRENGTH + 1e-6)

    reference = reference_rows(clean.bundle)
    answers = clean.answer(reference)
    mark = AnswerMark.load(clean.bundle, own_world, reference, answers)
    assert mark is not None
    assert len(read_secret(own_world)) == 32
    table = tmp_path / "answers.csv"
    for values, is_ours in ((mark.apply(answers, reference, "binary"), True), (answers, False)):
        table.write_text("".join(f"{value}\n" for value in values.tolist()))
        p_value = own_test(str(table))["p_value"]
        assert (p_value < 1e-4) == is_ours, p_value  # by chance in one of 10,000 secrets
    assert own_test("own_model:1")["p_value"] > 1e-4
    out = CliRunner().invoke(app, ["model", "own-test", "own_model", "--rows-out", str(tmp_path / "rows.csv")])
    assert out.exit_code == 0
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == len(reference) + 1
