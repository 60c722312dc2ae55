"""Texts in a request: the promoted models give the same values as the feature tables."""

import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.bundle import ALIASES
from feature_repo.errors import BundleError, InputError
from feature_repo.home import REPOSITORY, Home
from inference import EmotionModel, MetadataTagger, SentimentModel, TextAnalyzer, TextEmbedder
from inference.__main__ import app as command
from inference.features import OnlineFeatures
from training.datasets import training_set
from transforms.raw.read import scan


def test_a_text_is_told_in_a_request_as_in_the_feature_table(in_written: Home) -> None:
    """For a track with a single text, the online row is the analysis of that text."""
    texts = scan(in_written, "texts").filter(pl.col("kind") == "comment").collect()
    single_text_tracks = (
        scan(in_written, "texts").collect().group_by("entity_id").len().filter(pl.col("len") == 1)["entity_id"]
    )
    comments = texts.filter(pl.col("entity_id").is_in(single_text_tracks.implode())).head(20)
    assert comments.height == 20
    answers = TextAnalyzer.load(in_written).analyze(comments["text"].to_list())
    online = OnlineFeatures("track_text_v1", in_written).get({"track_id": comments["entity_id"].to_list()}).values
    for place, answer in enumerate(answers):
        analysis = answer.analysis
        assert online["track_text__sentiment"][place] == pytest.approx(analysis.sentiment, abs=1e-6)
        assert analysis.emotions is not None
        for name, chance in analysis.emotions.items():
            assert online[f"track_text__emotion_{name}"][place] == pytest.approx(chance, abs=1e-6)
        assert online["track_text__opinions"][place] == 1


def test_online_is_what_the_training_sdk_pulls(in_written: Home) -> None:
    from feature_repo.materialize import newest_feature

    moment = newest_feature(in_written)
    tracks = [f"t{number:06}" for number in range(0, 900, 30)]
    spine = pl.DataFrame({"track_id": tracks}).with_columns(event_timestamp=pl.lit(moment).dt.cast_time_unit("us"))
    offline = training_set("track_text_v1", spine, home=in_written).to_polars()
    online = OnlineFeatures("track_text_v1", in_written).get({"track_id": tracks}).values
    for name, values in online.items():
        for online_value, offline_value in zip(values, offline[name].to_list(), strict=True):
            if isinstance(offline_value, list):
                np.testing.assert_array_equal(np.asarray(online_value), np.asarray(offline_value, np.float32))
            else:
                assert online_value == offline_value, name


def test_each_model_alone_says_what_the_analyzer_says(in_written: Home) -> None:
    texts = [
        "a joy from start to finish",
        "",
        "shadows follow me home, I'm terrified of the dark",
        "Saxophone solos and walking bass",
    ]
    answers = TextAnalyzer.load(in_written).analyze(texts)
    for answer, sentiment in zip(answers, SentimentModel.load(home=in_written).predict(texts), strict=True):
        assert sentiment.positive == answer.analysis.sentiment
        assert sentiment.label == (
            None if sentiment.positive is None else "positive" if sentiment.positive >= 0.5 else "negative"
        )
    emotions = EmotionModel.load("emotion_model_v1.0", in_written).predict(texts)
    assert [emotion.label for emotion in emotions][1:3] == [None, "fear"]
    vectors = TextEmbedder.load(home=in_written).embed(texts)
    assert vectors.shape == (4, 128)
    assert not vectors[1].any()
    np.testing.assert_array_equal(vectors[0], answers[0].analysis.vector)
    tags = MetadataTagger.load(home=in_written).tag(texts)
    assert tags == [dict(answer.tags or {}) for answer in answers]
    assert set(list(tags[3])[:3]) & {"jazz", "solos", "bass", "trio", "cymbal", "improvisation"}


def test_the_tagger_gives_no_answer_on_vectors_of_another_fit(own_written: Home) -> None:
    from training.models.text import text_embedder
    from training.promotions import promote

    promote(own_written, "text_embedder", text_embedder.run(own_written, seed=5).version)
    with pytest.raises(BundleError, match="model run metadata_tagger"):
        TextAnalyzer.load(own_written)


def test_without_models_language_and_measures_are_told(home: Home) -> None:
    analyzer = TextAnalyzer.load(home)
    answer = analyzer.analyze(["a song, a song, a song, a song"])[0]
    assert answer.analysis.language == "en"
    assert answer.analysis.sentiment is None
    assert answer.tags is None
    assert "model run sentiment_model" in str(analyzer.note)
    with pytest.raises(BundleError, match="sentiment_model"):
        SentimentModel.load(home=home)


def test_a_damaged_bundle_is_refused(own_written: Home) -> None:
    (own_written.bundles("sentiment_model") / "1" / "model.npz").write_bytes(b"nonsense")
    with pytest.raises(BundleError, match=r"model\.npz"):
        TextAnalyzer.load(own_written)
    (own_written.bundles("sentiment_model") / ALIASES).write_text("{")
    with pytest.raises(BundleError):
        TextAnalyzer.load(own_written)


@pytest.mark.parametrize("texts", ["one text", [1], [None], [["a"]], b"bytes"])
def test_what_is_no_list_of_texts_is_refused(in_written: Home, texts: object) -> None:
    with pytest.raises(InputError, match="a list of texts"):
        TextAnalyzer.load(in_written).analyze(texts)  # type: ignore[arg-type]


def run_command(home: Home, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    command_line = [sys.executable, "-m", "inference", "text", *arguments]
    return subprocess.run(command_line, cwd=REPOSITORY, env=environment, input=stdin, capture_output=True, check=False)


def test_the_command_reads_arguments_lines_and_standard_input(written: Home, tmp_path) -> None:  # type: ignore[no-untyped-def]
    environment = {"REFRAIN_HOME": str(written.root)}
    output = CliRunner().invoke(command, ["text", "an absolute gem, write to ann@example.org"], env=environment).stdout
    assert "positive" in output
    assert "1 email" in output
    assert "ann@" not in output
    lines = (
        run_command(written, "--json", "--file", "-", stdin=b"first\n\n\xff\xfe caf\xe9\n").stdout.decode().splitlines()
    )
    assert [json.loads(line)["text"] for line in lines] == ["first", "\ufffd\ufffd caf\ufffd"]
    without_texts = CliRunner().invoke(command, ["text"], env=environment)
    assert without_texts.exit_code != 0
    assert "Next" in without_texts.output
    assert CliRunner().invoke(command, ["text", "--file", str(tmp_path / "none")], env=environment).exit_code != 0
