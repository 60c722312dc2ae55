"""Text models and matching on real data: a small part of the benchmarks."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import quality_matching, quality_text
from training.evaluate.classification import class_metrics
from training.models.text.sentiment_model import fit_sentiment, vader
from transforms.batch.catalogue.links import Catalogue, Track


def test_sentiment_of_sentences_that_were_held_back(real_data: Path) -> None:
    """On a tenth of the treebank the model beats the lexicon and is calibrated."""
    folder = real_data / "sst2"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    texts = quality_text.sst2(folder / "dev.tsv")
    owner_rows = quality_text.owners(texts.tokens)
    fold = quality_text.folds_of(owner_rows)
    test = texts.take(np.flatnonzero(fold == 0))
    train = texts.take(np.array([row for row, owners in enumerate(owner_rows) if not np.any(fold[owners] == 0)]))
    metrics = class_metrics(test.labels, fit_sentiment(list(train.tokens), train.labels).predict(test.tokens))
    assert metrics.rows > 500
    assert metrics.accuracy > class_metrics(test.labels, vader(test.texts)).accuracy + 0.05
    assert metrics.calibration_error < 0.05


def test_words_that_name_emotions_are_ahead_of_neutral_on_sentences_labelled_by_hand(real_data: Path) -> None:
    folder = real_data / "sst2"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    texts = quality_text.sst2(*sorted(folder.glob("*.tsv")))
    by_case = {
        (result["case"].rpartition(", ")[2], result["metric"]): result["value"]
        for result in quality_text.emotion(texts)
    }
    assert by_case["words that name one", "accuracy"] > by_case["always neutral", "accuracy"] + 0.05
    assert by_case["words that name one", "macro_f1"] > 0.4


def test_songs_of_the_charts_find_their_tracks(real_data: Path) -> None:
    charts, hits = real_data / "billboard-weekly" / "hot100.parquet", real_data / "spotify-hit-predictor"
    if not charts.is_file() or not hits.is_dir():
        pytest.skip(f"no {charts} or no {hits}")
    nineties = pl.read_csv(hits / "dataset-of-90s.csv", infer_schema_length=None)
    catalogue = Catalogue([Track(*row) for row in nineties.select("uri", "track", "artist").unique("uri").iter_rows()])
    songs = pl.read_parquet(charts).sort("chart_date", "rank").unique(["title", "performer"], keep="first")
    songs = songs.sort("chart_date", "rank").head(2_000)
    precision_by_case = {
        result["case"]: result
        for result in quality_matching.charts(catalogue, songs, show=False)
        if result["metric"] == "precision"
    }
    assert all(result["value"] >= 0.98 for result in precision_by_case.values())
    by_spelling = {result["case"]: result["value"] for result in quality_matching.spellings(catalogue)}
    assert by_spelling["all spellings of the same"] >= 0.9
    assert by_spelling["all spellings, others among them"] >= 0.98
    assert len(json.loads(quality_matching.CHECKED.read_text())) == 22
