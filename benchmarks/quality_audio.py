"""Quality of audio models: genre, mood and instruments, and beats of songs whose truth is known.

*GTZAN.* The published table of features (librosa's, 30 seconds each), fault-filtered lists: fitted to ``train``, tested
on ``valid``. The table has no artists; the lists do not share any. Once with all columns, once without those that
depend on mastering level. *Moods.* 686 tracks of Spotify's playlists with 12 features: five folds, by artist. *Notes.*
84 notes of four instruments, one recorder: five folds by pitch, our own features. *Songs.* Simulated (``refrain
simulate-sound``, with a seed and artists not used in development): tested on a quarter of the artists; beats
beside librosa's; and the share of real recordings, speech, notes and noise that is classified as unknown.

Judged on: held out, by artist, by pitch and by the published lists; the songs are of a seed and artists not used in
development. GTZAN without level is development: it was chosen after a look.

    python -m benchmarks.quality_audio [--songs 480]
"""

import argparse
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE, data_set
from training.evaluate.classification import class_metrics, class_recalls
from training.models.audio import heads
from training.models.audio.audio_classifier import NAME, lightgbm, measured
from training.models.audio.distance import LIMIT
from training.models.audio.recorders import shifts
from training.models.audio.tasks import Task, tasks
from training.models.audio.unknown import unknown_figures
from transforms.pure.audio.described import described, vector
from transforms.pure.audio.listen import listen
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.raw.simulate.sound.song import MOODS, compose
from transforms.raw.simulate.sound.style import STYLES

SEED, SECONDS, SONGS_AN_ARTIST = 2_024, 12.0, 4
_LEVEL = ("rms", "harmony", "perceptr", "mfcc1_mean")
Cases = list[dict[str, Any]]


def one_of(name: str, labels: np.ndarray) -> Task:
    """Create a task with one label per row."""
    classes = tuple(np.unique(labels).tolist())
    return Task(name, "one_of", classes, (labels[:, None] == np.array(classes)).astype(np.float64))


def metric_cases(case: str, model: str, task: Task, rows: np.ndarray, answers: np.ndarray) -> Cases:
    """Return accuracy, macro recall, log loss and calibration error of one model as cases, and recalls of ours."""
    truth = task.targets[rows].argmax(axis=1)
    metrics, recalls = class_metrics(truth, answers), class_recalls(truth, answers)
    figures = {
        "accuracy": metrics.accuracy,
        "macro_recall": float(np.mean(list(recalls.values()))),
        "log_loss": metrics.log_loss,
        "calibration_error": metrics.calibration_error,
    }
    if model == "ours":
        figures |= {f"recall of {task.classes[number]}": value for number, value in recalls.items()}
    return [{"case": case, "metric": f"{name}, {model}", "value": round(value, 3)} for name, value in figures.items()]


def folds(inputs: np.ndarray, task: Task, groups: np.ndarray, case: str, directions: np.ndarray | None = None) -> Cases:
    """Measure five folds of groups, beside LightGBM and the class frequencies."""
    names = np.random.default_rng(0).permutation(np.unique(groups))
    answers = {model: np.zeros(task.targets.shape) for model in ("ours", "lightgbm", "frequent")}
    for test_groups in np.array_split(names, 5):
        test = np.isin(groups, test_groups)
        train, train_task = np.flatnonzero(~test), task.take(np.flatnonzero(~test))
        model = heads.fit(inputs[train], [train_task], groups[train], shifts=directions)
        answers["ours"][test] = model.answers(inputs[test])[0][task.name]
        answers["lightgbm"][test] = lightgbm(inputs[train], train_task, inputs[test])
        answers["frequent"][test] = train_task.targets.mean(axis=0)
    rows = np.arange(len(inputs))
    return [result for model, scores in answers.items() for result in metric_cases(case, model, task, rows, scores)]


