"""The scores of every distinct text, cached on disk: each set of models analyzes a text once, however often it occurs.

Rows are in ``data/tiles/text_scores``, in a folder named after the models and the code; a run adds files with the new
texts. Folders of other models are removed.
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
"""Texts that are analyzed at once."""
KEPT = 20_000
"""Texts of one file: the most work that is lost if a run is killed."""

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
    """Distinct texts and their scores.

    Attributes:
        numbers: text → its row.
        table: (rows) columns ``language``, ``words``, ``NUMBERS``, and a number for each emotion; null where the models
            give no score.
        topics: (rows, t) float32 topic weights, NaN for texts without any; t is 0 without an embedder.
        vectors: (rows, d) float32 embeddings, NaN for texts without one; d is 0 without an embedder.
        fit: identifier of the embedder's fit; None without an embedder.
        known: moment of the newest data that the models were trained on, microseconds; 0 without models.
    """

    numbers: dict[str, int]
    table: pl.DataFrame
    topics: np.ndarray
    vectors: np.ndarray
    fit: int | None
    known: int


def fingerprint(models: ServedModels) -> str:
    """Fingerprint of the models and of the code that analyzes texts with them."""
    modules = [sys.modules.get(f"transforms.pure.text.{name}") for name in CODE]
    code = "".join(inspect.getsource(module) for module in modules if module)
    return hashlib.sha256(f"{models.digest} {code}".encode()).hexdigest()[:16]


def score_texts(home: Home, texts: Sequence[str], models: ServedModels, *, progress: Progress = silent) -> ScoredTexts:
    """Returns the scores of some texts; texts without cached scores are analyzed.

    Args:
        home: the data folder; the caller holds ``feature_tables.writing``.
        texts: texts, which may repeat.
        models: models that score the texts.
        progress: called after each chunk.
    """
    root = home.tiles("text_scores")
    folder = root / fingerprint(models)
    for model_folder in root.iterdir() if root.is_dir() else ():
        if model_folder != folder:
            shutil.rmtree(model_folder, ignore_errors=True)
    requested = dict.fromkeys(texts)
    frames = [
        parquet.read_whole(path, remedy="refrain build").filter(pl.col("text").is_in(list(requested)))
        for path in sorted(folder.glob("*.parquet"))
    ]
    cached = {text for frame in frames for text in frame["text"].to_list()}
    missing = [text for text in requested if text not in cached]
    for start in range(0, len(missing), KEPT):
        frames.append(_analyze(missing[start : start + KEPT], models.models, progress, start, len(missing)))
        _store(frames[-1], folder)
    table = pl.concat(frames) if frames else _frame([], models.models)
    return ScoredTexts(
        {text: number for number, text in enumerate(table["text"].to_list())},
        table.drop("topics", "vector"),
        _matrix(table["topics"]),
        _matrix(table["vector"]),
        models.models.latent.fit if models.models.latent else None,
        models.known,
    )


def keep(home: Home, texts: Sequence[str]) -> None:
    """Removes the scores of all texts but some, and writes these as if no other text had been scored.

    Args:
        home: the data folder; the caller holds ``feature_tables.writing``.
        texts: the texts whose scores stay, in the order in which they are scored, which may repeat.
    """
    root = home.tiles("text_scores")
    order = pl.DataFrame({"text": list(dict.fromkeys(texts))}, schema={"text": pl.String})
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ():
        paths = sorted(folder.glob("*.parquet"))
        if not paths:
            continue
        scores = pl.concat(parquet.read_whole(path, remedy="refrain build") for path in paths)
        kept = order.join(scores, on="text", how="inner", maintain_order="left").select(scores.columns)
        shutil.rmtree(folder)
        for start in range(0, kept.height, KEPT):
            _store(kept.slice(start, KEPT), folder)


def _analyze(
    texts: list[str], models: TextModels, progress: Progress, analyzed_before: int, total: int
) -> pl.DataFrame:
    frames = []
    for start in range(0, len(texts), CHUNK):
        part = texts[start : start + CHUNK]
        frames.append(_frame(list(zip(part, analyze(part, models), strict=True)), models))
        progress(analyzed_before + start + len(part), total, "texts")
    return pl.concat(frames)


def _frame(rows: list[tuple[str, analysis.TextAnalysis]], models: TextModels) -> pl.DataFrame:
    emotions = models.emotion.classes if models.emotion else ()
    topics, dimensions = (len(models.latent.topics), models.latent.dimensions) if models.latent else (0, 0)
    return pl.DataFrame(
        {
            "text": [text for text, _ in rows],
            "language": [scores.language for _, scores in rows],
            "words": [scores.words for _, scores in rows],
            **{name: [getattr(scores, name) for _, scores in rows] for name in NUMBERS},
            **{
                f"emotion_{name}": [None if scores.emotions is None else scores.emotions[name] for _, scores in rows]
                for name in emotions
            },
            "topics": _stack([scores.topics for _, scores in rows], topics),
            "vector": _stack([scores.vector for _, scores in rows], dimensions),
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


def _stack(values: list[np.ndarray | None], width: int) -> np.ndarray:
    stacked = np.full((len(values), width), np.nan, np.float32)
    for row, value in enumerate(values):
        if value is not None:
            stacked[row] = value
    return stacked


def _matrix(column: pl.Series) -> np.ndarray:
    width = column.dtype.size  # type: ignore[attr-defined]
    return column.to_numpy().reshape(len(column), width) if width else np.empty((len(column), 0), np.float32)


def _store(rows: pl.DataFrame, folder: Path) -> None:
    number = len(list(folder.glob("*.parquet"))) if folder.is_dir() else 0
    parquet.write_whole(rows, folder / f"part-{number:06}.parquet")
