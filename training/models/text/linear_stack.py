"""Fitting of ``transforms.pure.text.linear``: what each member sees, and the layer on top."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.datasets.texts import whole_texts
from transforms.pure.text.linear import LinearText, Member
from transforms.pure.text.tfidf import SparseRows, Tfidf


@dataclass(frozen=True)
class MemberRecipe:
    """How one member is fitted.

    Attributes:
        analyzer: what it counts.
        present: whether it sees presence alone, scaled by the classes' log count ratio (Wang and Manning 2012).
        strength: inverse of the regularisation (C of logistic regression).
    """

    analyzer: str
    present: bool
    strength: float

    @property
    def name(self) -> str:
        """Of the member, among those of its recipe."""
        return f"{self.analyzer}_present" if self.present else self.analyzer


@dataclass(frozen=True)
class Recipe:
    """How a stack is fitted. The values were chosen by sentences of SST-2 held apart, see docs/text.md.

    Attributes:
        members: its members.
        folds: parts of the whole texts, each of which is scored by members that have not seen it.
        strength: inverse of the regularisation of the layer on top.
        fewest: texts that a run of words must be in; parts of words need one more.
        most: terms of each vocabulary; the most frequent are kept.
    """

    members: tuple[MemberRecipe, ...] = (
        MemberRecipe("runs", present=False, strength=5.0),
        MemberRecipe("parts", present=False, strength=3.0),
        MemberRecipe("turned", present=False, strength=5.0),
        MemberRecipe("runs", present=True, strength=0.2),
    )
    folds: int = 4
    strength: float = 0.1
    fewest: int = 2
    most: int = 80_000


DEFAULT = Recipe()
SMOOTHING = 0.5


def fit(
    tokens: Sequence[list[str]],
    labels: np.ndarray,
    classes: tuple[str, ...],
    belong: Sequence[np.ndarray],
    *,
    recipe: Recipe = DEFAULT,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> LinearText:
    """Fit members and the layer on top, which is their mean where a class has fewer whole texts than there are folds.

    Args:
        tokens: words of n texts.
        labels: (n,) numbers of classes.
        classes: their names.
        belong: of each text, the whole texts that it is part of (``training.datasets.texts.owners``); none for what
            helps to learn and is never asked about, such as a lexicon.
        recipe: how.
        weights: (n,) of the texts; by the square root of their length if None.
        seed: of the folds.
    """
    if weights is None:
        weights = by_length(tokens)
    analyzers = tuple(dict.fromkeys(member.analyzer for member in recipe.members))
    spaces = tuple(
        Tfidf.fit(name, tokens, fewest=recipe.fewest + (name == "parts"), most=recipe.most) for name in analyzers
    )
    rows = {name: space.rows(tokens) for name, space in zip(analyzers, spaces, strict=True)}
    members = _members(recipe, analyzers, rows, labels, classes, np.arange(len(tokens)), weights)
    whole = whole_texts(belong)
    if np.bincount(labels[whole], minlength=len(classes)).min() < recipe.folds:
        return LinearText(classes, spaces, members, *_mean(len(recipe.members), _columns(classes)))
    fold = np.full(len(tokens), -1)
    fold[np.random.default_rng(seed).permutation(whole)] = np.arange(len(whole)) % recipe.folds
    scores = np.zeros((len(tokens), len(recipe.members) * _columns(classes)))
    for number in range(recipe.folds):
        asked = np.flatnonzero(fold == number)
        learned = np.array([row for row, mine in enumerate(belong) if not np.any(fold[mine] == number)])
        if not len(asked) or len(np.unique(labels[learned])) < len(classes):
            continue
        apart = _members(recipe, analyzers, rows, labels, classes, learned, weights)
        taken = [_take(rows[name], asked) for name in analyzers]
        scores[asked] = np.concatenate([member.score(taken) for member in apart], axis=1)
    top, bias = _layer(scores[whole], labels[whole], len(classes), recipe.strength)
    return LinearText(classes, spaces, members, top, bias)


def by_length(tokens: Sequence[Sequence[str]]) -> np.ndarray:
    """(n,) weights: the square root of a text's length against ten words."""
    return np.sqrt(np.array([max(len(one), 1) for one in tokens]) / 10)


def _columns(classes: tuple[str, ...]) -> int:
    return 1 if len(classes) == 2 else len(classes)


def _members(
    recipe: Recipe,
    analyzers: tuple[str, ...],
    rows: dict[str, SparseRows],
    labels: np.ndarray,
    classes: tuple[str, ...],
    learned: np.ndarray,
    weights: np.ndarray,
) -> tuple[Member, ...]:
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    found = []
    columns = _columns(classes)
    for member in recipe.members:
        part = _take(rows[member.analyzer], learned)
        values = np.ones_like(part.values) if member.present else part.values
        matrix = csr_array((values, part.terms, part.starts), shape=(len(learned), part.width))
        table, bias = np.zeros((part.width, columns)), np.zeros(columns)
        for column in range(columns):
            yes = labels[learned] == (1 if columns == 1 else column)
            scale = _log_ratio(matrix, yes) if member.present else None
            scaled = matrix if scale is None else (matrix @ _diagonal(scale)).tocsr()
            model = LogisticRegression(C=member.strength, max_iter=3_000)
            model.fit(scaled, yes, sample_weight=weights[learned])
            table[:, column] = model.coef_[0] * (1 if scale is None else scale)
            bias[column] = model.intercept_[0]
        found.append(Member(analyzers.index(member.analyzer), member.present, table.astype(np.float32), bias))
    return tuple(found)


def _log_ratio(matrix, yes: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    positive = SMOOTHING + np.asarray(matrix[yes].sum(axis=0)).ravel()
    negative = SMOOTHING + np.asarray(matrix[~yes].sum(axis=0)).ravel()
    return np.log((positive / positive.sum()) / (negative / negative.sum()))


def _diagonal(values: np.ndarray):  # type: ignore[no-untyped-def]
    from scipy.sparse import diags_array

    return diags_array(values)


def _mean(members: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Of too few texts to fit a layer to."""
    return np.tile(np.eye(columns), (members, 1)) / members, np.zeros(columns)


def _layer(scores: np.ndarray, labels: np.ndarray, classes: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """(columns, k) weights and (k,) bias of a logistic regression on scores of texts that members had not seen."""
    from sklearn.linear_model import LogisticRegression

    middle, spread = scores.mean(axis=0), scores.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    model = LogisticRegression(C=strength, max_iter=3_000).fit((scores - middle) / spread, labels)
    table = np.zeros((1 if classes == 2 else classes, scores.shape[1]))
    bias = np.zeros(len(table))
    known = np.arange(1) if classes == 2 else model.classes_
    table[known], bias[known] = model.coef_ / spread, model.intercept_ - model.coef_ @ (middle / spread)
    return table.T, bias


def _take(rows: SparseRows, chosen: np.ndarray) -> SparseRows:
    lengths = np.diff(rows.starts)[chosen]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(rows.starts[chosen] - starts[:-1], lengths) + np.arange(starts[-1])
    return SparseRows(starts, rows.terms[places], rows.values[places], rows.width)
