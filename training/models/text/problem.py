"""What a stack of linear models of words learns from: the search of its strengths."""

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
"""Words and labels (n,) → what was learned of them by a recipe."""


def parameters_of(recipe: Recipe) -> dict[str, Any]:
    """Strength of each member by its name, of the layer on top, and how frequent a run of words must be."""
    return {
        **{f"{member.name}_strength": member.strength for member in recipe.members},
        f"{TOP}_strength": recipe.strength,
        "fewest": recipe.fewest,
    }


def recipe_with(recipe: Recipe, parameters: Mapping[str, Any]) -> Recipe:
    """The recipe with other parameters, by the names of ``parameters_of``."""
    told = {**parameters_of(recipe), **parameters}
    members = tuple(replace(member, strength=float(told[f"{member.name}_strength"])) for member in recipe.members)
    return replace(recipe, members=members, strength=float(told[f"{TOP}_strength"]), fewest=int(told["fewest"]))


@dataclass(frozen=True)
class TextProblem(Problem):
    """Log loss of texts; no text is asked about that a part of was learned from.

    Attributes:
        tokens: words of n texts.
        labels: (n,) numbers of classes.
        learned: texts that the test learns from.
        asked: whole texts that it asks about.
        recipe: as it is declared.
        fit: learns; stands at the top of its module.
        seed: of the folds.
    """

    tokens: tuple[list[str], ...]
    labels: np.ndarray
    learned: np.ndarray
    asked: np.ndarray
    recipe: Recipe
    fit: Fit
    seed: int = 0

    @classmethod
    def of(cls, texts: LabelledTexts, labels: np.ndarray, recipe: Recipe, fit: Fit) -> "TextProblem":
        """Split as a run splits them."""
        parts = split(texts)
        return cls(texts.tokens, labels, parts.train, parts.test, recipe, fit)

    @property
    def folds(self) -> int:
        """Parts of the whole texts that are learned from."""
        return FOLDS if len(self._parts) == FOLDS else 0

    @property
    def default(self) -> dict[str, Any]:
        """As it is declared."""
        return parameters_of(self.recipe)

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Inverse regularisation of each part."""
        found: dict[str, Any] = {
            name: trial.suggest_float(name, 0.01, 100.0, log=True) for name in self.default if name != "fewest"
        }
        return found | {"fewest": trial.suggest_int("fewest", 1, 4)}

    def loss(self, fold: int, parameters: dict[str, Any]) -> float:
        """Mean over the whole texts of a part."""
        return float(self._losses(*self._parts[fold], parameters).mean())

    def test(self, parameters: dict[str, Any], without: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Text by text; there are no views to leave out."""
        return self._losses(self.learned, self.asked, parameters), self.asked

    @cached_property
    def _parts(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Texts to learn from, and to ask about."""
        belong = owners([self.tokens[row] for row in self.learned])
        whole = whole_texts(belong)
        fold = np.full(len(self.learned), -1)
        fold[np.random.default_rng(self.seed).permutation(whole)] = np.arange(len(whole)) % FOLDS
        found = []
        for number in range(FOLDS):
            apart = [row for row, mine in enumerate(belong) if not (fold[mine] == number).any()]
            asked = np.flatnonzero(fold == number)
            if len(np.unique(self.labels[self.learned[apart]])) > 1 and len(asked):
                found.append((self.learned[apart], self.learned[asked]))
        return found

    def _losses(self, learned: np.ndarray, asked: np.ndarray, parameters: Mapping[str, Any]) -> np.ndarray:
        tokens = [self.tokens[row] for row in learned]
        model = self.fit(tokens, self.labels[learned], recipe_with(self.recipe, parameters))
        chances = model.predict([self.tokens[row] for row in asked])
        return -np.log(np.clip(chances[np.arange(len(asked)), self.labels[asked]], 1e-7, 1.0))
