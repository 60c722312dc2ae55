"""Rankers learn monotone scores, and their ONNX export equals the trained model."""

import numpy as np
import polars as pl
import pytest

from inference.models import OnnxModel
from training.models.lightgbm_onnx import to_onnx
from training.models.recommendation.ranker import HYBRID, REAL_TIME, Ranked, Ranker

INPUTS = list(HYBRID.inputs)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    size = 60 * 50
    columns = {name: rng.random(size) for name in {**HYBRID.inputs, **REAL_TIME.inputs}}
    label = rng.random(size) < 0.02 + 0.3 * columns["taste_match__score"] ** 4
    frame = pl.DataFrame(columns).with_columns(query=pl.Series(np.repeat(np.arange(60), 50)), label=pl.Series(label))
    gaps = pl.when(pl.Series(rng.random(size) < 0.1)).then(None).otherwise(pl.col("affinity_share__share_7d"))
    return frame.with_columns(affinity_share__share_7d=gaps, event_timestamp=pl.lit(0))


def test_the_ranker_learns_and_is_monotone(rows: pl.DataFrame) -> None:
    groups = HYBRID.groups(rows)
    assert groups.sizes.tolist() == [50] * 60
    booster = Ranker(most_trees=60).fit(HYBRID, [groups], groups)
    probe = np.full((50, len(INPUTS)), 0.5, np.float32)
    probe[:, INPUTS.index("taste_match__score")] = np.linspace(0, 1, 50)
    scores = booster.predict(probe)
    assert (np.diff(scores) >= 0).all()
    assert scores[-1] > scores[0]
    probe = np.full((50, len(INPUTS)), 0.5, np.float32)
    probe[:, INPUTS.index("track_popularity__skip_rate_28d")] = np.linspace(0, 1, 50)
    assert (np.diff(booster.predict(probe)) <= 0).all()


@pytest.mark.parametrize("ranked", [HYBRID, REAL_TIME], ids=["hybrid", "real time"])
def test_onnx_is_the_trained_model(rows: pl.DataFrame, ranked: Ranked) -> None:
    groups = ranked.groups(rows)
    booster = Ranker(most_trees=80).fit(ranked, [groups], groups)
    inputs = ranked.matrix(rows)
    inputs[::7, 3] = np.nan
    np.testing.assert_allclose(OnnxModel(to_onnx(booster)).predict(inputs), booster.predict(inputs), atol=1e-5)


def test_a_missing_input_is_named(rows: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="track_age__days"):
        HYBRID.matrix(rows.drop("track_age__days"))
