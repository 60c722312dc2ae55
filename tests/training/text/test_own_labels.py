"""A person's own labels: any list of classes, rare classes among them, other labels beside the two of sentiment."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from feature_repo.bundle import open_bundle
from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS
from training.datasets.texts import FEWEST_A_CLASS, LabelledTexts, languages_of, split
from training.models.text import emotion_model, fine_tune, sentiment_model
from training.models.text.emotion_model import fit_emotion, naming
from training.models.text.problem import chances
from transforms.pure.text.analysis import Classifier, TextModels, analyze
from transforms.pure.text.words import words
from transforms.raw.ingest import ingest

CUES: Mapping[str, tuple[str, ...]] = {
    "anger": ("how dare they", "this makes my blood boil", "sick of these lies", "they ruined it again :("),
    "joy": ("what a night", "cannot stop grinning", "the crowd sang along :)", "so proud of us"),
    "optimism": ("we will get there", "tomorrow is a new chance", "keep going", "it gets better from here"),
    "sadness": ("the house is so quiet now", "miss those days", "nobody called", "he is not coming back"),
    "disgust": ("that smell, no thanks",),
}
"""Class → what its texts say; hardly a word of it names the emotion."""
SUBJECTS = ("the band", "my team", "this town", "our label", "the drummer", "that venue", "the tour", "her record")


def texts_of(emotion: str, count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng([seed, *emotion.encode()])
    return [
        f"{rng.choice(SUBJECTS)} {number}: {rng.choice(CUES[emotion])}, {rng.choice(SUBJECTS)}"
        for number in range(count)
    ]


def labelled(counts: Mapping[str, int], seed: int = 0) -> tuple[list[str], list[str]]:
    rows = [(text, name) for name, count in counts.items() for text in texts_of(name, count, seed)]
    return [text for text, _ in rows], [name for _, name in rows]


def imported(home: Home, folder: Path, task: str, texts: list[str], labels: list[str]) -> None:
    file = folder / "tweets.csv"
    with file.open("w", newline="") as handle:
        csv.writer(handle).writerows([("text", task), *zip(texts, labels, strict=True)])
    ingest(home, "texts", FORMATS["texts"].read(file))


def test_a_rare_class_is_left_out_and_the_others_are_learned(home: Home, tmp_path: Path) -> None:
    """The report, the card and the bundle name what was left out; the words that name emotions do not answer."""
    texts, labels = labelled({"anger": 50, "joy": 40, "optimism": 30, "sadness": 40, "disgust": 3})
    imported(home, tmp_path, "emotion", texts, ["Joy" if label == "joy" else label for label in labels])
    result = emotion_model.run(home)
    assert "Left out: disgust (3 texts)" in result.about
    learned, by_words = result.metrics["emotion_model"], result.metrics["words_that_name_one"]
    assert learned["accuracy"] > 0.9
    assert learned["macro_f1"] > by_words["macro_f1"] + 0.3
    bundle = open_bundle("emotion_model:1", home)
    assert bundle.manifest["extra"]["classes"] == ["anger", "joy", "optimism", "sadness"]
    assert bundle.manifest["extra"]["left_out"] == {"disgust": 3}
    assert "Left out: disgust" in (bundle.folder / "README.md").read_text()
    models = TextModels(emotion=Classifier.linear(bundle.read("model.npz"), ["en"]))
    answer = analyze(["keep going, my team, it gets better from here"], models)[0].emotions
    assert answer is not None
    assert max(answer, key=answer.__getitem__) == "optimism"


def test_too_few_labels_are_an_error_that_counts_them(home: Home, tmp_path: Path) -> None:
    imported(home, tmp_path, "emotion", *labelled({"joy": FEWEST_A_CLASS, "anger": FEWEST_A_CLASS - 1}))
    with pytest.raises(InputError, match=f"anger {FEWEST_A_CLASS - 1}, joy {FEWEST_A_CLASS}"):
        emotion_model.run(home)
    with pytest.raises(InputError, match="two emotions"):
        emotion_model.problem(home)


@pytest.mark.parametrize("load", [sentiment_model.load, fine_tune.LOADERS["sentiment"]])
def test_neutral_texts_do_not_keep_sentiment_from_learning(home: Home, tmp_path: Path, load) -> None:  # type: ignore[no-untyped-def]
    texts, labels = labelled({"joy": 30, "sadness": 30, "anger": 12})
    names = {"joy": "Positive", "sadness": "negative", "anger": "neutral"}
    imported(home, tmp_path, "sentiment", texts, [names[label] for label in labels])
    loaded, left_out = load(home)
    assert loaded.classes == ("negative", "positive")
    assert np.bincount(loaded.labels).tolist() == [30, 30]
    assert left_out == {"neutral": 12}


def test_classes_that_the_training_part_has_not_are_never_answered() -> None:
    """A class that appears only in the newest texts costs its texts, and nothing else."""
    texts, labels = labelled({"joy": 20, "sadness": 20})
    classes = ("joy", "optimism", "sadness")
    numbers = np.array([classes.index(label) for label in labels])
    model = fit_emotion([words(text) for text in texts], numbers, classes=classes)
    assert model.classes == ("joy", "sadness")
    probabilities = chances(model, [words("so proud of us, my team"), words("nobody called")], classes)
    assert probabilities.argmax(axis=1).tolist() == [0, 2]
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.all(probabilities[:, 1] == 0)


@pytest.mark.parametrize("labels", [[], [0] * 30, [0] * 30 + [1] * 2])
def test_one_class_cannot_be_learned(labels: list[int]) -> None:
    with pytest.raises(InputError, match="of each of two emotions"):
        fit_emotion(
            [["a", str(number)] for number in range(len(labels))], np.array(labels, np.int64), classes=("a", "b")
        )


def test_words_that_name_emotions_know_any_list_of_classes() -> None:
    shares = np.array([0.1, 0.2, 0.7])
    model = naming(("anger", "joy", "optimism"), shares)
    angry, nothing = model.predict([words("furious"), words("the band")])
    assert angry.argmax() == 0
    assert nothing == pytest.approx(shares)
    assert naming(("joy", "sadness")).predict([words("tears"), words("happy")]).argmax(axis=1).tolist() == [1, 0]


def test_a_test_by_chance_has_the_same_share_of_each_class() -> None:
    texts, labels = labelled({"joy": 100, "sadness": 10, "anger": 50})
    loaded = LabelledTexts.of(texts, labels)
    for seed in range(3):
        parts = split(loaded, seed=seed)
        assert parts.by == "chance"
        assert np.bincount(loaded.labels[parts.test]).tolist() == [10, 20, 2]
    assert json.dumps(split(loaded).test.tolist()) != json.dumps(split(loaded, seed=1).test.tolist())


def test_the_languages_of_a_model_are_those_of_its_texts() -> None:
    """A model of Spanish texts answers for Spanish, not for English."""
    spanish = [f"la canción número {number} me hace llorar cada noche" for number in range(18)]
    english = ["the crowd sang along with every word of the song"]
    assert languages_of([*spanish, *english]) == ("es",)
    assert languages_of([*spanish[:9], *english * 9]) == ("en", "es")
    assert languages_of(["?", "12"]) == ("en",)
