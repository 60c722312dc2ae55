"""Bundles of linear models, as training writes what serving reads of them."""

from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.bundle import BACKGROUND, Bundle
from inference.encrypted.linear_head import WEIGHTS
from training.background import background
from training.estimators.linear import LinearFitted
from transforms.pure.tabular.layout import Column, Layout

LAYOUT = Layout((Column("user__plays"), Column("user__seconds"), Column("user__plan", ("free", "paid"))))


def rows(rng: np.random.Generator) -> np.ndarray:
    values = np.column_stack([rng.poisson(50, 300), rng.normal(1.7e9, 1e7, 300), rng.integers(0, 2, (300, 2))])
    values = values.astype(np.float32)
    values[rng.random(300) < 0.2, 0] = np.nan
    return values


def bundle_of(folder: Path, fitted: LinearFitted, inputs: np.ndarray, kind: str, **extra: Any) -> Bundle:
    (folder / WEIGHTS).write_text(fitted.native())
    (folder / BACKGROUND).write_bytes(background(inputs, fitted.contributions(inputs)))
    more = {"learner": "linear", "layout": LAYOUT.as_json(), "answer": kind, **extra}
    manifest = {"name": "m", "version": 1, "family": "m", "files": {WEIGHTS: None, BACKGROUND: None}, "extra": more}
    return Bundle(folder, manifest)
