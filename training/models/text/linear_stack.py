"""Fits ``transforms.pure.text.linear``: the members, each with its own view of the text, and the layer on top."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.datasets.texts import whole_texts
from training.robustness.attacks.texts.typos import WORD, mistype
from transforms.pure.text.linear import LinearText, Member
from transforms.pure.text.tfidf import SparseRows, Tfidf


@dataclass(frozen=True)
class MemberRecipe:
    """Settings of the fit of one member.

    Attributes:
        analyzer: name of the analyzer of its terms.
        present: whether its inputs are the presence of terms instead of tf-idf, scaled by the log count ratio of the
            classes (Wang and Manning 2012).
        strength: inverse of the regularisation (C of logistic regression).
    """

    analyzer: str
    present: bool
    strength: float

    @property
    def name(self) -> str:
        """Return the name of the member, unique in its recipe."""
        return f"{self.analyzer}_present" if self.present else self.analyzer


@dataclass(frozen=True)
class Recipe:
    """Settings of the fit of a stack. The values were chosen on held-out sentences of SST-2, see docs/text.md.

    Attributes:
        members: settings of the members.
        folds: number of folds of the whole texts; each fold is scored by members that were fitted without it.
        strength: inverse of the regularisation of the layer on top.
        fewest: minimum number of texts with a run of words; parts of words need one more.
        most: maximum size of each vocabulary; the most frequent terms stay.
        augment: share of the words that have a typing error in a second copy of each text; 0 for no copies.
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
    augment: float = 0.0


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
    """Fit the members and the layer on top; the layer is their mean if a class has fewer whole texts than folds.

    Args:
        tokens: words of n texts.
        labels: (n,) class numbers.
        classes: class names.
        belong: for each text, the whole texts that it is part of (``training.datasets.texts.owners``); none for texts
            that are only for fitting, such as the words of a lexicon.
        recipe: settings of the fit.
        weights: (n,) weights of the texts; the square root of their length if None.
        seed: random seed of the folds.
    """
    if weights is None:
        weights = by_length(tokens)
    if recipe.augment > 0:
        copies = mistype_tokens(tokens, recipe.augment, seed)
        tokens, belong = [*tokens, *copies], [*belong, *belong]
        labels, weights = np.concatenate([labels, labels]), np.concatenate([weights, weights])
    analyzers = tuple(dict.fromkeys(member.analyzer for member in recipe.members))
    spaces = tuple(
        Tfidf.fit(name, tokens, fewest=recipe.fewest + (name == "parts"), most=recipe.most) for name in analyzers
    )
    rows = {name: space.rows(tokens) for name, space in zip(analyzers, spaces, strict=True)}
    members = _members(recipe, analyzers, rows, labels, classes, np.arange(len(tokens)), weights)
    whole_rows = whole_texts(belong)
    if np.bincount(labels[whole_rows], minlength=len(classes)).min() < recipe.folds:
        return LinearText(classes, spaces, members, *_mean(len(recipe.members), _column_count(classes)))
    fold = np.full(len(tokens), -1)
    shuffled = np.random.default_rng(seed).permutation(whole_rows)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold[by_class] = np.arange(len(whole_rows)) % recipe.folds
    scored = np.zeros(len(tokens), bool)
    scores = np.zeros((len(tokens), len(recipe.members) * _column_count(classes)))
    for fold_number in range(recipe.folds):
        fold_rows = np.flatnonzero(fold == fold_number)
        training_rows = np.array(
            [row for row, owner_rows in enumerate(belong) if not np.any(fold[owner_rows] == fold_number)]
        )
        if not len(fold_rows) or len(np.unique(labels[training_rows])) < len(classes):
            continue
        fold_members = _members(recipe, analyzers, rows, labels, classes, training_rows, weights)
        fold_inputs = [_take_rows(rows[name], fold_rows) for name in analyzers]
        scores[fold_rows] = np.concatenate([member.score(fold_inputs) for member in fold_members], axis=1)
        scored[fold_rows] = True
    if len(np.unique(labels[scored])) < len(classes):
        return LinearText(classes, spaces, members, *_mean(len(recipe.members), _column_count(classes)))
    layer_weights, bias = _layer(scores[scored], labels[scored], len(classes), recipe.strength)
    return LinearText(classes, spaces, members, layer_weights, bias)


