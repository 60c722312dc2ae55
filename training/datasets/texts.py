"""Labelled texts, and a split that keeps every part of a test text out of the training set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets.consent import raw_rows
from transforms.pure.text.language import UNKNOWN, languages
from transforms.pure.text.words import words
from transforms.raw.read import scan

FEWEST_A_CLASS = 10
"""Minimum number of labelled texts of a class; a rarer class is left out, and the report names it."""
SAMPLE, CONFIDENT, LEAST_SHARE = 500, 0.7, 0.1
"""Texts whose language is detected, the confidence from which it counts, and the least share of a language learned."""


@dataclass(frozen=True)
class LabelledTexts:
    """n texts with one label each, in order of time.

    Attributes:
        texts: texts as stored.
        tokens: words of each text.
        labels: (n,) class number of each text.
        classes: class names, sorted.
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
        """Selects texts by row number."""
        return LabelledTexts(
            tuple(self.texts[row] for row in rows),
            tuple(self.tokens[row] for row in rows),
            self.labels[rows],
            self.classes,
            self.times[rows],
        )

    def learnable(self, among: Collection[str] | None = None) -> tuple["LabelledTexts", dict[str, int]]:
        """Keeps the texts of the classes with at least ``FEWEST_A_CLASS`` texts.

        Args:
            among: names of the classes of the task; any if None.

        Returns:
            The kept texts with their classes numbered anew, and the classes left out with their numbers of texts.
        """
        counts = np.bincount(self.labels, minlength=len(self.classes))
        is_kept = np.array(
            [
                count >= FEWEST_A_CLASS and (among is None or name in among)
                for name, count in zip(self.classes, counts, strict=True)
            ]
        )
        kept = self.take(np.flatnonzero(is_kept[self.labels]))
        names = tuple(name for name, has_enough in zip(self.classes, is_kept, strict=True) if has_enough)
        left_out = {
            name: int(count)
            for name, count, has_enough in zip(self.classes, counts, is_kept, strict=True)
            if not has_enough
        }
        return replace(kept, labels=(np.cumsum(is_kept) - 1)[kept.labels], classes=names), left_out

    @classmethod
    def of(cls, texts: Sequence[str], labels: Sequence[str], times: Sequence[int] | None = None) -> "LabelledTexts":
        """Makes labelled texts from lists; times default to 0."""
        classes = tuple(sorted(set(labels)))
        class_numbers = {name: class_number for class_number, name in enumerate(classes)}
        times_us = np.zeros(len(texts), np.int64) if times is None else np.asarray(times, np.int64)
        order = np.argsort(times_us, kind="stable")
        return cls(
            tuple(texts[row] for row in order),
            tuple(words(texts[row]) for row in order),
            np.array([class_numbers[labels[row]] for row in order], np.int64),
            classes,
            times_us[order],
        )

    @classmethod
    def load(cls, home: Home, task: str) -> "LabelledTexts":
        """Loads the texts of a task (sentiment, emotion). Of equal texts with the same label the first counts.

        Labels are compared in lower case.

        Raises:
            InputError: the texts have fewer than two classes.
        """
        labels = scan(home, "text_labels").filter(pl.col("task") == task)
        known_at = pl.max_horizontal("created_timestamp", "created_timestamp_label")
        rows = (
            raw_rows(home, "texts")
            .join(labels.select("text_id", "label", "created_timestamp"), on="text_id", suffix="_label")
            .select("text", pl.col("label").str.to_lowercase(), known_at.dt.timestamp("us").alias("known"))
            .sort("known", "text", "label")
            .unique(["text", "label"], keep="first", maintain_order=True)
            .collect()
        )
        if rows["label"].n_unique() < 2:
            raise InputError(
                expected=f"texts with labels of the task {task!r}, of two classes or more",
                found=f"{rows.height} of {rows['label'].n_unique()}",
                next_command="refrain simulate  (or: refrain import texts PATH)",
            )
        return cls.of(rows["text"].to_list(), rows["label"].to_list(), rows["known"].to_list())


