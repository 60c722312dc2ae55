"""Labelled texts, cut so that nothing that is asked was read before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.pure.text.words import words
from transforms.raw.read import scan


@dataclass(frozen=True)
class LabelledTexts:
    """n texts with a label each, in order of time.

    Attributes:
        texts: as stored.
        tokens: their words.
        labels: (n,) number of the class.
        classes: names of the classes, sorted.
        times: (n,) microseconds at which both the text and its label were known.
    """

    texts: tuple[str, ...]
    tokens: tuple[list[str], ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    times: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "LabelledTexts":
        """Some of them."""
        return LabelledTexts(
            tuple(self.texts[row] for row in rows),
            tuple(self.tokens[row] for row in rows),
            self.labels[rows],
            self.classes,
            self.times[rows],
        )

    @classmethod
    def of(cls, texts: Sequence[str], labels: Sequence[str], times: Sequence[int] | None = None) -> "LabelledTexts":
        """From lists."""
        classes = tuple(sorted(set(labels)))
        numbers = {name: number for number, name in enumerate(classes)}
        at = np.zeros(len(texts), np.int64) if times is None else np.asarray(times, np.int64)
        order = np.argsort(at, kind="stable")
        return cls(
            tuple(texts[row] for row in order),
            tuple(words(texts[row]) for row in order),
            np.array([numbers[labels[row]] for row in order], np.int64),
            classes,
            at[order],
        )

    @classmethod
    def load(cls, home: Home, task: str) -> "LabelledTexts":
        """Those of a task (sentiment, emotion); of a text told twice with one label, the first.

        Raises:
            InputError: there are none of at least two classes.
        """
        labels = scan(home, "text_labels").filter(pl.col("task") == task)
        known = pl.max_horizontal("created_timestamp", "created_timestamp_label")
        rows = (
            scan(home, "texts")
            .join(labels.select("text_id", "label", "created_timestamp"), on="text_id", suffix="_label")
            .select("text", "label", known.dt.timestamp("us").alias("known"))
            .sort("known", "text", "label")
            .unique(["text", "label"], keep="first", maintain_order=True)
            .collect()
        )
        if rows["label"].n_unique() < 2:
            raise InputError(
                expected=f"texts with labels of the task {task!r}, of two classes or more",
                found=f"{rows.height} of {rows['label'].n_unique()}",
                next_command="python -m transforms simulate  (or: python -m transforms import texts PATH)",
            )
        return cls.of(rows["text"].to_list(), rows["label"].to_list(), rows["known"].to_list())


def owners(tokens: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """Of each text, the numbers of the whole texts that it is part of; of a whole text, its own.

    A text is whole if no other contains it, word by word. Corpora such as the Stanford Sentiment Treebank label
    phrases and the sentences that they were cut from: whoever holds sentences back must hold their phrases back too.
    """
    order = sorted(range(len(tokens)), key=lambda number: -len(tokens[number]))
    padded: dict[str, list[tuple[int, str]]] = {}
    found: list[np.ndarray] = [np.empty(0, np.int64)] * len(tokens)
    same: dict[str, int] = {}
    for number in order:
        mine = tokens[number]
        text = f" {' '.join(mine)} "
        if text in same:
            found[number] = found[same[text]]
            continue
        same[text] = number
        rarest = min((padded.get(word, ()) for word in set(mine)), key=len, default=())
        within = [other for other, whole in rarest if text in whole]
        found[number] = np.array(within or [number], np.int64)
        if not within:
            for word in set(mine):
                padded.setdefault(word, []).append((number, text))
    return found


def whole_texts(belong: Sequence[np.ndarray]) -> np.ndarray:
    """Numbers of the texts that no other contains, given the ``owners``."""
    whole = [number for number, mine in enumerate(belong) if len(mine) == 1 and mine[0] == number]
    return np.array(whole, np.int64)


@dataclass(frozen=True)
class TextSplit:
    """Rows to learn from and rows to be asked about.

    Attributes:
        train: rows, none of whose texts is part of one of ``test``.
        test: whole texts.
        by: how they were told apart.
    """

    train: np.ndarray
    test: np.ndarray
    by: str


def split(texts: LabelledTexts, *, share: float = 0.2, seed: int = 0) -> TextSplit:
    """The newest whole texts to be asked about; drawn at random where all are of one time."""
    belong = owners(texts.tokens)
    whole = whole_texts(belong)
    if texts.times[0] < texts.times[-1]:
        held = whole[int(len(whole) * (1 - share)) :]
        by = "time"
    else:
        held = np.sort(np.random.default_rng(seed).permutation(whole)[: int(len(whole) * share)])
        by = "chance"
    asked = np.zeros(len(texts), bool)
    asked[held] = True
    kept = np.array([not asked[mine].any() for mine in belong])
    if by == "time":
        kept &= texts.times <= texts.times[held[0]]
    return TextSplit(np.flatnonzero(kept), held, by)
