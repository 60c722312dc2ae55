"""The models of texts: fitted, registered, measured; and what they say is what they learned."""

import json

import numpy as np
import pytest

from feature_repo.bundle import open_bundle
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets.texts import LabelledTexts, owners, split
from training.evaluate.classification import class_metrics, label_metrics
from training.models.text import emotion_model, lexicons, metadata_tagger, sentiment_model, text_embedder
from training.models.text.emotion_model import CLASSES, fit_emotion
from training.models.text.linear_stack import MemberRecipe, Recipe, fit
from training.models.text.sentiment_model import fit_sentiment, vader
from training.registry import versions
from transforms.pure.text.latent import LatentText
from transforms.pure.text.linear import LinearText
from transforms.pure.text.words import words
from transforms.raw.read import scan


def test_the_layer_on_top_has_seen_nothing_that_members_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member that scores a text for the layer was fitted without it and without parts of it."""
    from training.models.text import linear_stack

    rng = np.random.default_rng(0)
    tokens = [[f"w{rng.integers(30)}" for _ in range(6)] for _ in range(40)]
    tokens += [mine[:3] for mine in tokens[:20]]
    labels = rng.integers(0, 2, len(tokens))
    belong = owners(tokens)
    fitted: list[set[int]] = []
    real = linear_stack._members

    def watched(recipe, analyzers, rows, given, classes, learned, weights):  # type: ignore[no-untyped-def]
        fitted.append(set(learned.tolist()))
        return real(recipe, analyzers, rows, given, classes, learned, weights)

    monkeypatch.setattr(linear_stack, "_members", watched)
    recipe = Recipe(members=(MemberRecipe("runs", present=False, strength=1.0),), folds=3)
    fit(tokens, labels, ("n", "y"), belong, recipe=recipe)
    whole, *folds = fitted
    assert len(folds) == 3
    assert whole == set(range(len(tokens)))
    for learned in folds:
        held = {number for number in range(len(tokens)) if number not in learned}
        for number in learned:
            assert not set(belong[number].tolist()) & held
    assert set.union(*[set(range(len(tokens))) - learned for learned in folds]) >= set(range(40))


def test_a_stack_is_the_sum_it_says(in_written: Home) -> None:
    """Against dense arithmetic on the bundle's own arrays."""
    model = LinearText.from_bytes(open_bundle("sentiment_model", in_written).read("model.npz"))
    tokens = words("not a weak song on it, a gem")
    scores = []
    for member in model.members:
        space = model.spaces[member.space]
        rows = space.rows([tokens])
        dense = np.zeros(len(space.vocabulary))
        dense[rows.terms] = 1.0 if member.present else rows.values
        scores.append(dense @ member.weights[:, 0] + member.bias[0])
    odds = np.array(scores) @ model.weights[:, 0] + model.bias[0]
    assert model.predict([tokens])[0, 1] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-5)


def test_before_anything_is_labelled_words_that_name_emotions_speak() -> None:
    model = fit_emotion([], np.empty(0, np.int64))
    texts = ("I am so angry and furious", "afraid of the dark, terrified", "what a lovely kiss")
    asked = [words(text) for text in texts]
    told = [CLASSES[number] for number in model.predict(asked).argmax(axis=1)]
    assert told == ["anger", "fear", "love"]
    nothing = model.predict([words("the song is four minutes long")])[0]
    assert CLASSES[int(nothing.argmax())] == "neutral"
    assert nothing[CLASSES.index("neutral")] == pytest.approx(0.5)


def test_lexicons_are_read_from_where_they_are_installed() -> None:
    polarity, subjectivity = lexicons.polarity(), lexicons.subjectivity()
    assert polarity["wonderful"] > 2 > -2 > polarity["horrible"]
    assert subjectivity["awful"] == 1.0
    assert 0 <= min(subjectivity.values()) <= max(subjectivity.values()) <= 1
    assert vader(["what a wonderful day", "what a horrible day"]).argmax(axis=1).tolist() == [1, 0]


def test_sentiment_generalizes_from_the_lexicon_to_words_that_no_text_had() -> None:
    tokens = [words(text) for text in ["a gem"] * 4 + ["a mess"] * 4]
    model = fit_sentiment(tokens, np.array([1] * 4 + [0] * 4))
    good, bad = model.predict([words("simply marvelous"), words("simply dreadful")])[:, 1]
    assert good > 0.6
    assert bad < 0.4


def test_all_models_of_texts_are_registered_with_baselines_beside(in_written: Home) -> None:
    known = {item.name: item for item in versions(in_written)}
    assert set(known) == {"sentiment_model", "emotion_model", "text_embedder", "metadata_tagger"}
    sentiment = known["sentiment_model"].metrics
    assert sentiment["test_accuracy_sentiment_model"] > sentiment["test_accuracy_more_frequent_class"]
    emotion = known["emotion_model"].metrics
    assert emotion["test_macro_f1_emotion_model"] > emotion["test_macro_f1_most_frequent_class"] + 0.3
    embedder = known["text_embedder"].metrics
    assert embedder["test_recall_at_10_text_embedder"] > 3 * embedder["test_recall_at_10_chance"]
    tagger = known["metadata_tagger"].metrics
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
    early = text_embedder.corpus(in_written, tags.filter(tags["event_timestamp"] < moment), until=moment)
    whole = text_embedder.corpus(in_written, tags)
    assert len(early) < len(whole)
    texts = scan(in_written, "texts").collect()
    before = texts.filter(texts["created_timestamp"] < moment)["text"]
    later = set(texts["text"]) - set(before)
    assert later
    assert not later & set(early)


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
    found = class_metrics(truth, np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]))
    assert found.accuracy == 0.75
    assert found.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    labels = np.array([[True, False, True, False], [False, True, False, False]])
    perfect = label_metrics(labels, labels.astype(float))
    assert (perfect.mean_average_precision, perfect.micro_f1) == (1.0, 1.0)
    assert perfect.precision_at_3 == pytest.approx(0.5)


def test_bundles_hold_no_code(in_written: Home) -> None:
    for name in ("sentiment_model", "emotion_model", "text_embedder", "metadata_tagger"):
        bundle = open_bundle(name, in_written)
        with np.load(bundle.folder / "model.npz", allow_pickle=False) as found:
            json.loads(found["told"].tobytes())
