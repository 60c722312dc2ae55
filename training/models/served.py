"""A registered tabular model, read from its bundle as in serving."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.bundle import open_bundle
from feature_repo.encryption.bundle_files import read_file
from feature_repo.errors import BundleError
from feature_repo.home import Home
from training.background import Background
from training.datasets.tabular import TabularSet
from training.estimators.forest import ForestTrees
from training.estimators.lightgbm_trees import LightGbmFitted
from training.estimators.linear import LinearTerms
from training.estimators.shapley import sampled
from training.estimators.xgboost_trees import XgBoostFitted
from training.models.lightgbm_onnx import OnnxBooster
from transforms.pure.tabular.layout import Layout

ONNX = "model.onnx"
NATIVE = "native"
"""Bundle file in the learner's own text format, if it has one; contributions are computed from it."""

NATIVES: dict[str, Any] = {
    "forest": ForestTrees,
    "lightgbm": LightGbmFitted,
    "linear": LinearTerms,
    "xgboost": XgBoostFitted,
}


@dataclass(frozen=True)
class ServedTabular:
    """One version of a tabular model.

    Attributes:
        folder: folder of the bundle.
        extra: the manifest's ``extra``.
        cutoff: latest known time of the training data, in ISO 8601.
        layout: layout of the inputs.
        onnx: the model.
    """

    folder: Path
    extra: dict[str, Any]
    cutoff: str
    layout: Layout
    onnx: OnnxBooster

    @classmethod
    def load(cls, home: Home, name: str) -> "ServedTabular":
        """Load the champion, or a named version such as ``skip_model:3``.

        Raises:
            BundleError: there is no such version, it is damaged, or it is not a tabular model.
        """
        bundle = open_bundle(name, home)
        extra = dict(bundle.manifest["extra"])
        if extra.get("kind") != "tabular":
            raise BundleError(
                expected="a model of rows, with one matrix of inputs",
                found=f"{bundle.name_version}, of the family {bundle.manifest['family']}",
                next_command=f"open '{bundle.folder / 'card.html'}'",
            )
        layout = Layout.from_json(extra["layout"])
        return cls(bundle.folder, extra, str(bundle.manifest["cutoff"]), layout, OnnxBooster(bundle.read(ONNX)))

    def predict(self, rows: TabularSet) -> np.ndarray:
        """Return (n,) probabilities or numbers."""
        return self.onnx.predict(self.layout.matrix(rows.features))

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Return the contributions (n, d + 1) of features to the predictions of rows, by the learner or by sampling.

        Contributions to probabilities are in log-odds; those of a forest, which sums chances, in chances. The
        last column is the prediction without any feature.
        """
        native = NATIVES.get(str(self.extra["learner"]))
        if native is not None and (self.folder / NATIVE).is_file():  # earlier forests and linear models have none
            return np.asarray(native.from_native(read_file(self.folder, NATIVE).decode()).contributions(inputs))
        background = Background.read(self.folder)
        background_rows = inputs if background is None else background.inputs
        return sampled(self.onnx.predict, self.extra["answer"], inputs, background_rows)
