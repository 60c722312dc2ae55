"""What is said of every distinct text, kept on disk: a text is read once for each set of models, however often it is
told and whatever it is about.

Rows lie in ``data/tiles/text_scores``, in a folder named after the models and the code; a run adds a file with what is
new. Folders of other models are removed.
"""

import hashlib
import inspect
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from transforms import parquet
from transforms.pure.text import analysis
from transforms.pure.text.analysis import TextModels, analyze
from transforms.pure.text.bundles import ServedModels

CHUNK = 2_000
"""Texts that are read at once."""
KEPT = 20_000
"""Texts of one file: so much work is lost at the most if a run is killed."""

NUMBERS = ("sentiment", "subjectivity", "explicitness", "repetition", "rhyme_density", "vocabulary_richness")
CODE = (
    "analysis",
    "clean",
    "explicit_words",
    "language",
    "latent",
    "linear",
    "measures",
    "pii",
    "tfidf",
    "words",
)


@dataclass(frozen=True)
class ScoredTexts:
    """Distinct texts and what is said of them.

    Attributes:
        numbers: text → row.
        table: (rows) columns ``language``, ``words``, ``NUMBERS``, and a number for each emotion; null where nothing
            can be told.
        topics: (rows, t) float32, NaN where nothing can be told; t is 0 without an embedder.
        vectors: (rows, d) float32, likewise.
        fit: of the embedder; None without.
        known: microseconds; the newest that the models know, 0 without models.
    """

    numbers: dict[str, int]
    table: pl.DataFrame
    topics: np.ndarray
    vectors: np.ndarray
    fit: int | None
    known: int


def fingerprint(models: ServedModels) -> str:
    """Of the models and of the code that reads with them."""
    modules = [sys.modules.get(f"transforms.pure.text.{name}") for name in CODE]
    code = "".join(inspect.getsource(module) for module in modules if module)
    return hashlib.sha256(f"{models.digest} {code}".encode()).hexdigest()[:16]


def scored(home: Home, texts: Sequence[str], models: ServedModels, *, progress: Progress = silent) -> ScoredTexts:
    """What is said of some texts; what was not read before is read now.

    Args:
        home: the data folder; whoever calls holds ``feature_tables.writing``.
        texts: any number of them, a text may be there twice.
        models: to read with.
        progress: told after each chunk.
    """
    root = home.tiles("text_scores")
    folder = root / fingerprint(models)
    for other in root.iterdir() if root.is_dir() else ():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    wanted = dict.fromkeys(texts)
    frames = [
        parquet.read_whole(path, remedy="python -m transforms build").filter(pl.col("text").is_in(list(wanted)))
        for path in sorted(folder.glob("*.parquet"))
    ]
    known = {text for frame in frames for text in frame["text"].to_list()}
    missing = [text for text in wanted if text not in known]
    for start in range(0, len(missing), KEPT):
        frames.append(_read(missing[start : start + KEPT], models.models, progress, start, len(missing)))
        _keep(frames[-1], folder)
    table = pl.concat(frames) if frames else _frame([], models.models)
    return ScoredTexts(
        {text: number for number, text in enumerate(table["text"].to_list())},
        table.drop("topics", "vector"),
        _matrix(table["topics"]),
        _matrix(table["vector"]),
        models.models.latent.fit if models.models.latent else None,
        models.known,
    )


def _read(texts: list[str], models: TextModels, progress: Progress, done: int, total: int) -> pl.DataFrame:
    frames = []
    for start in range(0, len(texts), CHUNK):
        part = texts[start : start + CHUNK]
        frames.append(_frame(list(zip(part, analyze(part, models), strict=True)), models))
        progress(done + start + len(part), total, "texts")
    return pl.concat(frames)


def _frame(rows: list[tuple[str, analysis.TextAnalysis]], models: TextModels) -> pl.DataFrame:
    emotions = models.emotion.classes if models.emotion else ()
    topics, dimensions = (len(models.latent.topics), models.latent.dimensions) if models.latent else (0, 0)
    return pl.DataFrame(
        {
            "text": [text for text, _ in rows],
            "language": [found.language for _, found in rows],
            "words": [found.words for _, found in rows],
            **{name: [getattr(found, name) for _, found in rows] for name in NUMBERS},
            **{
                f"emotion_{name}": [None if found.emotions is None else found.emotions[name] for _, found in rows]
                for name in emotions
            },
            "topics": _stacked([found.topics for _, found in rows], topics),
            "vector": _stacked([found.vector for _, found in rows], dimensions),
        },
        schema={
            "text": pl.String,
            "language": pl.String,
            "words": pl.Int64,
            **dict.fromkeys(NUMBERS, pl.Float64),
            **{f"emotion_{name}": pl.Float64 for name in emotions},
            "topics": pl.Array(pl.Float32, topics),
            "vector": pl.Array(pl.Float32, dimensions),
        },
    )


def _stacked(values: list[np.ndarray | None], width: int) -> np.ndarray:
    found = np.full((len(values), width), np.nan, np.float32)
    for row, value in enumerate(values):
        if value is not None:
            found[row] = value
    return found


def _matrix(column: pl.Series) -> np.ndarray:
    width = column.dtype.size  # type: ignore[attr-defined]
    return column.to_numpy().reshape(len(column), width) if width else np.empty((len(column), 0), np.float32)


def _keep(rows: pl.DataFrame, folder: Path) -> None:
    number = len(list(folder.glob("*.parquet"))) if folder.is_dir() else 0
    parquet.write_whole(rows, folder / f"part-{number:06}.parquet")
