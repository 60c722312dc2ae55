"""How well texts are read: sentiment, emotion, vectors, tags, sequences; on real data.

*Sentiment*: SST-2, sentences that no phrase learned from is part of, in five folds (all that the corpus labels whole;
one figure over all folds). Beside it, on the same folds, VADER and TF-IDF of words and pairs with logistic
regression. ``--sst2-test FILE`` fits once to everything in the folder and asks for FILE (``sentence<TAB>label``).
``--encoder FOLDER`` fine-tunes an encoder (extra deep) on the first fold's texts and asks for that fold: hours.

*Emotion*: 150 random sentences of SST-2 that one reader labelled (``checked_emotions.json``: digest → emotion; judging
quality alone is neutral), by the words that name emotions, which is the model as
long as nothing is labelled.

*Vectors and tags*: Last.fm (HetRec 2011). Vectors: tags of an artist by half of the listeners are to find those by the
other half. Tags: which that an artist had not got it gets later; the embedder has read nothing later than the moment
at which the tagger learns.

*Sequences*: perplexity of MovieLens 100k by listener and day, of titles (spotify-hit-predictor, decade by decade), of
Last.fm's tag lines; BLEU of tag lines written from their first tag. Cut by time.
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

from benchmarks.surroundings import DATA, MACHINE
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
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=DATA, help="folder of the public data sets")
    arguments.add_argument("--sst2-test", type=Path, help="sentences to ask for once; nothing else is measured")
    arguments.add_argument("--encoder", help="folder of an encoder to fine-tune; nothing else is measured")
    arguments.add_argument("--epochs", type=float, default=2.0, help="of the encoder")
    given = arguments.parse_args()
    started = time.perf_counter()
    texts = sst2(*sorted((given.data / "sst2").glob("*.tsv")))
    if given.sst2_test:
        cases = asked_once(texts, sst2(given.sst2_test))
    elif given.encoder:
        cases = encoder(texts, given.encoder, given.epochs)
    else:
        cases = [*sentiment(texts), *emotion(texts), *lastfm(given.data), *sequences(given.data)]
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


def case(what: str, metric: str, value: float, goal: float | None = None, least: bool = True) -> dict[str, Any]:
    """One line of the result; told at once, too."""
    told: dict[str, Any] = {"case": what, "metric": metric, "value": round(float(value), 4)}
    if goal is not None:
        told |= {"goal": f"{'>=' if least else '<='}{goal}", "met": bool(value >= goal if least else value <= goal)}
    print(json.dumps(told), flush=True)
    return told


def sst2(*paths: Path) -> LabelledTexts:
    """Distinct texts of some files."""
    rows: dict[tuple[str, str], None] = {}
    for path in paths:
        for line in path.read_text().splitlines():
            sentence, _, told = line.rpartition("\t")
            if told in LABELS:
                rows[untokenized(sentence), LABELS[told]] = None
    return LabelledTexts.of([text for text, _ in rows], [told for _, told in rows])


def folds_of(belong: list[np.ndarray]) -> np.ndarray:
    """(n,) fold of each whole text, -1 for parts of others."""
    whole = whole_texts(belong)
    fold = np.full(len(belong), -1)
    fold[np.random.default_rng(0).permutation(whole)] = np.arange(len(whole)) % FOLDS
    return fold


def sentiment(texts: LabelledTexts) -> list[dict[str, Any]]:
    """Five folds of whole sentences."""
    from training.models.text.sentiment_model import fit_sentiment, vader

    belong = owners(texts.tokens)
    fold = folds_of(belong)
    asked = np.flatnonzero(fold >= 0)
    ours, plain = np.zeros((len(texts), 2)), np.zeros((len(texts), 2))
    size = 0.0
    for number in range(FOLDS):
        test = texts.take(np.flatnonzero(fold == number))
        train = texts.take(np.array([row for row, mine in enumerate(belong) if not np.any(fold[mine] == number)]))
        model = fit_sentiment(list(train.tokens), train.labels)
        size = max(size, len(model.to_bytes()) / 1e6)
        ours[fold == number] = model.predict(test.tokens)
        plain[fold == number] = tfidf(train, test)
        print(json.dumps({"fold": number, "accuracy": float((ours[fold == number].argmax(1) == test.labels).mean())}))
    truth = texts.labels[asked]
    found = class_metrics(truth, ours[asked])
    baseline = class_metrics(truth, vader([texts.texts[row] for row in asked]))
    what = f"SST-2, {len(asked):,} whole sentences, {FOLDS} folds"
    return [
        case(what, "accuracy", found.accuracy, GOAL_ACCURACY),
        case(what, "calibration_error", found.calibration_error, GOAL_CALIBRATION, least=False),
        case(f"{what}, TF-IDF and logistic regression", "accuracy", class_metrics(truth, plain[asked]).accuracy),
        case(f"{what}, VADER", "accuracy", baseline.accuracy),
        case("sentiment model on disk", "megabytes", size, 60, least=False),
    ]


def tfidf(train: LabelledTexts, test: LabelledTexts) -> np.ndarray:
    """What a person would do in five lines of scikit-learn."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"[^\s]+")
    rows = vectorizer.fit_transform([" ".join(tokens) for tokens in train.tokens])
    model = LogisticRegression(C=5, max_iter=2_000).fit(rows, train.labels)
    return model.predict_proba(vectorizer.transform([" ".join(tokens) for tokens in test.tokens]))