def left_out_note(left_out: Mapping[str, int]) -> str:
    """Returns the sentence of a report on classes that are left out; empty if there are none.

    >>> left_out_note({"disgust": 3})
    ' Left out: disgust (3 texts). A class that can be learned has 10 texts or more.'
    """
    if not left_out:
        return ""
    listed = ", ".join(f"{name} ({count:,} texts)" for name, count in left_out.items())
    return f" Left out: {listed}. A class that can be learned has {FEWEST_A_CLASS} texts or more."


def languages_of(texts: Sequence[str], *, seed: int = 0) -> tuple[str, ...]:
    """Returns the ISO 639 codes of the languages of at least a tenth of the texts; English if none is certain."""
    rows = np.random.default_rng(seed).permutation(len(texts))[:SAMPLE]
    detected = [code for code, confidence in languages([texts[row] for row in rows]) if confidence >= CONFIDENT]
    counts = {code: detected.count(code) for code in sorted({*detected} - {UNKNOWN})}
    return tuple(code for code, count in counts.items() if count >= LEAST_SHARE * len(detected)) or ("en",)


def owners(tokens: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """Finds for each text the numbers of the whole texts that contain it; a whole text contains only itself.

    A text is whole if no other contains it, word by word. Corpora such as the Stanford Sentiment Treebank label
    phrases and the sentences that they were cut from. If a sentence is in the test set, its phrases must not be
    in the training set.
    """
    order = sorted(range(len(tokens)), key=lambda number: -len(tokens[number]))
    whole_texts_by_word: dict[str, list[tuple[int, str]]] = {}
    containing: list[np.ndarray] = [np.empty(0, np.int64)] * len(tokens)
    number_of_text: dict[str, int] = {}
    for number in order:
        text_words = tokens[number]
        text = f" {' '.join(text_words)} "
        if text in number_of_text:
            containing[number] = containing[number_of_text[text]]
            continue
        number_of_text[text] = number
        rarest = min((whole_texts_by_word.get(word, ()) for word in set(text_words)), key=len, default=())
        containers = [container for container, whole_text in rarest if text in whole_text]
        containing[number] = np.array(containers or [number], np.int64)
        if not containers:
            for word in set(text_words):
                whole_texts_by_word.setdefault(word, []).append((number, text))
    return containing


def whole_texts(containing: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the numbers of the texts that no other contains, given the result of ``owners``."""
    numbers = [
        number for number, containers in enumerate(containing) if len(containers) == 1 and containers[0] == number
    ]
    return np.array(numbers, np.int64)


@dataclass(frozen=True)
class TextSplit:
    """Rows to train on and rows to test on.

    Attributes:
        train: rows of texts that are not part of a test text.
        test: rows of whole texts.
        by: how the rows were split: ``time`` or ``chance``.
    """

    train: np.ndarray
    test: np.ndarray
    by: str


def split(texts: LabelledTexts, *, share: float = 0.2, seed: int = 0) -> TextSplit:
    """Puts the newest whole texts into the test set; if all have the same time, the same share of each class."""
    containing = owners(texts.tokens)
    whole_rows = whole_texts(containing)
    if texts.times[0] < texts.times[-1]:
        test_rows = whole_rows[int(len(whole_rows) * (1 - share)) :]
        by = "time"
    else:
        shuffled = np.random.default_rng(seed).permutation(whole_rows)
        by_class = shuffled[np.argsort(texts.labels[shuffled], kind="stable")]
        count = int(len(whole_rows) * share)
        test_rows = np.sort(by_class[np.arange(count) * len(whole_rows) // max(count, 1)])
        by = "chance"
    is_test = np.zeros(len(texts), bool)
    is_test[test_rows] = True
    is_train = np.array([not is_test[containers].any() for containers in containing])
    if by == "time":
        is_train &= texts.times <= texts.times[test_rows[0]]
    return TextSplit(np.flatnonzero(is_train), test_rows, by)
