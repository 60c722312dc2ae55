"""Speed and memory of text analysis on one core.

A sentiment model is fitted to SST-2 and loaded again from its file; every program analyses the same 5,000 texts of its
dev file, in batches of 256 and one by one, with one thread, in a process of its own; seconds are of its processor time.
Baselines on the same texts are VADER, TextBlob, and scikit-learn's TF-IDF with logistic regression. *Whole*: the
complete analysis of ``POST /v1/text/analyze`` (cleaning, masking, language, sentiment, emotion, vector, topics,
measures).
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.quality_text import sst2
from benchmarks.surroundings import MACHINE, data_set

GOAL_RATE, GOAL_MEGABYTES = 2_000, 60
TEXTS, BATCH = 5_000, 256


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with train.tsv and dev.tsv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files = prepare(data_set("sst2", options.data), folder)
        figures = {name: measure_apart(program, folder) for name, program in PROGRAMS.items()}
    for name, program_figures in figures.items():
        print(json.dumps({name: program_figures}), flush=True)
    sentiment, complete = figures["sentiment_model"], figures["whole"]
    cases = [
        case("sentiment, batches of 256, one core", "texts_a_second", sentiment["batched"], GOAL_RATE),
        case("sentiment, one by one", "texts_a_second", sentiment["single"]),
        case("whole reading, batches of 256, one core", "texts_a_second", complete["batched"], GOAL_RATE),
        case("whole reading, one by one", "texts_a_second", complete["single"]),
        case("sentiment model on disk", "megabytes", files["sentiment"], GOAL_MEGABYTES, higher_is_better=False),
        case("all models on disk", "megabytes", sum(files.values()), GOAL_MEGABYTES, higher_is_better=False),
        case("sentiment model in memory", "megabytes", sentiment["megabytes"], GOAL_MEGABYTES, higher_is_better=False),
        case("all models and language identification in memory", "megabytes", complete["megabytes"]),
        *(
            case(f"{name}, batches of 256, one core", "texts_a_second", program_figures["batched"])
            for name, program_figures in figures.items()
            if name not in ("sentiment_model", "whole")
        ),
    ]
    print(
        json.dumps(
            {
                "benchmark": "text_speed",
                "machine": MACHINE,
                "figures": figures,
                "cases": cases,
            }
        )
    )


def case(
    name: str, metric: str, value: float, goal: float | None = None, higher_is_better: bool = True
) -> dict[str, Any]:
    """Create one case of the result."""
    result: dict[str, Any] = {"case": name, "metric": metric, "value": round(float(value), 1)}
    if goal is not None:
        result |= {
            "goal": f"{'>=' if higher_is_better else '<='}{goal}",
            "met": bool(value >= goal if higher_is_better else value <= goal),
        }
    return result


def prepare(data: Path, folder: Path) -> dict[str, float]:
    """Fit the models and write their files and the texts to a folder; returns megabytes of each model."""
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from feature_repo.emotions import EMOTIONS
    from training.models.text import latent
    from training.models.text.emotion_model import naming
    from training.models.text.sentiment_model import fit_sentiment

    train = sst2(data / "train.tsv")
    sentiment = fit_sentiment(list(train.tokens), train.labels).to_bytes()
    emotion = naming(EMOTIONS).to_bytes()
    vectors = latent.fit(list(train.tokens)).to_bytes()
    for name, content in (("sentiment", sentiment), ("emotion", emotion), ("latent", vectors)):
        (folder / f"{name}.npz").write_bytes(content)
    baseline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=5, max_iter=2_000)
    )
    joblib.dump(baseline.fit(train.texts, train.labels), folder / "plain.joblib")
    dev_texts = sst2(data / "dev.tsv").texts
    (folder / "texts.json").write_text(json.dumps([dev_texts[number % len(dev_texts)] for number in range(TEXTS)]))
    return {"sentiment": len(sentiment) / 1e6, "emotion": len(emotion) / 1e6, "latent": len(vectors) / 1e6}


Analyze = Callable[[list[str]], Any]


def sentiment_model(folder: Path) -> Analyze:
    """Our sentiment model, as in ``SentimentModel``."""
    from transforms.pure.text.linear import LinearText
    from transforms.pure.text.words import words

    model = LinearText.from_bytes((folder / "sentiment.npz").read_bytes())
    return lambda texts: model.predict([words(text) for text in texts])


def whole(folder: Path) -> Analyze:
    """Our complete analysis of a text."""
    from transforms.pure.text.analysis import Classifier, TextModels, analyze
    from transforms.pure.text.latent import LatentText

    models = TextModels(
        Classifier.linear((folder / "sentiment.npz").read_bytes(), ["en"]),
        Classifier.linear((folder / "emotion.npz").read_bytes(), ["en"]),
        LatentText.from_bytes((folder / "latent.npz").read_bytes()),
        {"good": 0.6},
    )
    return lambda texts: analyze(texts, models)


def vader(folder: Path) -> Analyze:
    """VADER."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return lambda texts: [analyzer.polarity_scores(text)["compound"] for text in texts]


def textblob(folder: Path) -> Analyze:
    """TextBlob's pattern analyzer."""
    from textblob.en import sentiment

    return lambda texts: [sentiment(text) for text in texts]


def scikit_learn(folder: Path) -> Analyze:
    """TF-IDF of words and pairs, and logistic regression."""
    import joblib

    model = joblib.load(folder / "plain.joblib")
    return model.predict_proba


PROGRAMS: dict[str, Callable[[Path], Analyze]] = {
    "sentiment_model": sentiment_model,
    "whole": whole,
    "vader": vader,
    "textblob": textblob,
    "scikit_learn": scikit_learn,
}


def measure_apart(program: Callable[[Path], Analyze], folder: Path) -> dict[str, float]:
    """Measure one program in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (program.__name__, folder))


def resident_mb() -> float:
    """Return the resident memory of this process in megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(name: str, folder: Path) -> dict[str, float]:
    """Return texts a second of processor time, the best of three passes, and the megabytes added by loading.

    The first batch belongs to loading.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    import numpy as np

    np.zeros(1)
    texts = json.loads((folder / "texts.json").read_text())
    before_mb = resident_mb()
    analyze = PROGRAMS[name](folder)
    analyze(texts[:BATCH])
    after_mb = resident_mb()
    batched, single = 0.0, 0.0
    for _ in range(3):
        started = time.process_time()
        for start in range(0, len(texts), BATCH):
            analyze(texts[start : start + BATCH])
        batched = max(batched, len(texts) / (time.process_time() - started))
        started = time.process_time()
        for text in texts[:500]:
            analyze([text])
        single = max(single, 500 / (time.process_time() - started))
    return {"batched": round(batched), "single": round(single), "megabytes": round(after_mb - before_mb, 1)}


if __name__ == "__main__":
    main()