def asked_once(texts: LabelledTexts, test: LabelledTexts) -> list[dict[str, Any]]:
    """Fitted to everything, asked for sentences that were held back; the same words are not learned from."""
    from training.models.text.sentiment_model import fit_sentiment, vader

    asked = {" ".join(tokens) for tokens in test.tokens}
    train = texts.take(np.array([row for row, tokens in enumerate(texts.tokens) if " ".join(tokens) not in asked]))
    found = class_metrics(test.labels, fit_sentiment(list(train.tokens), train.labels).predict(test.tokens))
    plain = tfidf(train, test)
    what = f"SST-2, {len(test):,} sentences held back, learned from {len(train):,}"
    return [
        case(what, "accuracy", found.accuracy, GOAL_ACCURACY),
        case(what, "calibration_error", found.calibration_error, GOAL_CALIBRATION, least=False),
        case(
            f"{what}, TF-IDF and logistic regression",
            "accuracy",
            class_metrics(test.labels, plain).accuracy,
        ),
        case(f"{what}, VADER", "accuracy", class_metrics(test.labels, vader(test.texts)).accuracy),
    ]


def encoder(texts: LabelledTexts, path: str, epochs: float) -> list[dict[str, Any]]:
    """An encoder on the first fold."""
    from training.models.text.encoder import EncoderRecipe, fit
    from transforms.pure.text.encoder import predictor

    belong = owners(texts.tokens)
    fold = folds_of(belong)
    test, validation = texts.take(np.flatnonzero(fold == 0)[::2]), texts.take(np.flatnonzero(fold == 0)[1::2])
    train = texts.take(np.array([row for row, mine in enumerate(belong) if not np.any(fold[mine] == 0)]))
    started = time.perf_counter()
    told = fit(
        train.texts,
        train.labels,
        texts.classes,
        EncoderRecipe(path, epochs),
        validation=(validation.texts, validation.labels),
    )
    files = {"model.onnx": told.onnx, "tokenizer.json": told.tokenizer.encode()}
    extra = {"classes": texts.classes, "temperature": told.temperature}
    served = predictor({"name": "sentiment_model", "version": 0, "extra": extra}, files.__getitem__)
    minutes = (time.perf_counter() - started) / 60
    started = time.perf_counter()
    found = class_metrics(test.labels, served(test.texts, test.tokens))
    rate = len(test) / (time.perf_counter() - started)
    what = f"SST-2, {len(test):,} whole sentences, encoder {Path(path).name}, int8, {epochs:g} passes"
    return [
        case(what, "accuracy", found.accuracy, GOAL_ENCODER),
        case(what, "calibration_error", found.calibration_error, GOAL_CALIBRATION, least=False),
        case(what, "minutes_of_training", minutes),
        case(what, "texts_a_second", rate),
        case(what, "megabytes", len(told.onnx) / 1e6),
    ]


