"""Contributions of trees are Shapley values: equal to sums over all subsets of columns, to LightGBM's and to shap's."""

from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.estimators.forest import BELOW, Forest
from training.estimators.lightgbm_trees import LightGbmTrees
from training.estimators.linear import Linear
from training.estimators.tree_shap import Tree, tree_shap

WIDTH = 4


def grown(seed: int, depth: int = 4) -> Tree:
    """Grow a tree of random splits; columns come again on a path, some with branches that no row takes."""
    rng = np.random.default_rng(seed)
    nodes: list[list[float]] = []

    def grow(level: int, cover: float) -> int:
        number = len(nodes)
        nodes.append([-1, -1, rng.integers(WIDTH), rng.normal(), rng.normal(), cover])
        if level and rng.random() < 0.8:
            share = rng.uniform(0.05, 0.95)
            nodes[number][0] = grow(level - 1, cover * share)
            nodes[number][1] = grow(level - 1, cover * (1 - share))
        return number

    grow(depth, 64.0)
    columns = [np.array(column) for column in zip(*nodes, strict=True)]
    left, right, column = (part.astype(int) for part in columns[:3])
    return Tree(left, right, column, *columns[3:])


def expectation(tree: Tree, row: np.ndarray, known: frozenset[int], node: int = 0) -> float:
    """Return the answer where unknown columns take both branches, by the training rows of each."""
    left, right = int(tree.left[node]), int(tree.right[node])
    if left < 0:
        return float(tree.value[node])
    if int(tree.column[node]) in known:
        return expectation(tree, row, known, left if row[tree.column[node]] <= tree.threshold[node] else right)
    return sum(tree.cover[child] / tree.cover[node] * expectation(tree, row, known, child) for child in (left, right))


def by_subsets(tree: Tree, row: np.ndarray) -> list[float]:
    parts = []
    for column in range(WIDTH):
        others = [other for other in range(WIDTH) if other != column]
        total = 0.0
        for size in range(WIDTH):
            weight = factorial(size) * factorial(WIDTH - size - 1) / factorial(WIDTH)
            for subset in combinations(others, size):
                known = frozenset(subset)
                total += weight * (expectation(tree, row, known | {column}) - expectation(tree, row, known))
        parts.append(total)
    return [*parts, expectation(tree, row, frozenset())]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000))
def test_contributions_are_sums_over_all_subsets(seed: int) -> None:
    tree = grown(seed)
    rows = np.random.default_rng(seed + 1).normal(size=(3, WIDTH))
    for row in rows:
        np.testing.assert_allclose(tree_shap(tree, row[None])[0], by_subsets(tree, row), atol=1e-12)


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(500, WIDTH)).astype(np.float32)
    return inputs, inputs[:, 0] * (inputs[:, 1] > 0) + inputs[:, 2] ** 2 + 0.1 * rng.normal(size=500)


def of_lightgbm(structure: dict[str, Any]) -> Tree:
    """Read a tree of LightGBM's own description."""
    nodes: list[list[float]] = []

    def read(node: dict[str, Any]) -> int:
        number = len(nodes)
        if "leaf_value" in node:
            nodes.append([-1, -1, 0, 0.0, node["leaf_value"], node["leaf_count"]])
            return number
        nodes.append([0, 0, node["split_feature"], node["threshold"], 0.0, node["internal_count"]])
        nodes[number][0], nodes[number][1] = read(node["left_child"]), read(node["right_child"])
        return number

    read(structure)
    columns = [np.array(column) for column in zip(*nodes, strict=True)]
    return Tree(*(part.astype(int) for part in columns[:3]), *columns[3:])


def test_contributions_are_those_of_lightgbm() -> None:
    inputs, answers = data()
    fitted = LightGbmTrees().fit(inputs, answers, "number", {"trees": 12})
    trees = [of_lightgbm(each["tree_structure"]) for each in fitted.booster.dump_model()["tree_info"]]
    contributions = sum(tree_shap(tree, inputs[:40].astype(float)) for tree in trees)
    np.testing.assert_allclose(contributions, fitted.contributions(inputs[:40]), atol=1e-6)


@pytest.mark.parametrize("kind", ["binary", "number"])
def test_contributions_of_a_forest_are_those_of_shap(kind: str) -> None:
    shap = pytest.importorskip("shap", reason="compared with shap where it is installed")
    inputs, answers = data()
    inputs[::7, 1] = np.nan
    labels = (answers > 1).astype(float) if kind == "binary" else answers
    fitted = Forest().fit(inputs, labels, kind, {"trees": 5})  # type: ignore[arg-type]
    filled = np.where(np.isnan(inputs[:30]), np.float32(BELOW), inputs[:30])
    explainer = shap.TreeExplainer(fitted.pipeline.steps[-1][1], feature_perturbation="tree_path_dependent")
    expected = np.asarray(explainer.shap_values(filled, check_additivity=False))
    expected = expected[..., 1] if expected.ndim == 3 else expected
    np.testing.assert_allclose(fitted.contributions(inputs[:30])[:, :-1], expected, atol=1e-9)


def test_a_forest_of_one_class_and_of_one_leaf_adds_up() -> None:
    inputs, _ = data()
    for labels, kind in ((np.ones(500), "binary"), (np.zeros(500), "number")):
        fitted = Forest().fit(inputs, labels, kind, {"trees": 3})  # type: ignore[arg-type]
        contributions = fitted.contributions(inputs[:4])
        assert (contributions[:, :-1] == 0).all()
        np.testing.assert_allclose(contributions[:, -1], labels[:4])


def test_contributions_of_a_linear_model_are_weight_times_distance() -> None:
    """In plain loops over the pipeline's own numbers, with missing values and their indicators."""
    inputs, answers = data()
    inputs[::5, 2] = np.nan
    fitted = Linear().fit(inputs, answers, "number", {})
    imputer, scaler, regression = (step for _, step in fitted.pipeline.steps)
    contributions = fitted.contributions(inputs[:10])
    for row in range(10):
        scaled = scaler.transform(imputer.transform(inputs[row : row + 1]))[0]
        expected = [scaled[column] * regression.coef_[column] for column in range(WIDTH)]
        expected[2] += scaled[WIDTH] * regression.coef_[WIDTH]
        np.testing.assert_allclose(contributions[row], [*expected, regression.intercept_], atol=1e-6)
    np.testing.assert_allclose(contributions.sum(axis=1), fitted.predict(inputs[:10]), atol=1e-5)
