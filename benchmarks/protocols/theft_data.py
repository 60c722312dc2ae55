"""Models to be stolen: connections of NSL-KDD, hits of Spotify, sentences of SST-2, lists of films of MovieLens."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.protocols import movielens
from benchmarks.surroundings import data_set
from training.estimators import LEARNERS

Answer = Callable[[np.ndarray], np.ndarray]
LISTED = 10


@dataclass(frozen=True)
class RowTarget:
    """Rows with a model of ours, divided at random into parts that share no row.

    Attributes:
        inputs: (n, d) rows.
        labels: (n,) 0 and 1.
        groups: (n,) texts that an ordinary asker's rows have in common; empty if there are none.
        own: places of the rows that the model was trained on.
        pool: places of the rows that a thief may ask about.
        test: places of the rows that decide.
        rest: places of all others.
    """

    inputs: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    own: np.ndarray
    pool: np.ndarray
    test: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> "RowTarget":
        """Divide rows: a fifth is ours, 10,000 are a thief's, 4,000 are the test."""
        own, pool, test, rest = np.split(
            np.random.default_rng(0).permutation(len(inputs)),
            np.cumsum([min(len(inputs) // 5, 6_000), 10_000, 4_000]),
        )
        return cls(inputs, labels, groups, own, pool, test, rest)

    def predictor(self, name: str = "lightgbm", places: np.ndarray | None = None, seed: int = 0) -> Answer:
        """Train a model on labels: ours by default."""
        rows = self.own if places is None else places
        return LEARNERS[name].fit(self.inputs[rows], self.labels[rows], "binary", {}, seed).predict

    @property
    def reference(self) -> np.ndarray:
        """1,000 of our rows, as a bundle has them."""
        return self.inputs[self.own[:1_000]]


def connections() -> RowTarget:
    """Read NSL-KDD: is it an attack? Texts are numbers of their kinds."""
    frame = pl.read_csv(data_set("nsl-kdd-train/KDDTrain+_20Percent.txt"), infer_schema_length=None)
    columns = [
        column.rank("dense").to_numpy() if column.dtype == pl.String else column.cast(float).to_numpy()
        for column in frame.drop("attack", "level")
    ]
    labels = (frame["attack"] != "normal").to_numpy().astype(float)
    return RowTarget.of(np.column_stack(columns).astype(np.float32), labels, frame["service"].to_numpy())


def hits() -> RowTarget:
    """Read the hit predictor: was it a hit? A model of rows that is often in doubt."""
    folder = data_set("spotify-hit-predictor")
    frame = pl.concat([pl.read_csv(path) for path in sorted(Path(folder).glob("*.csv"))])
    inputs = frame.select(pl.selectors.numeric().exclude("target")).to_numpy().astype(np.float32)
    return RowTarget.of(inputs, frame["target"].to_numpy().astype(float), np.empty(0))


class Sentences:
    """Sentiment of sentences: our model, and sentences that a thief may ask about."""

    def __init__(self) -> None:
        frame = pl.read_csv(
            data_set("sst2/train.tsv"), separator="\t", quote_char=None, infer_schema=False, has_header=True
        )
        texts, labels = frame[:, 0].to_numpy(), (frame[:, 1].to_numpy() == "1").astype(int)
        own, self.pool, self.test = np.split(
            np.random.default_rng(0).permutation(len(texts))[:26_000], [12_000, 24_000]
        )
        self.texts, self._vectorizer = texts, TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        inputs = self._vectorizer.fit_transform(texts[own])
        self._model = LogisticRegression(C=4.0, max_iter=300).fit(inputs, labels[own])

    def answer(self, texts: np.ndarray) -> np.ndarray:
        """Return the chances of a positive sentence, (n,)."""
        return np.asarray(self._model.predict_proba(self._vectorizer.transform(texts))[:, 1])

    @staticmethod
    def copy(texts: np.ndarray, answers: np.ndarray) -> Answer:
        """Train a copy on answers: each text counts as positive and as negative, with its chances."""
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        inputs = vectorizer.fit_transform(np.concatenate([texts, texts]))
        labels = np.repeat([1, 0], len(texts))
        weights = np.maximum(np.concatenate([answers, 1 - answers]), 1e-6)
        model = LogisticRegression(C=4.0, max_iter=300).fit(inputs, labels, sample_weight=weights)
        return lambda questions: np.asarray(model.predict_proba(vectorizer.transform(questions))[:, 1])


class Films:
    """Lists of films: EASE of half the people of MovieLens, asked with histories."""

    REGULARIZATION, CATALOGUE = 200.0, 600

    def __init__(self) -> None:
        plays = movielens.read(data_set(movielens.DATA))
        popular = np.argsort(-np.bincount(plays.track))[: self.CATALOGUE]
        matrix = np.zeros(plays.shape, np.float32)
        matrix[plays.user, plays.track] = 1
        people = np.random.default_rng(0).permutation(len(matrix))
        own, self.pool, self.test = (matrix[:, popular][part] for part in np.split(people, [450, 750]))
        inverse = np.linalg.inv(own.T @ own + self.REGULARIZATION * np.eye(self.CATALOGUE))
        self._weights = -inverse / np.diag(inverse)
        np.fill_diagonal(self._weights, 0)

    def answer(self, histories: np.ndarray) -> np.ndarray:
        """Return the lists (n, 10) of films for histories (n, films)."""
        return top(histories @ self._weights, histories)

    def copy(self, histories: np.ndarray, lists: np.ndarray) -> Answer:
        """Train a copy: ridge regression from histories to what was listed."""
        listed = np.zeros(histories.shape, np.float32)
        np.put_along_axis(listed, lists, 1.0, axis=1)
        gram = histories.T @ histories + 10.0 * np.eye(histories.shape[1])
        weights = np.linalg.solve(gram, histories.T @ listed)
        return lambda questions: top(questions @ weights, questions)


def top(scores: np.ndarray, histories: np.ndarray) -> np.ndarray:
    """Return the best films that are not in the history, (n, 10)."""
    return np.argsort(-np.where(histories > 0, -np.inf, scores), axis=1)[:, :LISTED]
