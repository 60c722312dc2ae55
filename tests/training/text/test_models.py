"""Text models: their fit, their bundles, their metrics and their predictions."""

import json

import numpy as np
import pytest

from feature_repo.bundle import open_bundle
from feature_repo.emotions import EMOTIONS
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets.texts import LabelledTexts, owners, split
from training.evaluate.classification import class_metrics, label_metrics
from training.models.text import emotion_model, lexicons, metadata_tagger, sentiment_model, text_embedder
from training.models.text.emotion_model import naming
from training.models.text.linear_stack import MemberRecipe, Recipe, fit
from training.models.text.sentiment_model import fit_sentiment, vader
from training.registry import versions
from transforms.pure.text.latent import LatentText
from transforms.pure.text.linear import LinearText
from transforms.pure.text.words import words
from transforms.raw.read import scan


def test_the_layer_on_top_has_seen_nothing_that_members_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that scores a text for the top layer was fitted without this text and without its parts."""
    from training.models.text import linear_stack

    rng = np.random.default_rng(0)
    tokens = [[f"w{rng.integers(30)}" for _ in range(6)] for _ in range(40)]
    tokens += [text_tokens[:3] for text_tokens in tokens[:20]]
    labels = rng.integers(0, 2, len(tokens))
    owner_rows = owners(tokens)
    training_rows: list[set[int]] = []
    fit_members = linear_stack._members

    def recording_members(recipe, analyzers, features, targets, classes, rows, weights):  # type: ignore[no-untyped-def]
        training_rows.append(set(rows.tolist()))
        return fit_members(recipe, analyzers, features, targets, classes, rows, weights)

    monkeypatch.setattr(linear_stack, "_members", recording_members)
    recipe = Recipe(members=(MemberRecipe("runs", present=False, strength=1.0),), folds=3)
    fit(tokens, labels, ("n", "y"), owner_rows, recipe=recipe)
    all_rows, *fold_rows = training_rows
    assert len(fold_rows) == 3
    assert all_rows == set(range(len(tokens)))
    for rows_of_fit in fold_rows:
        held_out = {number for number in range(len(tokens)) if number not in rows_of_fit}
        for number in rows_of_fit:
            assert not set(owner_rows[number].tolist()) & held_out
    assert set.union(*[set(range(len(tokens))) - rows_of_fit for rows_of_fit in fold_rows]) >= set(range(40))


def test_a_stack_is_the_sum_it_says(in_written: Home) -> None:
    """Compares with dense arithmetic on the arrays of the bundle."""
    model = LinearText.from_bytes(open_bundle("sentiment_model", in_written).read("model.npz"))
    tokens = words("not a weak song on it, a gem")
    scores = []
    for member in model.members:
        space = model.spaces[member.space]
        rows = space.rows([tokens])
        dense = np.zeros(len(space.vocabulary))
        dense[rows.terms] = 1.0 if member.present else rows.values
        scores.append(dense @ member.weights[:, 0] + member.bias[0])
    log_odds = np.array(scores) @ model.weights[:, 0] + model.bias[0]
    assert model.predict([tokens])[0, 1] == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-5)


def test_words_that_name_emotions_speak_for_them() -> None:
    model = naming(EMOTIONS)
    texts = ("I am so angry and furious", "afraid of the dark, terrified", "what a lovely kiss")
    token_lists = [words(text) for text in texts]
    labels = [EMOTIONS[number] for number in model.predict(token_lists).argmax(axis=1)]
    assert labels == ["anger", "fear", "love"]
    neutral = model.predict([words("the song is four minutes long")])[0]
    assert EMOTIONS[int(neutral.argmax())] == "neutral"
    assert neutral[EMOTIONS.index("neutral")] == pytest.approx(0.5)


def test_lexicons_are_read_from_where_they_are_installed() -> None:
    polarity, subjectivity = lexicons.polarity(), lexicons.subjectivity()
    assert polarity["wonderful"] > 2 > -2 > polarity["horrible"]
    assert subjectivity["awful"] == 1.0
    assert 0 <= min(subjectivity.values()) <= max(subjectivity.values()) <= 1
    assert vader(["what a wonderful day", "what a horrible day"]).argmax(axis=1).tolist() == [1, 0]


def test_sentiment_generalizes_from_the_lexicon_to_words_that_no_text_had() -> None:
    tokens = [words(text) for text in ["a gem"] * 4 + ["a mess"] * 4]
    model = fit_sentiment(tokens, np.array([1] * 4 + [0] * 4))
    positive, negative = model.predict([words("simply marvelous"), words("simply dreadful")])[:, 1]
    assert positive > 0.6
    assert negative < 0.4


def test_all_models_of_texts_are_registered_with_baselines_beside(in_written: Home) -> None:
    registered = {item.name: item for item in versions(in_written)}
    assert set(registered) == {"sentiment_model", "emotion_model", "text_embedder", "metadata_tagger"}
    sentiment = registered["sentiment_model"].metrics
    assert sentiment["test_accuracy_sentiment_model"] > sentiment["test_accuracy_more_frequent_class"]
    emotion = registered["emotion_model"].metrics
    assert emotion["test_macro_f1_emotion_model"] > emotion["test_macro_f1_most_frequent_class"] + 0.3
    embedder = registered["text_embedder"].metrics
    assert embedder["test_recall_at_10_text_embedder"] > 3 * embedder["test_recall_at_10_chance"]
    tagger = registered["metadata_tagger"].metrics
    assert tagger["test_mean_average_precision_metadata_tagger"] > tagger["test_mean_average_precision_most_frequent"]
    readme = (open_bundle("sentiment_model", in_written).folder / "README.md").read_text()
    assert "told apart by time" in readme


def test_the_test_texts_are_newer_than_what_was_learned_from(in_written: Home) -> None:
    texts = LabelledTexts.load(in_written, "sentiment")
    parts = split(texts)
    assert parts.by == "time"
    assert texts.times[parts.train].max() <= texts.times[parts.test].min()


def test_the_embedder_can_be_kept_from_what_came_later(in_written: Home) -> None:
    tags = scan(in_written, "tags").collect()
    moment = tags["event_timestamp"].sort()[len(tags) // 2]
    early_corpus = text_embedder.corpus(in_written, tags.filter(tags["event_timestamp"] < moment), until=moment)
    full_corpus = text_embedder.corpus(in_written, tags)
    assert len(early_corpus) < len(full_corpus)
    texts = scan(in_written, "texts").collect()
    early_texts = texts.filter(texts["created_timestamp"] < moment)["text"]
    later_texts = set(texts["text"]) - set(early_texts)
    assert later_texts
    assert not later_texts & set(early_corpus)


def test_the_tagger_says_that_its_embedder_knew_too_much(in_written: Home) -> None:
    readme = (open_bundle("metadata_tagger", in_written).folder / "README.md").read_text()
    assert "flattered" in readme
    manifest = open_bundle("metadata_tagger", in_written).manifest
    embedder = LatentText.from_bytes(open_bundle("text_embedder", in_written).read("model.npz"))
    assert manifest["feature_service"] == metadata_tagger.SERVICE
    assert manifest["extra"]["fit"] == embedder.fit


@pytest.mark.parametrize("run", [sentiment_model.run, emotion_model.run, text_embedder.run, metadata_tagger.run])
def test_without_anything_to_learn_from_there_is_a_next_command(home: Home, run) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="simulate"):
        run(home)


def test_metrics_of_classes_and_of_labels() -> None:
    truth = np.array([0, 1, 1, 0])
    metrics = class_metrics(truth, np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]))
    assert metrics.accuracy == 0.75
    assert metrics.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    labels = np.array([[True, False, True, False], [False, True, False, False]])
    perfect = label_metrics(labels, labels.astype(float))
    assert (perfect.mean_average_precision, perfect.micro_f1) == (1.0, 1.0)
    assert perfect.precision_at_3 == pytest.approx(0.5)


def test_bundles_hold_no_code(in_written: Home) -> None:
    for name in ("sentiment_model", "emotion_model", "text_embedder", "metadata_tagger"):
        bundle = open_bundle(name, in_written)
        with np.load(bundle.folder / "model.npz", allow_pickle=False) as arrays:
            json.loads(arrays["told"].tobytes())
