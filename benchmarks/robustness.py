"""Models under attack, on real data: how far they fall, what training with augmentation gains, and what it costs.

*Texts*: SST-2, sentiment fitted to 6,000 texts, attacked on whole sentences of which no part was learned from; with and
without the undoing of disguised letters, and with typing errors in training (``augment=0.3``). *Personal data*: the
masking of written texts. *Sounds*: spoken digits, heads on features fitted to four speakers and asked about two others,
through codecs, noise and filters; with training sounds sent through them, too. *Network*: recorded instruments, the
convolutional network by FGSM and PGD on its mel bands and through them on the samples. *Rows*: NSL-KDD, LightGBM on
attacks of one half of the kinds, asked about the others and other normal connections; with noise in training
(``augment=0.5``). *Certified*: heads of spoken digits, smoothed. *Anomalies*: mimicry on NSL-KDD by a detector of
normal connections alone, and slow drift on series of the Numenta Anomaly Benchmark.

Gains and costs are paired differences on the same units, with 95 % intervals by bootstrap over texts, kinds of attack,
or words of speakers.

Judged on: held out, by speaker, kind of attack, sentence; nothing was tuned on it. Look-alikes of the attack and those
that the cleaning undoes were listed by the same hands: read that figure as an upper bound. SST-2 and NSL-KDD are
development data of the models themselves.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.robustness [--data FOLDER] [--only PART]
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl

from benchmarks.quality_nab import load as load_nab
from benchmarks.quality_nsl_kdd import GROUPS, division, rows_at
from benchmarks.quality_nsl_kdd import load as load_kdd
from benchmarks.quality_text import sst2
from benchmarks.surroundings import MACHINE, data_set
from training.models.anomaly.fit_rows import fit_rows
from training.robustness.curve import Curve
from training.robustness.measure import measure
from training.robustness.target import Target
from training.validation.bootstrap import interval
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.series import DEFAULT_POLICY, SeriesSettings

Case = dict[str, Any]
TEXTS, UNITS = 6_000, 250


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument("--only", choices=sorted(PARTS), help="one part alone")
    options = parser.parse_args()
    started = time.process_time()
    cases = [case for name, part in PARTS.items() if options.only in (None, name) for case in part(options.data)]
    once = {(case["case"], case["metric"]): case for case in reversed(cases)}  # without attack it is measured again
    cases = list(once.values())[::-1]
    seconds = round(time.process_time() - started, 1)
    print(json.dumps({"benchmark": "robustness", "machine": MACHINE, "cpu_seconds": seconds, "cases": cases}))


def texts(root: Path | None) -> list[Case]:
    """Sentiment: plain, without undoing disguises, and trained with typing errors."""
    from training.datasets.texts import owners, whole_texts
    from training.models.text.linear_stack import DEFAULT
    from training.models.text.problem import recipe_with
    from training.models.text.sentiment_model import fit_sentiment
    from training.robustness.subjects.texts import classifier_target

    every = sst2(data_set("sst2", root=root) / "dev.tsv")
    belong = owners(every.tokens)
    whole = np.random.default_rng(0).permutation(whole_texts(belong))
    test_rows = whole[:UNITS]
    is_asked = np.zeros(len(every), bool)
    is_asked[test_rows] = True
    free = np.flatnonzero([not is_asked[containers].any() for containers in belong])
    learned = every.take(np.random.default_rng(1).permutation(free)[:TEXTS])
    test = every.take(test_rows)

    def target(augment: float) -> Target[str]:
        recipe = recipe_with(DEFAULT, {"augment": augment})
        model = fit_sentiment(list(learned.tokens), learned.labels, recipe=recipe)
        return classifier_target(test.texts, test.labels, model.predict, judged="")

    plain, augmented = target(0.0), target(0.3)
    name = f"sentiment, {len(learned):,} texts of SST-2"
    cases = curves_of(name, plain, ())
    for one, strength in (("typos", 0.4), ("word_importance", 0.2), ("split_words", 0.4)):
        cases += compared(f"{name}, augment=0.3", plain, augmented, one, strength)
    with patch("transforms.pure.text.clean.undisguise", lambda text: text):
        for attack, strength in (("homoglyphs", 0.25), ("zero_width", 0.25)):
            bare = curve(plain, attack, strength)
            cases.append(as_case(f"{name}, {attack} {strength:g}, disguises not undone", bare, bare.points[0].figure))
    return cases


def masking(root: Path | None) -> list[Case]:
    """Masking of personal data."""
    from feature_repo.home import Home
    from training.robustness.subject import Request
    from training.robustness.subjects.masking import targets

    (target,) = targets(Request(Home(Path("unused"))))
    cases = curves_of("masking of personal data", target, ())
    with patch("transforms.pure.text.clean.undisguise", lambda text: text):
        for attack, strength in (("homoglyphs", 0.25), ("zero_width", 0.25)):
            bare = curve(target, attack, strength)
            cases.append(as_case(f"masking, {attack} {strength:g}, disguises not undone", bare, bare.points[0].figure))
    return cases


def sounds(root: Path | None) -> list[Case]:
    """Spoken digits by speakers who were not learned from; heads on features."""
    from training.models.audio import heads
    from training.models.audio.recorders import shifts
    from training.models.audio.tasks import Task
    from training.robustness.degrade import degrade
    from training.robustness.subjects.audio_classifier import features_of, heads_targets, sound_targets

    samples, labels, speakers = digits(root)
    is_test = np.isin(speakers, np.unique(speakers)[-2:])
    vectors = np.array([features_of(one) for one in samples], np.float32)
    classes = tuple(map(str, range(10)))
    learned, test_rows = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    task = Task("digit", "one_of", classes, np.eye(10)[labels[learned]])
    (rows,) = heads_targets(
        vectors[learned], task, speakers[learned], vectors[test_rows], labels[test_rows], speakers[test_rows]
    )
    test = [samples[row] for row in test_rows]
    clusters = np.array([f"{speakers[row]}/{labels[row]}" for row in test_rows])
    (plain,) = sound_targets(rows.extra["classes"], test, labels[test_rows], clusters, "")
    rng = np.random.default_rng(0)
    copies = np.array([features_of(degrade(samples[row], rng)) for row in learned], np.float32)
    both = Task("digit", "one_of", classes, np.eye(10)[np.concatenate([labels[learned]] * 2)])
    model = heads.fit(
        np.concatenate([vectors[learned], copies]), [both], np.concatenate([speakers[learned]] * 2), shifts=shifts()
    )
    (augmented,) = sound_targets(
        lambda inputs: model.answers(inputs)[0]["digit"].argmax(axis=1), test, labels[test_rows], clusters, ""
    )
    name = f"spoken digits, {len(learned)} of 4 speakers"
    cases = curves_of(name, plain, ("clipping", "low_pass", "mp3", "pink_noise", "resampling", "time_stretch"))
    for one, strength in (("mp3", 32.0), ("white_noise", 10.0), ("low_pass", 2.0)):
        cases += compared(f"{name}, with degraded copies", plain, augmented, one, strength)
    return cases + curves_of(f"{name}, features", rows, ("certified", "fgsm", "pgd", "hop_skip_jump"))


def digits(root: Path | None) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Read the spoken digits: samples, digits and speakers."""
    from transforms.pure.audio.decode import mono
    from transforms.pure.audio.stft import RATE

    files = sorted((data_set("free-spoken-digit", root=root) / "recordings").glob("*.wav"))
    parts = [file.stem.split("_") for file in files]
    samples = [np.concatenate([np.empty(0, np.float32), *mono(file, RATE)]) for file in files]
    return samples, np.array([int(digit) for digit, _, _ in parts]), np.array([speaker for _, speaker, _ in parts])


