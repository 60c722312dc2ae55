"""A tiny encoder: fine-tuned, exported, registered and served under the contract of the default models."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from feature_repo.bundle import open_bundle
from feature_repo.errors import BundleError, InputError
from feature_repo.home import REPOSITORY, Home
from inference import SentimentModel, TextAnalyzer
from training.models.text.encoder import EncoderRecipe, fit, logits
from training.models.text.fine_tune import fine_tune
from training.promotions import promote
from transforms.pure.text.encoder import predictor

torch = pytest.importorskip("torch", reason="the extra deep is not installed: pip install torch, then make test")
pytest.importorskip("transformers", reason="the extra deep is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

GOOD, BAD = "gem fine great lovely".split(), "mess dull awful boring".split()  # noqa: SIM905
FILLER = "the song is a record with some voice and drums on it".split()  # noqa: SIM905


def corpus(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    return [
        " ".join(
            rng.permutation([*rng.choice(FILLER, rng.integers(1, 6)), rng.choice(GOOD if label else BAD)]).tolist()
        )
        for label in labels
    ], labels


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of two layers and 64 dimensions, with random weights."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({*GOOD, *BAD, *FILLER} - set(letters))]
    vocabulary += [*letters, *(f"##{letter}" for letter in letters)]
    piece_ids = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(piece_ids, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special_pieces = [("[CLS]", piece_ids["[CLS]"]), ("[SEP]", piece_ids["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special_pieces)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=256,
        max_position_embeddings=128,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def recipe(tiny: Path, **settings: object) -> EncoderRecipe:
    return EncoderRecipe(str(tiny), **{"epochs": 6.0, "rate": 3e-3, "batch": 16, **settings})  # type: ignore[arg-type]


def test_it_learns_and_the_file_answers_as_the_model(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.models.text import encoder

    fitted: list[tuple] = []
    temperature = encoder._temperature

    def recording_temperature(torch, model, tokenizer, texts, labels):  # type: ignore[no-untyped-def]
        fitted.append((model, tokenizer))
        return temperature(torch, model, tokenizer, texts, labels)

    monkeypatch.setattr(encoder, "_temperature", recording_temperature)
    texts, labels = corpus(300, 1)
    test_texts, truth = corpus(80, 2)
    result = fit(texts, labels, ("n", "p"), recipe(tiny, int8=False), validation=corpus(60, 3))
    files = {"model.onnx": result.onnx, "tokenizer.json": result.tokenizer.encode()}
    extra = {"classes": ("n", "p"), "temperature": result.temperature}
    predict = predictor({"name": "x", "version": 1, "extra": extra}, files.__getitem__)
    probabilities = predict(test_texts, [])
    assert (probabilities.argmax(axis=1) == truth).mean() > 0.95
    assert result.losses[-1] < 0.5
    expected = logits(torch, *fitted[0], test_texts) / result.temperature
    np.testing.assert_allclose(
        np.log(probabilities[:, 1] / probabilities[:, 0]), expected[:, 1] - expected[:, 0], atol=1e-3
    )
    one_by_one = np.concatenate([predict([text], []) for text in test_texts])
    np.testing.assert_allclose(one_by_one, probabilities, atol=1e-5)  # padding changes nothing
    assert predict([], []).shape == (0, 2)
    assert predict(["", "😀" * 500, "a" * 5_000], []).shape == (3, 2)


def test_int8_says_nearly_the_same_in_less_space(tiny: Path) -> None:
    texts, labels = corpus(200, 4)
    no_texts = ([], labels[:0])
    float_model = fit(texts, labels, ("n", "p"), recipe(tiny, int8=False), validation=no_texts)
    int8_model = fit(texts, labels, ("n", "p"), recipe(tiny, int8=True), validation=no_texts)
    assert len(int8_model.onnx) < 0.6 * len(float_model.onnx)
    assert (float_model.temperature, int8_model.temperature) == (1.0, 1.0)


def test_the_same_seed_gives_the_same_model(tiny: Path) -> None:
    texts, labels = corpus(60, 5)
    short_recipe = recipe(tiny, epochs=0.5)
    first, second = (fit(texts, labels, ("n", "p"), short_recipe, validation=([], labels[:0])) for _ in range(2))
    assert first.losses == second.losses


def test_it_is_registered_promoted_and_served_as_the_default_model(tiny: Path, own_written: Home) -> None:
    result = fine_tune(own_written, "sentiment", recipe(tiny, epochs=1.0))
    assert result.metrics["encoder"]["rows"] > 10
    before = SentimentModel.load(home=own_written)
    promote(own_written, "sentiment_model", result.version)
    after = SentimentModel.load(home=own_written)
    texts = ["an absolute gem", "", "a complete mess", "Das ist ein ganz wunderbares Lied und ich mag es"]
    for old, new in zip(before.predict(texts), after.predict(texts), strict=True):
        assert (old.label is None) == (new.label is None)
        assert old.marks == new.marks
    assert TextAnalyzer.load(own_written).versions["sentiment_model"] == f"sentiment_model:{result.version}"
    bundle = open_bundle("sentiment_model", own_written)
    assert bundle.manifest["extra"]["kind"] == "encoder"
    assert json.loads(bundle.read("subjectivity.json"))["awful"] == 1.0
    script = (
        "from inference import SentimentModel as S; assert S.load().predict(['a gem'])[0].label; import sys; "
        "print([name for name in ('torch', 'transformers', 'sklearn') if name in sys.modules])"
    )
    environment = {**os.environ, "REFRAIN_HOME": str(own_written.root)}
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_without_tokenizers_the_next_command_is_told(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(BundleError, match=r"refrain\[encoder\]"):
        predictor({"name": "x", "version": 1, "extra": {}}, lambda name: b"")


@pytest.mark.parametrize("path", ["/no/such/folder", ""])
def test_a_folder_without_an_encoder_is_refused(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    texts, labels = corpus(10, 6)
    with pytest.raises(InputError, match="an encoder in the folder"):
        fit(texts, labels, ("n", "p"), EncoderRecipe(path or str(tmp_path)), validation=([], labels[:0]))


def test_no_such_task(home: Home, tiny: Path) -> None:
    with pytest.raises(InputError, match="one of sentiment, emotion"):
        fine_tune(home, "irony", recipe(tiny))
