"""Real sentences and real songs: a small part of what the benchmarks measure in full."""

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
    """A tenth of the treebank is enough to be ahead of the lexicon, and calibrated."""
    folder = real_data / "sst2"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    texts = quality_text.sst2(folder / "dev.tsv")
    belong = quality_text.owners(texts.tokens)
    fold = quality_text.folds_of(belong)
    test = texts.take(np.flatnonzero(fold == 0))
    train = texts.take(np.array([row for row, mine in enumerate(belong) if not np.any(fold[mine] == 0)]))
    found = class_metrics(test.labels, fit_sentiment(list(train.tokens), train.labels).predict(test.tokens))
    assert found.rows > 500
    assert found.accuracy > class_metrics(test.labels, vader(test.texts)).accuracy + 0.05
    assert found.calibration_error < 0.05


def test_words_that_name_emotions_are_ahead_of_neutral_on_sentences_labelled_by_hand(real_data: Path) -> None:
    folder = real_data / "sst2"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    texts = quality_text.sst2(*sorted(folder.glob("*.tsv")))
    told = {(one["case"].rpartition(", ")[2], one["metric"]): one["value"] for one in quality_text.emotion(texts)}
    assert told["words that name one", "accuracy"] > told["always neutral", "accuracy"] + 0.05
    assert told["words that name one", "macro_f1"] > 0.4


def test_songs_of_the_charts_find_their_tracks(real_data: Path) -> None:
    charts, hits = real_data / "billboard-weekly" / "hot100.parquet", real_data / "spotify-hit-predictor"
    if not charts.is_file() or not hits.is_dir():
        pytest.skip(f"no {charts} or no {hits}")
    nineties = pl.read_csv(hits / "dataset-of-90s.csv", infer_schema_length=None)
    catalogue = Catalogue([Track(*row) for row in nineties.select("uri", "track", "artist").unique("uri").iter_rows()])
    songs = pl.read_parquet(charts).sort("chart_date", "rank").unique(["title", "performer"], keep="first")
    songs = songs.sort("chart_date", "rank").head(2_000)
    told = {
        one["case"]: one
        for one in quality_matching.charts(catalogue, songs, show=False)
        if one["metric"] == "precision"
    }
    assert all(one["value"] >= 0.98 for one in told.values())
    spelled = {one["case"]: one["value"] for one in quality_matching.spellings(catalogue)}
    assert spelled["all spellings of the same"] >= 0.9
    assert spelled["all spellings, others among them"] >= 0.98
    assert len(json.loads(quality_matching.CHECKED.read_text())) == 22
