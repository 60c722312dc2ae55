"""Quality of text models on real data: sentiment, emotion, vectors, tags, sequences.

*Sentiment*: SST-2 in five folds of whole sentences; no phrase of a test sentence is in its training part (one figure
over all folds). Baselines on the same folds are VADER, and TF-IDF of words and pairs with logistic regression.
``--sst2-test FILE`` fits once to everything in the folder and tests on FILE (``sentence<TAB>label``).
``--encoder FOLDER`` fine-tunes an encoder (extra deep) without the first fold and tests on that fold; it takes hours.

*Emotion*: 150 random sentences of SST-2 that one reader labelled (``checked_emotions.json``: digest → emotion; a
sentence that only judges quality is neutral), classified by words that name emotions, which stand beside every
model of emotion.

*Vectors and tags*: Last.fm (HetRec 2011). Vectors: tags of an artist by half of the listeners must retrieve those by
the other half. Tags: predicts the tags that an artist gets later; the embedder has read nothing later than the moment
at which the tagger learns.

*Sequences*: perplexity of MovieLens 100k by listener and day, of titles (spotify-hit-predictor, decade by decade), of
Last.fm's tag lines; BLEU of tag lines generated from their first tag. Split by time.

Judged on: development for SST-2: settings were chosen on folds of these sentences. Held out, by time or by listener,
for tags, vectors and sequences.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE, data_set
from feature_repo.home import Home
from training.datasets.texts import LabelledTexts, owners, whole_texts
from training.evaluate.classification import class_metrics
from transforms.pure.text.words import words
from transforms.raw.importers.sst2 import LABELS, untokenized

FOLDS = 5
GOAL_ACCURACY, GOAL_CALIBRATION, GOAL_ENCODER = 0.83, 0.05, 0.88
CHECKED = Path(__file__).with_name("checked_emotions.json")


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument("--sst2-test", type=Path, help="sentences to test on once; nothing else is measured")
    parser.add_argument("--encoder", help="folder of an encoder to fine-tune; nothing else is measured")
    parser.add_argument("--epochs", type=float, default=2.0, help="epochs of the encoder")
    options = parser.parse_args()
    started = time.perf_counter()
    texts = sst2(*sorted(data_set("sst2", root=options.data).glob("*.tsv")))
    if options.sst2_test:
        cases = test_once(texts, sst2(options.sst2_test))
    elif options.encoder:
        cases = encoder(texts, options.encoder, options.epochs)
    else:
        others = ("hetrec2011-lastfm-2k", "movielens-100k", "spotify-hit-predictor")
        tags, films, titles = (data_set(name, root=options.data) for name in others)
        cases = [*sentiment(texts), *emotion(texts), *lastfm(tags), *sequences(films, titles, tags)]
    print(
        json.dumps(
            {
                "benchmark": "quality_text",
                "machine": MACHINE,
                "seconds": round(time.perf_counter() - started, 1),
                "figures": {},
                "cases": cases,
            }
        )
    )


def case(
    name: str, metric: str, value: float, goal: float | None = None, higher_is_better: bool = True
) -> dict[str, Any]:
    """Create one case of the result, and print it."""
    result: dict[str, Any] = {"case": name, "metric": metric, "value": round(float(value), 4)}
    if goal is not None:
        result |= {
            "goal": f"{'>=' if higher_is_better else '<='}{goal}",
            "met": bool(value >= goal if higher_is_better else value <= goal),
        }
    print(json.dumps(result), flush=True)
    return result


def sst2(*paths: Path) -> LabelledTexts:
    """Read the distinct texts of some files."""
    rows: dict[tuple[str, str], None] = {}
    for path in paths:
        for line in path.read_text().splitlines():
            sentence, _, label = line.rpartition("\t")
            if label in LABELS:
                rows[untokenized(sentence), LABELS[label]] = None
    return LabelledTexts.of([text for text, _ in rows], [label for _, label in rows])


def folds_of(text_owners: list[np.ndarray]) -> np.ndarray:
    """Assign whole texts to folds: (n,) fold, -1 for phrases that are part of other texts."""
    whole_rows = whole_texts(text_owners)
    fold = np.full(len(text_owners), -1)
    fold[np.random.default_rng(0).permutation(whole_rows)] = np.arange(len(whole_rows)) % FOLDS
    return fold


def sentiment(texts: LabelledTexts) -> list[dict[str, Any]]:
    """Measure sentiment over five folds of whole sentences."""
    from training.models.text.sentiment_model import fit_sentiment, vader

    text_owners = owners(texts.tokens)
    fold = folds_of(text_owners)
    tested = np.flatnonzero(fold >= 0)
    scores, baseline_scores = np.zeros((len(texts), 2)), np.zeros((len(texts), 2))
    size = 0.0
    for number in range(FOLDS):
        test = texts.take(np.flatnonzero(fold == number))
        train = texts.take(
            np.array([row for row, row_owners in enumerate(text_owners) if not np.any(fold[row_owners] == number)])
        )
        model = fit_sentiment(list(train.tokens), train.labels)
        size = max(size, len(model.to_bytes()) / 1e6)
        scores[fold == number] = model.predict(test.tokens)
        baseline_scores[fold == number] = tfidf(train, test)
        print(json.dumps({"fold": number, "accuracy": float((scores[fold == number].argmax(1) == test.labels).mean())}))
    truth = texts.labels[tested]
    metrics = class_metrics(truth, scores[tested])
    vader_metrics = class_metrics(truth, vader([texts.texts[row] for row in tested]))
    case_name = f"SST-2, {len(tested):,} whole sentences, {FOLDS} folds"
    return [
        case(case_name, "accuracy", metrics.accuracy, GOAL_ACCURACY),
        case(case_name, "calibration_error", metrics.calibration_error, GOAL_CALIBRATION, higher_is_better=False),
        case(
            f"{case_name}, TF-IDF and logistic regression",
            "accuracy",
            class_metrics(truth, baseline_scores[tested]).accuracy,
        ),
        case(f"{case_name}, VADER", "accuracy", vader_metrics.accuracy),
        case("sentiment model on disk", "megabytes", size, 60, higher_is_better=False),
    ]


def tfidf(train: LabelledTexts, test: LabelledTexts) -> np.ndarray:
    """Predict with a simple scikit-learn baseline: TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"[^\s]+")
    rows = vectorizer.fit_transform([" ".join(tokens) for tokens in train.tokens])
    model = LogisticRegression(C=5, max_iter=2_000).fit(rows, train.labels)
    return model.predict_proba(vectorizer.transform([" ".join(tokens) for tokens in test.tokens]))


