"""A registered model of rows, read from its bundle: as it serves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.bundle import open_bundle
from feature_repo.errors import BundleError
from feature_repo.home import Home
from training.background import Background
from training.datasets.tabular import TabularSet
from training.estimators.lightgbm_trees import LightGbmFitted
from training.estimators.shapley import sampled
from training.estimators.xgboost_trees import XgBoostFitted
from training.models.lightgbm_onnx import OnnxBooster
from transforms.pure.tabular.layout import Layout

ONNX = "model.onnx"
NATIVE = "native"
"""The learner's own file, where it has one that is text: contributions are computed from it."""

NATIVES: dict[str, Any] = {"lightgbm": LightGbmFitted, "xgboost": XgBoostFitted}


@dataclass(frozen=True)
class ServedTabular:
    """Of one version.

    Attributes:
        folder: of its bundle.
        extra: of its manifest.
        cutoff: ISO 8601; nothing later was known to it.
        layout: of its inputs.
        onnx: the model.
    """

    folder: Path
    extra: dict[str, Any]
    cutoff: str
    layout: Layout
    onnx: OnnxBooster

    @classmethod
    def load(cls, home: Home, name: str) -> "ServedTabular":
        """The champion, or a named version such as ``skip_model:3``.

        Raises:
            BundleError: there is none, it is damaged, or it is no model of rows.
        """
        bundle = open_bundle(name, home)
        extra = dict(bundle.manifest["extra"])
        if extra.get("kind") != "tabular":
            raise BundleError(
                expected="a model of rows, which has one matrix of inputs",
                found=f"{bundle.name_version}, of the family {bundle.manifest['family']}",
                next_command=f"open '{bundle.folder / 'card.html'}'",
            )
        layout = Layout.from_json(extra["layout"])
        return cls(bundle.folder, extra, str(bundle.manifest["cutoff"]), layout, OnnxBooster(bundle.read(ONNX)))

    def predict(self, rows: TabularSet) -> np.ndarray:
        """(n,) chances or numbers."""
        return self.onnx.predict(self.layout.matrix(rows.features))

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """(n, d + 1) of rows: the learner's own where it has them, by sampling elsewhere.

        In log-odds for chances; the last column is what is said without knowing anything.
        """
        native = NATIVES.get(str(self.extra["learner"]))
        if native is not None:
            return np.asarray(native.from_native((self.folder / NATIVE).read_text()).contributions(inputs))
        background = Background.read(self.folder)
        rows = inputs if background is None else background.inputs
        return sampled(self.onnx.predict, self.extra["answer"], inputs, rows)