def network(root: Path | None) -> list[Case]:
    """Recorded instruments: the convolutional network by gradient."""
    from training.models.audio.mel_cnn import CnnRecipe, fit
    from training.models.audio.tasks import Task
    from training.robustness.subjects.audio_classifier import network_targets
    from transforms.pure.audio.decode import mono
    from transforms.pure.audio.patch import patch as patch_of
    from transforms.pure.audio.stft import RATE

    folder = data_set("instrument-samples", root=root)
    table = pl.read_csv(folder / "labels.csv")
    files = [(folder / path, name) for path, name in table.select("path", "instrument").iter_rows()]
    files = [(file, name) for file, name in files if file.is_file()]
    samples = [np.concatenate([np.empty(0, np.float32), *mono(file, RATE)]) for file, _ in files]
    classes = tuple(sorted({name for _, name in files}))
    labels = np.array([classes.index(name) for _, name in files])
    order = np.random.default_rng(0).permutation(len(files))
    test, validation, learned = np.split(order, [len(order) // 3, len(order) // 2])
    patches = np.array([patch_of(one) for one in samples], np.float32)
    task = Task("instrument", "one_of", classes, np.eye(len(classes))[labels])
    trained = fit(patches, [task], learned, validation, CnnRecipe(epochs=20))
    of_bands, of_sounds = network_targets(
        trained.onnx, "instrument", [samples[row] for row in test], labels[test], np.arange(len(test))
    )
    name = f"network, {len(learned)} notes of {len(classes)} instruments"
    return curves_of(name, of_bands, ("fgsm", "pgd")) + curves_of(
        name, of_sounds, ("pgd_waveform", "white_noise"), most=20
    )


def rows(root: Path | None) -> list[Case]:
    """NSL-KDD: boosted trees on half of the kinds of attack, asked about the others."""
    from training.estimators import learner
    from training.models.tabular import with_noise
    from training.robustness.subjects.rows import binary_target

    features, kinds, _ = load_kdd(data_set("nsl-kdd-train/KDDTrain+_20Percent.txt", _file(root)))
    numeric = sorted(name for name, values in features.items() if values.dtype.kind == "f")
    inputs = np.column_stack([features[name] for name in numeric]).astype(np.float32)
    known_kinds = [kind for group in GROUPS.values() for kind in group[::2]]
    normal_fit, _, normal_test = division(kinds, 0)
    learned = np.concatenate([normal_fit, np.flatnonzero(np.isin(kinds, known_kinds))])
    test_rows = np.concatenate([normal_test, np.flatnonzero((kinds != "normal") & ~np.isin(kinds, known_kinds))])
    labels = (kinds != "normal").astype(np.float64)
    # what a sender can change of a connection: its length and what it carries, not what the host counts of all
    movable = np.array([name in MOVABLE for name in numeric])
    clusters = np.array([f"{kinds[row]} {row}" if kinds[row] == "normal" else kinds[row] for row in test_rows])
    trees = learner("lightgbm")

    def target(augment: float) -> Target[np.ndarray]:
        x, y = inputs[learned], labels[learned]
        fitted = trees.fit(*(with_noise(x, y, augment, 0) if augment else (x, y)), "binary", {})
        return binary_target(fitted, x, y, inputs[test_rows], labels[test_rows], movable, clusters, "")

    plain, augmented = target(0.0), target(0.5)
    name = f"boosted trees, {len(learned):,} connections of NSL-KDD"
    cases = curves_of(name, plain, ("certified", "feature_noise", "few_features", "hop_skip_jump"), most=80)
    for one, strength in (("feature_noise", 0.5), ("few_features", 1.0), ("hop_skip_jump", 0.25)):
        cases += compared(f"{name}, augment=0.5", plain, augmented, one, strength, most=80)
    return cases


MOVABLE = (
    "duration",
    "src_bytes",
    "dst_bytes",
    "wrong_fragment",
    "urgent",
    "hot",
    "num_failed_logins",
    "num_compromised",
)


def anomalies(root: Path | None) -> list[Case]:
    """Mimicry on NSL-KDD, slow drift on NAB."""
    from training.robustness.subjects.anomalies import detections_target, streams_target

    features, kinds, _ = load_kdd(data_set("nsl-kdd-train/KDDTrain+_20Percent.txt", _file(root)))
    fit, calibration, normal = division(kinds, 0)
    detector = fit_rows(rows_at(features, fit), rows_at(features, calibration), seed=0)
    attacks = np.random.default_rng(0).permutation(np.flatnonzero(kinds != "normal"))[:UNITS]

    def score(changed: Any) -> np.ndarray:
        return 0.01 - detector.score(changed).p_value

    mimics = detections_target(score, rows_at(features, attacks), rows_at(features, normal), kinds[attacks], "")
    cases = curves_of("rare connections of NSL-KDD, one false alarm in a hundred", mimics, ())
    corpus = load_nab(data_set("nab", root=root))
    policies: list[AlarmPolicy] = [DEFAULT_POLICY] * len(corpus)
    drift = streams_target([(one.times, one.values) for one in corpus], policies, SeriesSettings(), "")
    return cases + curves_of(f"{len(corpus)} series of NAB", drift, ())


def _file(root: Path | None) -> Path | None:
    return None if root is None else root / "nsl-kdd-train" / "KDDTrain+_20Percent.txt"


def curve(target: Target[Any], attack: str, strength: float, most: int = UNITS) -> Curve:
    """Measure one attack at one strength."""
    measured = measure([target], names=[attack], strengths=[strength], rows=most)
    return measured.curves[0]


def curves_of(name: str, target: Target[Any], attacks: Sequence[str], most: int = UNITS) -> list[Case]:
    """Measure attacks at their own strengths: a case without attack, and one for each strength."""
    cases = []
    for one in measure([target], names=attacks, rows=most).curves:
        cases.append(as_case(f"{name}, {one.attack} none", one, one.clean))
        cases += [
            as_case(f"{name}, {one.attack} {point.strength:g} {one.unit}", one, point.figure) for point in one.points
        ]
    return cases


def compared(
    name: str, plain: Target[Any], changed: Target[Any], attack: str, strength: float, most: int = UNITS
) -> list[Case]:
    """Measure what a change of training gains under an attack, and costs without one, on the same units."""
    from training.robustness.attack import attacks
    from training.robustness.target import sampled

    one = attacks()[attack]
    units = [sampled(target, min(most, one.most), 0) for target in (plain, changed)]
    clean = [target.values(target.inputs, target.units) for target in units]
    attacked = [one.measure(target, [strength], np.random.default_rng(0))[0] for target in units]
    cases = []
    for what, (before, after) in (("no attack", clean), (f"{attack} {strength:g}", attacked)):
        gain = interval(np.asarray(after) - np.asarray(before), units[0].groups)
        cases.append(
            {
                "case": f"{name}, {what}",
                "metric": f"gain in {plain.metric}",
                "value": round(gain.mean, 4),
                "low": round(gain.low, 4),
                "high": round(gain.high, 4),
                "level": round(float(np.mean(after)), 4),
            }
        )
        print(json.dumps(cases[-1]), flush=True)
    return cases


def as_case(name: str, one: Curve, figure: Any) -> Case:
    """Create one case of the result, and print it."""
    case = {
        "case": name,
        "metric": one.metric,
        "value": round(figure.mean, 4),
        "low": round(figure.low, 4),
        "high": round(figure.high, 4),
    }
    print(json.dumps(case), flush=True)
    return case


PARTS: dict[str, Callable[[Path | None], list[Case]]] = {
    "texts": texts,
    "masking": masking,
    "sounds": sounds,
    "network": network,
    "rows": rows,
    "anomalies": anomalies,
}

if __name__ == "__main__":
    main()