def test_once(texts: LabelledTexts, test: LabelledTexts) -> list[dict[str, Any]]:
    """Fit to everything except the held-out sentences, and test on these once."""
    from training.models.text.sentiment_model import fit_sentiment, vader

    test_sentences = {" ".join(tokens) for tokens in test.tokens}
    train = texts.take(
        np.array([row for row, tokens in enumerate(texts.tokens) if " ".join(tokens) not in test_sentences])
    )
    metrics = class_metrics(test.labels, fit_sentiment(list(train.tokens), train.labels).predict(test.tokens))
    baseline_scores = tfidf(train, test)
    case_name = f"SST-2, {len(test):,} sentences held back, learned from {len(train):,}"
    return [
        case(case_name, "accuracy", metrics.accuracy, GOAL_ACCURACY),
        case(case_name, "calibration_error", metrics.calibration_error, GOAL_CALIBRATION, higher_is_better=False),
        case(
            f"{case_name}, TF-IDF and logistic regression",
            "accuracy",
            class_metrics(test.labels, baseline_scores).accuracy,
        ),
        case(f"{case_name}, VADER", "accuracy", class_metrics(test.labels, vader(test.texts)).accuracy),
    ]


def encoder(texts: LabelledTexts, path: str, epochs: float) -> list[dict[str, Any]]:
    """Measure a fine-tuned encoder on the first fold."""
    from training.models.text.encoder import EncoderRecipe, fit
    from transforms.pure.text.encoder import predictor

    text_owners = owners(texts.tokens)
    fold = folds_of(text_owners)
    test, validation = texts.take(np.flatnonzero(fold == 0)[::2]), texts.take(np.flatnonzero(fold == 0)[1::2])
    train = texts.take(
        np.array([row for row, row_owners in enumerate(text_owners) if not np.any(fold[row_owners] == 0)])
    )
    started = time.perf_counter()
    fitted = fit(
        train.texts,
        train.labels,
        texts.classes,
        EncoderRecipe(path, epochs),
        validation=(validation.texts, validation.labels),
    )
    files = {"model.onnx": fitted.onnx, "tokenizer.json": fitted.tokenizer.encode()}
    extra = {"classes": texts.classes, "temperature": fitted.temperature}
    predict = predictor({"name": "sentiment_model", "version": 0, "extra": extra}, files.__getitem__)
    minutes = (time.perf_counter() - started) / 60
    started = time.perf_counter()
    metrics = class_metrics(test.labels, predict(test.texts, test.tokens))
    rate = len(test) / (time.perf_counter() - started)
    case_name = f"SST-2, {len(test):,} whole sentences, encoder {Path(path).name}, int8, {epochs:g} passes"
    return [
        case(case_name, "accuracy", metrics.accuracy, GOAL_ENCODER),
        case(case_name, "calibration_error", metrics.calibration_error, GOAL_CALIBRATION, higher_is_better=False),
        case(case_name, "minutes_of_training", minutes),
        case(case_name, "texts_a_second", rate),
        case(case_name, "megabytes", len(fitted.onnx) / 1e6),
    ]