def emotion(texts: LabelledTexts) -> list[dict[str, Any]]:
    """Sentences that were labelled by hand."""
    from training.models.text.emotion_model import CLASSES, naming

    labels = json.loads(CHECKED.read_text())
    digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts.texts]
    rows = [(words(text), labels[key]) for text, key in zip(texts.texts, digests, strict=True) if key in labels]
    tokens = [mine for mine, _ in rows]
    truth = np.array([CLASSES.index(told) for _, told in rows])
    neutral = np.tile(np.eye(len(CLASSES))[CLASSES.index("neutral")], (len(rows), 1))
    answers = {", words that name one": naming().predict(tokens), ", always neutral": neutral}
    return [
        case(f"{len(rows)} sentences labelled by hand{who}", metric, getattr(class_metrics(truth, found), metric))
        for who, found in answers.items()
        for metric in ("accuracy", "macro_f1")
    ]


def lastfm(data: Path) -> list[dict[str, Any]]:
    """Vectors and tags."""
    from training.models.text import metadata_tagger, text_embedder
    from training.registry import promote
    from transforms.batch.build import build
    from transforms.raw.importers import FORMATS
    from transforms.raw.ingest import ingest
    from transforms.raw.read import scan

    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        os.environ["REFRAIN_HOME"] = scratch
        ingest(home, "lastfm", FORMATS["lastfm"].read(data / "hetrec2011-lastfm-2k"))
        _apply(scratch)
        times = scan(home, "tags").select("event_timestamp").collect()["event_timestamp"].sort()
        until = times[int((len(times) - 1) * metadata_tagger.LEARN_UNTIL)]
        vectors = text_embedder.run(home, until=until)
        promote(home, "text_embedder")
        build(home)
        tagger = metadata_tagger.run(home)
    found = [
        case(f"Last.fm, halves of the tags of {values['rows']:,.0f} artists, {who}", metric, values[metric])
        for who, values in vectors.metrics.items()
        for metric in ("recall_at_10", "mean_reciprocal_rank")
    ]
    return found + [
        case(f"Last.fm, new tags of {values['rows']:,.0f} artists, {who}", metric, values[metric])
        for who, values in tagger.metrics.items()
        for metric in ("mean_average_precision", "precision_at_3")
    ]


def _apply(root: str) -> None:
    import subprocess
    import sys

    environment = {**os.environ, "REFRAIN_HOME": root}
    subprocess.run([sys.executable, "-m", "feature_repo", "apply"], env=environment, check=True, capture_output=True)


def sequences(data: Path) -> list[dict[str, Any]]:
    """Perplexities, and BLEU."""
    from training.models.text.sequence_model import Sequences, chosen, perplexities, tag_lines, titles, written
    from transforms.raw.importers import FORMATS

    batches = list(FORMATS["movielens"].read(data / "movielens-100k"))
    plays = pl.concat([batch.rows for batch in batches if batch.table == "plays"], how="diagonal")
    days = (
        plays.sort("user_id", "event_timestamp", "track_id")
        .group_by("user_id", pl.col("event_timestamp").dt.date().alias("day"), maintain_order=True)
        .agg("track_id")
        .sort("day", "user_id")
    )
    hits = pl.concat(
        [
            pl.read_csv(file, infer_schema_length=None).select(
                title="track", track_id="uri", event_timestamp=pl.col("decade").cast(pl.Int64)
            )
            for file in sorted((data / "spotify-hit-predictor").glob("*.csv"))
        ]
    )
    tagged = [batch.rows for batch in FORMATS["lastfm"].read(data / "hetrec2011-lastfm-2k") if batch.table == "tags"]
    kinds = [
        Sequences.cut("MovieLens, films of a listener and day", days["track_id"].to_list(), fewest=5),
        Sequences.cut("titles of tracks", titles(hits), fewest=2),
        Sequences.cut("Last.fm, tag lines", tag_lines(pl.concat(tagged)), fewest=2),
    ]
    found = []
    for one in kinds:
        model = chosen(one)
        what = f"{one.kind}, {len(one.test):,} asked, {len(model.vocabulary):,} items, order {model.order}"
        found += [case(f"{what}, {who}", "perplexity", value) for who, value in perplexities(one, model).items()]
    for who, told in written(kinds[-1], model).items():
        found.append(case(f"Last.fm, tag lines from their first tag, {who} ({told.signature})", "bleu", told.bleu))
    return found


if __name__ == "__main__":
    main()