def gtzan() -> Cases:
    """Fit on train, measure on valid."""
    folder = data_set("gtzan-features")
    table = pl.read_csv(folder / "features_30_sec_original.csv")
    place = {name: number for number, name in enumerate(table["filename"].to_list())}
    lists = [(folder / "index" / f"{split}_filtered.txt").read_text().split() for split in ("train", "valid")]
    train, valid = (np.array([place[Path(line).name] for line in split if Path(line).name in place]) for split in lists)
    task = one_of("genre", table["label"].to_numpy())
    blocks = np.array([re.sub(r"\d\.wav$", "", name) for name in table["filename"].to_list()])  # neighbours in a folder
    cases = []
    columns = [name for name in table.columns if name not in ("filename", "length", "label")]
    for variant, names in (
        ("all 57 features", columns),
        ("without level", [name for name in columns if not name.startswith(_LEVEL)]),
    ):
        inputs = np.column_stack([_column(table[name].to_numpy(), name) for name in names])
        model = heads.fit(inputs[train], [task.take(train)], blocks[train])
        answers = {
            "ours": model.answers(inputs[valid])[0]["genre"],
            "lightgbm": lightgbm(inputs[train], task.take(train), inputs[valid]),
        }
        case = f"GTZAN, {len(train)} to learn from, {len(valid)} of valid, {variant}"
        cases += [
            result
            for model_name, values in answers.items()
            for result in metric_cases(case, model_name, task, valid, values)
        ]
    cases[0]["goal"] = ">=0.60"
    return cases


def _column(values: np.ndarray, name: str) -> np.ndarray:
    positive = name.endswith("_var") or name.startswith(("rms", "spectral", "rolloff", "zero", "tempo"))
    return np.log(np.maximum(values.astype(np.float64), 1e-9)) if positive else values.astype(np.float64)


def moods() -> Cases:
    """Measure moods over folds of artists."""
    file = data_set("spotify-moods/data_moods.csv")
    table = pl.read_csv(file)
    names = [
        "length",
        "danceability",
        "acousticness",
        "energy",
        "instrumentalness",
        "liveness",
        "valence",
        "loudness",
        "speechiness",
        "tempo",
    ]
    inputs = table.select(names).to_numpy().astype(np.float64)
    for number in (0, 2, 4, 5, 8):
        inputs[:, number] = np.log(inputs[:, number] + 1e-3)
    task = one_of("mood", table["mood"].to_numpy())
    return folds(inputs, task, table["artist"].to_numpy(), f"Spotify moods, {table.height} tracks, folds by artist")


def notes() -> Cases:
    """Measure instruments over folds of pitches, so that no note is in two folds."""
    folder = data_set("instrument-samples")
    table = pl.read_csv(folder / "labels.csv").filter(
        pl.col("path").map_elements(lambda path: (folder / path).is_file(), return_dtype=pl.Boolean)
    )
    inputs = np.array([vector(described(listen(folder / path).analysis)) for path in table["path"].to_list()])
    task = one_of("instrument", table["instrument"].to_numpy())
    case = f"{table.height} notes of {len(task.classes)} instruments, folds by pitch"
    pitches = table["midi_measured_convention"].cast(pl.String).fill_null("?").to_numpy()
    return folds(inputs, task, pitches, case, shifts())