def emotion(texts: LabelledTexts) -> list[dict[str, Any]]:
    """Measure emotion on sentences that were labelled by hand."""
    from feature_repo.emotions import EMOTIONS
    from training.models.text.emotion_model import naming

    labels = json.loads(CHECKED.read_text())
    digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts.texts]
    rows = [(words(text), labels[key]) for text, key in zip(texts.texts, digests, strict=True) if key in labels]
    tokens = [sentence for sentence, _ in rows]
    truth = np.array([EMOTIONS.index(label) for _, label in rows])
    neutral = np.tile(np.eye(len(EMOTIONS))[EMOTIONS.index("neutral")], (len(rows), 1))
    answers = {", words that name one": naming(EMOTIONS).predict(tokens), ", always neutral": neutral}
    return [
        case(f"{len(rows)} sentences labelled by hand{model}", metric, getattr(class_metrics(truth, scores), metric))
        for model, scores in answers.items()
        for metric in ("accuracy", "macro_f1")
    ]


def lastfm(tags: Path) -> list[dict[str, Any]]:
    """Measure vectors and tags."""
    from training.models.text import metadata_tagger, text_embedder
    from training.promotions import promote
    from transforms.batch.build import build
    from transforms.raw.importers.lastfm import LASTFM
    from transforms.raw.ingest import ingest
    from transforms.raw.read import scan

    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        os.environ["REFRAIN_HOME"] = scratch
        ingest(home, "lastfm", LASTFM.read(tags))
        _apply(scratch)
        times = scan(home, "tags").select("event_timestamp").collect()["event_timestamp"].sort()
        until = times[int((len(times) - 1) * metadata_tagger.LEARN_UNTIL)]
        vectors = text_embedder.run(home, until=until)
        promote(home, "text_embedder")
        build(home)
        tagger = metadata_tagger.run(home)
    cases = [
        case(f"Last.fm, halves of the tags of {values['rows']:,.0f} artists, {model}", metric, values[metric])
        for model, values in vectors.metrics.items()
        for metric in ("recall_at_10", "mean_reciprocal_rank")
    ]
    return cases + [
        case(f"Last.fm, new tags of {values['rows']:,.0f} artists, {model}", metric, values[metric])
        for model, values in tagger.metrics.items()
        for metric in ("mean_average_precision", "precision_at_3")
    ]


def _apply(root: str) -> None:
    import subprocess
    import sys

    environment = {**os.environ, "REFRAIN_HOME": root}
    subprocess.run([sys.executable, "-m", "feature_repo", "apply"], env=environment, check=True, capture_output=True)


def sequences(films: Path, tracks: Path, tags: Path) -> list[dict[str, Any]]:
    """Measure perplexities and BLEU of sequence models."""
    from training.models.text.sequence_model import Sequences, chosen, perplexities, tag_lines, titles, written
    from transforms.raw.importers.lastfm import LASTFM
    from transforms.raw.importers.movielens import MOVIELENS

    batches = list(MOVIELENS.read(films))
    plays = pl.concat([batch.rows for batch in batches if batch.table == "plays"], how="diagonal")
    days = (
        plays.sort("user_id", "event_timestamp", "track_id")
        .group_by("user_id", pl.col("event_timestamp").dt.date().alias("day"), maintain_order=True)
        .agg("track_id")
        .sort("day", "user_id")
    )
    songs = pl.concat(
        [
            pl.read_csv(file, infer_schema_length=None).select(
                title="track", track_id="uri", event_timestamp=pl.col("decade").cast(pl.Int64)
            )
            for file in sorted(tracks.glob("*.csv"))
        ]
    )
    tag_batches = [batch.rows for batch in LASTFM.read(tags) if batch.table == "tags"]
    kinds = [
        Sequences.cut("MovieLens, films of a listener and day", days["track_id"].to_list(), fewest=5),
        Sequences.cut("titles of tracks", titles(songs), fewest=2),
        Sequences.cut("Last.fm, tag lines", tag_lines(pl.concat(tag_batches)), fewest=2),
    ]
    cases = []
    for sequences in kinds:
        model = chosen(sequences)
        case_name = (
            f"{sequences.kind}, {len(sequences.test):,} asked, {len(model.vocabulary):,} items, order {model.order}"
        )
        cases += [
            case(f"{case_name}, {model_name}", "perplexity", value)
            for model_name, value in perplexities(sequences, model).items()
        ]
    for model_name, result in written(kinds[-1], model).items():
        cases.append(
            case(f"Last.fm, tag lines from their first tag, {model_name} ({result.signature})", "bleu", result.bleu)
        )
    return cases


if __name__ == "__main__":
    main()
