"""Rows of a file with labels, numbers, categories and texts, as models of classes take them."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from refrain.own_file import columns
from refrain.own_file.columns import listed
from refrain.own_file.table import OwnFile
from transforms.pure.tabular.layout import Layout
from transforms.pure.text.words import words

LEAST_ROWS, LEAST_OF_CLASS, MOST_CLASSES = 40, 8, 50
"""Fewest labelled rows, fewest rows of a class that is learned, and most classes."""
LEAST_WORDS = 3.0
"""Mean number of words of a column from which it is text and no category."""


@dataclass(frozen=True)
class LabelledRows:
    """The rows of a file as the models take them.

    Attributes:
        classes: names of the classes.
        labels: (n,) class of each row; −1 for none, or one that is left out.
        features: column → (n,) numbers or texts.
        tokens: (n,) words of each text; empty without a column of texts.
        texts: (n,) texts; empty likewise.
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    features: dict[str, np.ndarray]
    tokens: list[list[str]]
    texts: list[str]


def read_labelled(file: OwnFile, label: str, text: str, without: list[str]) -> tuple[LabelledRows, list[str]]:
    """Reads labels, features and texts.

    Args:
        file: the file.
        label: column of the labels.
        text: column of texts as the option has it; empty to search.
        without: columns that are not learned from.

    Returns:
        The rows, and what was read in words.

    Raises:
        InputError: the labels are none, too few or too many; or there is nothing to learn from.
    """
    names = file.texts(label)
    counts = names.drop_nulls().value_counts(sort=True)
    if not counts.height:
        raise _label_error(file, label, "labels", "no value in any row")
    if counts.height > MOST_CLASSES:
        kind = "numbers" if file.is_numeric(label) else "texts"
        raise _label_error(
            file,
            label,
            f"at most {MOST_CLASSES} classes",
            f"{counts.height:,} different {kind}, such as {names.drop_nulls()[0]!r}",
        )
    frequent = counts.filter(pl.col("count") >= LEAST_OF_CLASS)
    rare = counts.filter(pl.col("count") < LEAST_OF_CLASS)
    total = int(frequent["count"].sum())
    if counts.height == 1:
        raise _label_error(
            file, label, "two classes or more", f"one: {counts[label][0]!r} in {counts['count'][0]:,} rows"
        )
    if frequent.height < 2 or total < LEAST_ROWS:
        raise _label_error(
            file,
            label,
            f"two classes of at least {LEAST_OF_CLASS} rows each, {LEAST_ROWS} in all",
            f"{int(counts['count'].sum()):,} labelled rows: "
            + ", ".join(f"{name!r} {count:,}" for name, count in counts.head(5).iter_rows()),
        )
    classes = tuple(sorted(frequent[label].to_list()))
    number = {name: place for place, name in enumerate(classes)}
    labels = np.array([number.get(name, -1) if name is not None else -1 for name in names.to_list()], np.int64)
    lines = [
        f"labels: {label!r}, {len(classes)} classes in {total:,} rows: "
        + ", ".join(f"{name} {count:,}" for name, count in frequent.head(8).iter_rows())
    ]
    if rare.height:
        lines.append(
            f"left out: {rare.height} classes with fewer than {LEAST_OF_CLASS} rows: "
            + ", ".join(f"{name} {count}" for name, count in rare.head(8).iter_rows())
        )
    text_column = _text_column(file, text, without)
    texts = file.texts(text_column).fill_null("").to_list() if text_column else []
    features: dict[str, np.ndarray] = {}
    for name in file.columns:
        if name in (*without, text_column) or (name.lower().endswith("id") and _is_key(file, name)):
            continue
        if file.is_numeric(name):
            features[name] = np.clip(
                file.numbers(name).values.cast(pl.Float64).fill_null(np.nan).to_numpy(), -1e30, 1e30
            )
        else:
            features[name] = np.array(file.texts(name).to_list(), object)
    used = Layout.fit(features).names
    if not used and not text_column:
        raise InputError(
            expected="a column of numbers, of few categories, or of texts beside the label",
            found=f"the columns {listed(file.columns)}",
            next_command="repeat the command with --text COLUMN",
        )
    lines.append(
        f"learned from: {listed(used)}" * bool(used)
        + "; " * bool(used and text_column)
        + f"texts of {text_column!r}" * bool(text_column)
    )
    unused = [name for name in features if name not in used]
    if unused:
        lines.append(f"not learned from, as they are neither numbers nor few categories: {listed(unused)}")
    return LabelledRows(classes, labels, features, [words(each) for each in texts], texts), lines


def _is_key(file: OwnFile, name: str) -> bool:
    """Whether a column has another text in every row."""
    return file.texts(name).n_unique() == file.rows


def _label_error(file: OwnFile, label: str, expected: str, found: str) -> InputError:
    return InputError(
        expected=f"{expected} in the column {label!r} of {file.path}",
        found=found,
        next_command="repeat the command with --label COLUMN, or with more labelled rows",
    )


def _text_column(file: OwnFile, given: str, without: list[str]) -> str:
    """The column of texts: the named one, a usual name, or the one with the most words."""
    if given:
        return columns.named(file, given, "text")
    lengths = {}
    for name in file.columns:
        if name not in without and not file.is_numeric(name):
            sample = file.texts(name).drop_nulls().head(500)
            lengths[name] = sample.str.count_matches(r"\S+").mean() if len(sample) else 0.0
    long = {
        name: float(length) for name, length in lengths.items() if isinstance(length, float) and length >= LEAST_WORDS
    }
    usual = columns.find(file, "text", without=[name for name in file.columns if name not in long])
    return usual or max(long, key=lambda name: long[name], default="")
