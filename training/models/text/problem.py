"""The search problem of a stack of linear text models: labelled texts and the strengths to choose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from training.datasets.texts import LabelledTexts, owners, split, whole_texts
from training.models.problem import Problem
from training.models.text.linear_stack import Recipe
from transforms.pure.text.linear import LinearText

if TYPE_CHECKING:
    import optuna

FOLDS = 3
TOP = "top"
Fit = Callable[[list[list[str]], np.ndarray, Recipe], LinearText]
"""Function that fits a model: words of n texts, labels (n,), recipe → model."""


def parameters_of(recipe: Recipe) -> dict[str, Any]:
    """Return the parameters of a recipe: strengths of the members and of the layer on top, ``fewest``, ``augment``."""
    return {
        **{f"{member.name}_strength": member.strength for member in recipe.members},
        f"{TOP}_strength": recipe.strength,
        "fewest": recipe.fewest,
        "augment": recipe.augment,
    }


def recipe_with(recipe: Recipe, parameters: Mapping[str, Any]) -> Recipe:
    """Return the recipe with some parameters replaced; the names are those of ``parameters_of``."""
    values = {**parameters_of(recipe), **parameters}
    members = tuple(replace(member, strength=float(values[f"{member.name}_strength"])) for member in recipe.members)
    return replace(
        recipe,
        members=members,
        strength=float(values[f"{TOP}_strength"]),
        fewest=int(values["fewest"]),
        augment=float(values["augment"]),
    )


def chances(model: LinearText, tokens: Sequence[list[str]], classes: tuple[str, ...]) -> np.ndarray:
    """Return the probabilities (n, classes) of n texts; 0 for classes that the model does not know."""
    probabilities = np.zeros((len(tokens), len(classes)))
    probabilities[:, [classes.index(name) for name in model.classes]] = model.predict(tokens)
    return probabilities


@dataclass(frozen=True)
class TextProblem(Problem):
    """The search problem of a text classifier by log loss. No part of a test text is in the training texts.

    Attributes:
        tokens: words of n texts.
        labels: (n,) class numbers.
        classes: class names.
        training_rows: numbers of the training texts of the test.
        test_rows: numbers of the whole texts that are the test.
        recipe: settings of the declared model.
        fit: function that fits a model, so that it can be pickled: one at the top level of its module, or its partial.
        seed: random seed of the folds.
    """

    tokens: tuple[list[str], ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    training_rows: np.ndarray
    test_rows: np.ndarray
    recipe: Recipe
    fit: Fit
    seed: int = 0

    @classmethod
    def of(cls, texts: LabelledTexts, recipe: Recipe, fit: Fit) -> "TextProblem":
        """Make the problem of texts, with the same split as a training run."""
        parts = split(texts)
        return cls(texts.tokens, texts.labels, texts.classes, parts.train, parts.test, recipe, fit)

    @property
    def folds(self) -> int:
        """Return the number of folds of the training texts, or 0 if some fold cannot be used."""
        return FOLDS if len(self._parts) == FOLDS else 0

    @property
    def default(self) -> dict[str, Any]:
        """Return the parameters of the declared model."""
        return parameters_of(self.recipe)

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggest strengths of the members and of the layer on top, and ``fewest``."""
        strengths: dict[str, Any] = {
            name: trial.suggest_float(name, 0.01, 100.0, log=True)
            for name in self.default
            if name not in ("fewest", "augment")  # augmentation pays off under attack, which the loss does not see
        }
        return strengths | {"fewest": trial.suggest_int("fewest", 1, 4)}

    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Return the mean loss over the whole texts of a fold."""
        return float(self._losses(*self._parts[fold], parameters).mean())

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of each test text, and the text itself as its cluster; ``without`` has no effect."""
        return self._losses(self.training_rows, self.test_rows, parameters), self.test_rows

    @cached_property
    def _parts(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return for each fold the numbers of training texts and of validation texts."""
        belong = owners([self.tokens[row] for row in self.training_rows])
        whole_rows = whole_texts(belong)
        fold = np.full(len(self.training_rows), -1)
        fold[np.random.default_rng(self.seed).permutation(whole_rows)] = np.arange(len(whole_rows)) % FOLDS
        splits = []
        for fold_number in range(FOLDS):
            fold_training = [
                row for row, owner_rows in enumerate(belong) if not (fold[owner_rows] == fold_number).any()
            ]
            validation_rows = np.flatnonzero(fold == fold_number)
            if len(np.unique(self.labels[self.training_rows[fold_training]])) > 1 and len(validation_rows):
                splits.append((self.training_rows[fold_training], self.training_rows[validation_rows]))
        return splits

    def _losses(self, train: np.ndarray, test: np.ndarray, parameters: Mapping[str, Any]) -> np.ndarray:
        tokens = [self.tokens[row] for row in train]
        model = self.fit(tokens, self.labels[train], recipe_with(self.recipe, parameters))
        probabilities = chances(model, [self.tokens[row] for row in test], self.classes)
        return -np.log(np.clip(probabilities[np.arange(len(test)), self.labels[test]], 1e-7, 1.0))