def songs(count: int) -> Cases:
    """Measure classes, beats and unknown sounds on simulated songs."""
    import librosa
    import mir_eval

    genres, rng = list(STYLES), np.random.default_rng(SEED)
    vectors, labels, artists = [], [], []
    scores: dict[str, list[float]] = {
        name: [] for name in ("beats, ours", "beats, librosa", "octave, ours", "octave, librosa", "key, ours")
    }
    for number in range(count):
        artist = 10_000 + number // SONGS_AN_ARTIST
        song = compose(genres[artist % len(genres)], SECONDS, artist, rng)
        mono = song.samples.mean(axis=1)
        track = analyze([mono])
        vectors.append(vector(described(track)))
        labels.append((song.genre, song.mood, song.valence, song.arousal, list(song.instruments)))
        artists.append(artist)
        tempo, times = librosa.beat.beat_track(y=mono, sr=RATE, units="time")
        for tracker, beats, bpm in (
            ("ours", track.beats.times, track.beats.tempo),
            ("librosa", times, float(np.atleast_1d(tempo)[0])),
        ):
            trimmed = [
                times_s[times_s >= 2] for times_s in (song.beats, beats)
            ]  # songs are too short to leave five seconds out
            scores[f"beats, {tracker}"].append(float(mir_eval.beat.f_measure(*trimmed)))
            scores[f"octave, {tracker}"].append(float(abs(bpm / song.tempo - 1) < 0.04))
        detected_key = f"{track.key.tonic} {track.key.mode}" if track.key else "C major"
        scores["key, ours"].append(mir_eval.key.weighted_score(f"{song.tonic} {song.mode}", detected_key))
    case_name = f"{count} simulated songs of {SECONDS:.0f} s"
    cases: Cases = [
        {"case": case_name, "metric": name, "value": round(float(np.mean(all_)), 3)} for name, all_ in scores.items()
    ]
    schema = {
        "genre": pl.String,
        "mood": pl.Enum(list(MOODS)),
        "valence": pl.Float64,
        "arousal": pl.Float64,
        "instruments": pl.List(pl.String),
    }
    inputs, groups = np.array(vectors), np.array(artists)
    song_tasks = tasks(pl.DataFrame(labels, schema=schema, orient="row").with_columns(pl.col("mood").cast(pl.String)))
    names = np.random.default_rng(0).permutation(np.unique(groups))
    test = np.isin(groups, names[: len(names) // 4])
    figures, _ = measured(inputs, song_tasks, groups, np.flatnonzero(~test), np.flatnonzero(test), directions=shifts())
    figures[NAME] |= unknown_figures(inputs, song_tasks, groups, shifts=shifts())
    for model_name, values in figures.items():
        label = "ours" if model_name == NAME else model_name
        cases += [
            {
                "case": f"{case_name}, {int(test.sum())} by other artists",
                "metric": f"{name}, {label}",
                "value": round(value, 3),
            }
            for name, value in values.items()
        ]
    model = heads.fit(inputs, song_tasks, groups, shifts=shifts())
    return cases + unknown(model)


def unknown(model: heads.Heads) -> Cases:
    """Measure the share of other sounds that is classified as unknown."""
    rng = np.random.default_rng(SEED)
    vectors = {
        "white noise": [
            vector(described(analyze([(rng.normal(size=8 * RATE) * level).astype(np.float32)])))
            for level in (0.01, 0.1, 0.3)
        ]
    }
    for name, folder, pattern in (
        ("real recordings", "librosa-example-audio", "*.hq.ogg"),
        ("spoken digits", "free-spoken-digit", "*.wav"),
        ("single notes", "instrument-samples", "*.mp3"),
    ):
        files = sorted(data_set(folder).rglob(pattern))
        vectors[name] = [vector(described(listen(file).analysis)) for file in files[:100]]
    return [
        {
            "case": f"{len(rows)} {name}",
            "metric": "called unknown",
            "value": round(float((model.answers(np.array(rows))[1] > LIMIT).mean()), 3),
        }
        for name, rows in vectors.items()
    ]


DATA_SETS = ("gtzan-features", "spotify-moods", "instrument-samples", "librosa-example-audio", "free-spoken-digit")


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=480)
    arguments = parser.parse_args()
    for name in DATA_SETS:
        data_set(name)  # before the first minutes of work
    warnings.simplefilter("ignore")
    cases = [*gtzan(), *moods(), *notes(), *songs(arguments.songs)]
    print(json.dumps({"benchmark": "quality_audio", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
