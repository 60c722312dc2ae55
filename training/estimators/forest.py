"""Random forests of scikit-learn (Breiman 2001); contributions are exact Shapley values of its trees.

A forest sums the chances of its trees, and not log-odds: contributions are in chances, too.

scikit-learn's trees learn a side for missing values, but its ONNX converter does not export it. Missing values are
therefore replaced by a number far below all others first.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.estimators.base import Kind
from training.estimators.sklearn_onnx import to_onnx
from training.estimators.tree_shap import Tree, tree_shap

if TYPE_CHECKING:
    import optuna

BELOW = -1e9
"""Replaces a missing value."""


class Forest:
    """Learns a random forest."""

    name: ClassVar[str] = "forest"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"trees": 100, "least_rows": 20, "columns": 0.5})

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests the parameters of a trial."""
        return {
            "trees": trial.suggest_int("trees", 40, 200, log=True),
            "least_rows": trial.suggest_int("least_rows", 5, 200, log=True),
            "columns": trial.suggest_float("columns", 0.2, 1.0),
        }

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "ForestFitted":
        """Fits a forest to rows (n, d) with answers (n,)."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline

        settings = {**self.defaults, **parameters}
        forest_class = RandomForestClassifier if kind == "binary" else RandomForestRegressor
        trees = forest_class(
            n_estimators=int(settings["trees"]),
            min_samples_leaf=int(settings["least_rows"]),
            max_features=float(settings["columns"]),
            random_state=seed,
            n_jobs=1,
        )
        filler = SimpleImputer(strategy="constant", fill_value=BELOW, keep_empty_features=True)
        rows = np.asarray(inputs, np.float32)
        pipeline = make_pipeline(filler, trees).fit(rows, answers)
        return ForestFitted(pipeline, kind, rows.shape[1])


@dataclass(frozen=True)
class ForestFitted:
    """A fitted pipeline of scikit-learn.

    Attributes:
        pipeline: imputation and trees.
        kind: kind of the answer.
        width: number of input columns.
    """

    pipeline: Any
    kind: Kind
    width: int

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes, or numbers."""
        rows = np.asarray(inputs, np.float32)
        if self.kind == "binary":
            return np.asarray(self.pipeline.predict_proba(rows)[:, 1], np.float64)
        return np.asarray(self.pipeline.predict(rows), np.float64)

    def to_onnx(self) -> bytes:
        """Exports the pipeline for serving."""
        return to_onnx(self.pipeline, self.width)

    @property
    def trees(self) -> "ForestTrees":
        """The trees alone, without scikit-learn."""
        place = 1 if self.kind == "binary" else 0  # a chance of yes has one class only if there was but one
        parts = []
        for estimator in self.pipeline.steps[-1][1].estimators_:
            tree = estimator.tree_
            values = tree.value[:, 0, min(place, tree.value.shape[2] - 1)]
            parts.append(
                Tree(
                    tree.children_left,
                    tree.children_right,
                    tree.feature,
                    tree.threshold,
                    values,
                    tree.weighted_n_node_samples,
                )
            )
        return ForestTrees(tuple(parts))

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions in chances or units of the answer."""
        return self.trees.contributions(inputs)

    def native(self) -> str:
        """Serializes the trees as JSON, from which ``contributions`` can be computed again."""
        return self.trees.to_json()


@dataclass(frozen=True)
class ForestTrees:
    """The trees of a forest, whose answers it averages."""

    trees: tuple[Tree, ...]

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions; the base value is in the last column."""
        rows = np.asarray(inputs, np.float32)
        rows = np.where(np.isnan(rows), np.float32(BELOW), rows)
        return np.asarray(sum(tree_shap(tree, rows) for tree in self.trees) / len(self.trees))

    def to_json(self) -> str:
        """Serializes the trees."""
        return json.dumps([{name: part.tolist() for name, part in asdict(tree).items()} for tree in self.trees])

    @classmethod
    def from_native(cls, text: str) -> "ForestTrees":
        """Reads what ``to_json`` wrote."""
        return cls(tuple(Tree(**{name: np.array(part) for name, part in tree.items()}) for tree in json.loads(text)))
