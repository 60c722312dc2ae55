"""How well genre, mood and instruments are told, and how beats are found in songs whose truth is known.

*GTZAN.* The published table of features (librosa's, 30 seconds each), fault-filtered lists: fitted to ``train``, asked
about ``valid``. Artists are not in the table; those of the lists are apart. Once with all columns, once without those
that tell how loudly a record was cut. *Moods.* 686 tracks of Spotify's playlists with 12 features: five folds, by
artist. *Notes.* 84 notes of four instruments, one recorder: five folds by pitch, our own features. *Songs.* Simulated
(``python -m transforms simulate-sound``, other seed and artists than any that was looked at): a quarter of the artists
is asked about; beats beside librosa's; and how many of real recordings, of speech, notes and noise are called unknown.

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

from benchmarks.surroundings import DATA, MACHINE
from training.evaluate.classification import class_metrics
from training.models.audio import heads
from training.models.audio.audio_classifier import NAME, lightgbm, measured
from training.models.audio.tasks import Task, tasks
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
    """A task with one label a row."""
    classes = tuple(np.unique(labels).tolist())
    return Task(name, "one_of", classes, (labels[:, None] == np.array(classes)).astype(np.float64))


def told(case: str, who: str, task: Task, rows: np.ndarray, answers: np.ndarray) -> Cases:
    """Accuracy and log loss of one answerer."""
    found = class_metrics(task.targets[rows].argmax(axis=1), answers)
    figures = {"accuracy": found.accuracy, "log_loss": found.log_loss, "calibration_error": found.calibration_error}
    return [{"case": case, "metric": f"{name}, {who}", "value": round(value, 3)} for name, value in figures.items()]


def folds(inputs: np.ndarray, task: Task, groups: np.ndarray, case: str) -> Cases:
    """Five folds of groups, beside LightGBM and the most frequent answer."""
    names = np.random.default_rng(0).permutation(np.unique(groups))
    answers = {who: np.zeros(task.targets.shape) for who in ("ours", "lightgbm", "frequent")}
    for part in np.array_split(names, 5):
        asked = np.isin(groups, part)
        train, learn = np.flatnonzero(~asked), task.take(np.flatnonzero(~asked))
        answers["ours"][asked] = heads.fit(inputs[train], [learn], groups[train]).answers(inputs[asked])[0][task.name]
        answers["lightgbm"][asked] = lightgbm(inputs[train], learn, inputs[asked])
        answers["frequent"][asked] = learn.targets.mean(axis=0)
    rows = np.arange(len(inputs))
    return [one for who, found in answers.items() for one in told(case, who, task, rows, found)]


def gtzan() -> Cases:
    """Train to valid."""
    folder = DATA / "gtzan-features"
    if not folder.is_dir():
        return []
    table = pl.read_csv(folder / "features_30_sec_original.csv")
    place = {name: number for number, name in enumerate(table["filename"].to_list())}
    lists = [(folder / "index" / f"{part}_filtered.txt").read_text().split() for part in ("train", "valid")]
    train, valid = (np.array([place[Path(line).name] for line in part if Path(line).name in place]) for part in lists)
    task = one_of("genre", table["label"].to_numpy())
    blocks = np.array([re.sub(r"\d\.wav$", "", name) for name in table["filename"].to_list()])  # neighbours in a folder
    found = []
    columns = [name for name in table.columns if name not in ("filename", "length", "label")]
    for about, kept in (
        ("all 57 features", columns),
        ("without level", [name for name in columns if not name.startswith(_LEVEL)]),
    ):
        inputs = np.column_stack([_column(table[name].to_numpy(), name) for name in kept])
        model = heads.fit(inputs[train], [task.take(train)], blocks[train])
        answers = {
            "ours": model.answers(inputs[valid])[0]["genre"],
            "lightgbm": lightgbm(inputs[train], task.take(train), inputs[valid]),
        }
        case = f"GTZAN, {len(train)} to learn from, {len(valid)} of valid, {about}"
        found += [one for who, values in answers.items() for one in told(case, who, task, valid, values)]
    found[0]["goal"] = ">=0.60"
    return found


def _column(values: np.ndarray, name: str) -> np.ndarray:
    positive = name.endswith("_var") or name.startswith(("rms", "spectral", "rolloff", "zero", "tempo"))
    return np.log(np.maximum(values.astype(np.float64), 1e-9)) if positive else values.astype(np.float64)


def moods() -> Cases:
    """By artist."""
    file = DATA / "spotify-moods" / "data_moods.csv"
    if not file.is_file():
        return []
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
    """By pitch, so that no note is heard twice."""
    folder = DATA / "instrument-samples"
    if not folder.is_dir():
        return []
    table = pl.read_csv(folder / "labels.csv").filter(
        pl.col("path").map_elements(lambda path: (folder / path).is_file(), return_dtype=pl.Boolean)
    )
    inputs = np.array([vector(described(listen(folder / path).analysis)) for path in table["path"].to_list()])
    task = one_of("instrument", table["instrument"].to_numpy())
    case = f"{table.height} notes of {len(task.classes)} instruments, folds by pitch"
    return folds(inputs, task, table["midi_measured_convention"].cast(pl.String).fill_null("?").to_numpy(), case)


def songs(count: int) -> Cases:
    """Simulated: classes, beats, unknown."""
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
        found = analyze([mono])
        vectors.append(vector(described(found)))
        labels.append((song.genre, song.mood, song.valence, song.arousal, list(song.instruments)))
        artists.append(artist)
        tempo, times = librosa.beat.beat_track(y=mono, sr=RATE, units="time")
        for who, beats, bpm in (
            ("ours", found.beats.times, found.beats.tempo),
            ("librosa", times, float(np.atleast_1d(tempo)[0])),
        ):
            late = [one[one >= 2] for one in (song.beats, beats)]  # songs are too short to leave five seconds out
            scores[f"beats, {who}"].append(float(mir_eval.beat.f_measure(*late)))
            scores[f"octave, {who}"].append(float(abs(bpm / song.tempo - 1) < 0.04))
        said = f"{found.key.tonic} {found.key.mode}" if found.key else "C major"
        scores["key, ours"].append(mir_eval.key.weighted_score(f"{song.tonic} {song.mode}", said))
    about = f"{count} simulated songs of {SECONDS:.0f} s"
    cases: Cases = [
        {"case": about, "metric": name, "value": round(float(np.mean(all_)), 3)} for name, all_ in scores.items()
    ]
    schema = {
        "genre": pl.String,
        "mood": pl.Enum(list(MOODS)),
        "valence": pl.Float64,
        "arousal": pl.Float64,
        "instruments": pl.List(pl.String),
    }
    inputs, groups = np.array(vectors), np.array(artists)
    asked = tasks(pl.DataFrame(labels, schema=schema, orient="row").with_columns(pl.col("mood").cast(pl.String)))
    names = np.random.default_rng(0).permutation(np.unique(groups))
    test = np.isin(groups, names[: len(names) // 4])
    figures, _ = measured(inputs, asked, groups, np.flatnonzero(~test), np.flatnonzero(test))
    for who, values in figures.items():
        shown = "ours" if who == NAME else who
        cases += [
            {
                "case": f"{about}, {int(test.sum())} by other artists",
                "metric": f"{name}, {shown}",
                "value": round(value, 3),
            }
            for name, value in values.items()
        ]
    model = heads.fit(inputs, asked, groups)
    return cases + unknown(model)


def unknown(model: heads.Heads) -> Cases:
    """Of what is none of the songs, the share that is called unknown."""
    rng = np.random.default_rng(SEED)
    found = {
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
        files = sorted((DATA / folder).rglob(pattern))
        if files:
            found[name] = [vector(described(listen(file).analysis)) for file in files[:100]]
    return [
        {
            "case": f"{len(rows)} {name}",
            "metric": "called unknown",
            "value": round(float((model.answers(np.array(rows))[1] > model.farthest).mean()), 3),
        }
        for name, rows in found.items()
    ]


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=480)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cases = [*gtzan(), *moods(), *notes(), *songs(arguments.songs)]
    print(json.dumps({"benchmark": "quality_audio", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