def mistype_tokens(tokens: Sequence[list[str]], share: float, seed: int) -> list[list[str]]:
    """Return copies of the words of texts, a share of them with a typing error, for training that expects errors.

    >>> mistype_tokens([["fine", "."]], 1.0, 0)[0][0] == "fine", mistype_tokens([["fine", "."]], 1.0, 0)[0][1]
    (False, '.')
    """
    rng = np.random.default_rng(seed)
    return [
        [mistype(word, rng) if WORD.fullmatch(word) and rng.random() < share else word for word in text_tokens]
        for text_tokens in tokens
    ]


def by_length(tokens: Sequence[Sequence[str]]) -> np.ndarray:
    """Return (n,) weights: the square root of each text's length relative to ten words."""
    return np.sqrt(np.array([max(len(text_tokens), 1) for text_tokens in tokens]) / 10)


def _column_count(classes: tuple[str, ...]) -> int:
    return 1 if len(classes) == 2 else len(classes)


def _members(
    recipe: Recipe,
    analyzers: tuple[str, ...],
    rows: dict[str, SparseRows],
    labels: np.ndarray,
    classes: tuple[str, ...],
    training_rows: np.ndarray,
    weights: np.ndarray,
) -> tuple[Member, ...]:
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    members = []
    columns = _column_count(classes)
    for member in recipe.members:
        member_rows = _take_rows(rows[member.analyzer], training_rows)
        values = np.ones_like(member_rows.values) if member.present else member_rows.values
        starts = member_rows.starts.astype(np.int32)  # liblinear takes no others
        matrix = csr_array((values, member_rows.terms, starts), shape=(len(training_rows), member_rows.width))
        weights_by_term, bias = np.zeros((member_rows.width, columns)), np.zeros(columns)
        for column in range(columns):
            is_class = labels[training_rows] == (1 if columns == 1 else column)
            scale = _log_ratio(matrix, is_class) if member.present else None
            inputs = matrix.copy()
            if scale is not None:
                inputs.data = scale[matrix.indices]
            model = LogisticRegression(C=member.strength, solver="liblinear", tol=1e-3, intercept_scaling=10.0)
            model.fit(inputs, is_class, sample_weight=weights[training_rows])
            weights_by_term[:, column] = model.coef_[0] * (1 if scale is None else scale)
            bias[column] = model.intercept_[0]
        members.append(
            Member(analyzers.index(member.analyzer), member.present, weights_by_term.astype(np.float32), bias)
        )
    return tuple(members)


def _log_ratio(matrix, yes: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    positive = SMOOTHING + np.asarray(matrix[yes].sum(axis=0)).ravel()
    negative = SMOOTHING + np.asarray(matrix[~yes].sum(axis=0)).ravel()
    return np.log((positive / positive.sum()) / (negative / negative.sum()))


def _mean(members: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the layer that takes the mean of the members, for too few texts to fit one."""
    return np.tile(np.eye(columns), (members, 1)) / members, np.zeros(columns)


def _layer(scores: np.ndarray, labels: np.ndarray, classes: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Fit the layer on top to cross-fitted scores; return its weights (columns, k) and bias (k,)."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = scores.mean(axis=0), scores.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    model = LogisticRegression(C=strength, max_iter=3_000).fit((scores - mean) / spread, labels)
    weights = np.zeros((1 if classes == 2 else classes, scores.shape[1]))
    bias = np.zeros(len(weights))
    fitted_classes = np.arange(1) if classes == 2 else model.classes_
    weights[fitted_classes], bias[fitted_classes] = (
        model.coef_ / spread,
        model.intercept_ - model.coef_ @ (mean / spread),
    )
    return weights.T, bias


def _take_rows(rows: SparseRows, selected: np.ndarray) -> SparseRows:
    lengths = np.diff(rows.starts)[selected]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    value_positions = np.repeat(rows.starts[selected] - starts[:-1], lengths) + np.arange(starts[-1])
    return SparseRows(starts, rows.terms[value_positions], rows.values[value_positions], rows.width)
