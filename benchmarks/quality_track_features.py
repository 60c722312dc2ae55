"""Quality of the values under Spotify's names, where truth exists.

*Spotify's values* are truth without a sound, and sounds come without them: what a sound would be taken for is drawn
from clips of GTZAN of the kind that the tags of the artist say, which were held out. *Rows*: 11,000 tracks whose
artists have tags, five folds by artist; LightGBM on the same inputs, LightGBM without kinds of music, and the mean are
the rivals; ``true kind`` is what a perfect ear would reach. *Moods*: 686 tracks of playlists, by the weights that
come along, without those whose artist is among the rows; kinds by tags or not at all. *Kinds*: GTZAN, learned from
``train``, asked about ``valid``. *Speech*: digits of four speakers and three readers, real music, single notes.
*Audience*: real recordings with and without a made crowd.

Judged on: held out, by artist and by the published lists; moods, digits and real music were never seen in training,
but readers and music were looked at in development.

    python -m benchmarks.quality_track_features
"""

import argparse
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import soundfile

from benchmarks.surroundings import MACHINE, data_set
from training.models.audio.track_features.clips import Clip, recorded
from training.models.audio.track_features.crowd import before_an_audience
from training.models.audio.track_features.evaluation import SURE, folds, predicted, score
from training.models.audio.track_features.fit import fit_kinds
from training.models.audio.track_features.genre_clips import GenreClips, read_genre_clips
from training.models.audio.track_features.spotify_rows import SpotifyRows, artist_kinds, of_frame, read_spotify_rows
from training.models.audio.track_features.train import GENRES, NOTES, ROWS, TAGS
from training.models.audio.track_features.values import NAMES
from transforms.pure.audio.decode import Resampler, mono
from transforms.pure.audio.described import described
from transforms.pure.audio.quality import Meter
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.pure.audio.vocabulary.scores import probabilities
from transforms.pure.audio.vocabulary.track_features import TrackFeatures, track_features
from transforms.pure.audio.vocabulary.weights import shipped

MOODS, DIGITS, RECORDINGS = "spotify-moods", "free-spoken-digit", "librosa-example-audio"
READERS = ("198-209", "3436-172162", "5703-47212")
NO_MUSIC = (*READERS, "456440", "glacier-bay", "pibble")
WITH_THRESHOLDS = ("ours", "kind by tags")
"""Models of which it is said, too, how often and how rightly a value is above a threshold."""
SEED, PART_S = 0, 30
Cases = list[dict[str, Any]]


def value_cases(case: str, rows: SpotifyRows, predictions: Mapping[str, Mapping[str, np.ndarray]]) -> Cases:
    """The scores of all values by all models as cases."""
    cases = []
    for name in NAMES:
        for model, values in predictions.items():
            result = score(name, rows.values[name], values[name])
            figures = {"explained variance": result.r2, "mean absolute error": result.mean_error}
            if model in WITH_THRESHOLDS:
                figures |= {"kappa": result.agreement, "share above": result.share[0], "really": result.share[1]}
            cases += [
                {"case": f"{case}: {name}", "metric": f"{metric}, {model}", "value": round(value, 3)}
                for metric, value in figures.items()
            ]
    return cases


def surer(case: str, rows: SpotifyRows, values: Mapping[str, np.ndarray], sure: Mapping[str, np.ndarray]) -> Cases:
    """Mean absolute errors of the third with the greatest confidence, and of that with the least."""
    cases = []
    for name in NAMES:
        errors = np.abs(values[name] - rows.values[name])[np.argsort(sure[name], kind="stable")]
        third = len(errors) // 3
        parts = {"least sure third": errors[:third], "surest third": errors[-third:]}
        cases += [
            {
                "case": f"{case}: {name}",
                "metric": f"mean absolute error, {part}",
                "value": round(float(part_.mean()), 3),
            }
            for part, part_ in parts.items()
        ]
    return cases


def moods(rows: SpotifyRows) -> Cases:
    """Values of playlists' tracks by artists that were not learned from, by the weights that come along."""
    frame = pl.read_csv(data_set(MOODS) / "data_moods.csv")
    others = of_frame(frame, artist_kinds(data_set(TAGS)))
    others = others.take(~np.isin(others.artists, np.unique(rows.artists)))
    music = rows.take(rows.has_kind)
    usual = music.kinds.mean(axis=0)
    kinds = np.where(others.has_kind[:, None], others.kinds, usual)
    weights = shipped()
    predictions = {
        "kind by tags": predicted(weights, kinds, others.cues)[0],
        "kind unknown": predicted(weights, np.tile(usual, (len(kinds), 1)), others.cues)[0],
        "mean": {name: np.full(len(kinds), music.values[name].mean()) for name in NAMES},
    }
    return value_cases(f"{len(kinds)} tracks of playlists", others, predictions)


def kinds_of_music(rows: SpotifyRows, clips: GenreClips) -> Cases:
    """How often the kind of a clip is right."""
    held_out = clips.take(clips.is_valid)
    answers = probabilities(held_out.inputs, "kind", fit_kinds(rows, clips.take(~clips.is_valid)))
    right = float((answers.argmax(axis=1) == held_out.kinds).mean())
    return [
        {"case": f"GTZAN, {len(held_out.kinds)} of valid", "metric": "accuracy of the kind", "value": round(right, 3)}
    ]


def of_samples(samples: np.ndarray) -> TrackFeatures:
    """The features of mono samples at ``RATE``."""
    meter = Meter(RATE, 1)
    meter.add(samples[:, None])
    return track_features(described(analyze([samples])), meter.loudness().integrated_lufs)


def digits() -> dict[str, list[np.ndarray]]:
    """Speaker → samples of ten digits each."""
    speakers: dict[str, list[np.ndarray]] = {}
    files = sorted((data_set(DIGITS) / "recordings").glob("*.wav"), key=lambda file: file.stem.split("_")[1:])
    for start in range(0, len(files), 10):
        parts: list[np.ndarray] = []
        for file in files[start : start + 10]:
            samples, rate = soundfile.read(file, dtype="float32")
            parts += [samples, np.zeros(rate // 5, np.float32)]
        resampler = Resampler(8_000, RATE)
        joined = np.concatenate([resampler.add(np.concatenate(parts)[:, None]), resampler.rest()])
        speakers.setdefault(files[start].stem.split("_")[1], []).append(joined)
    return speakers


def recordings() -> dict[str, list[np.ndarray]]:
    """Name of a real recording → its parts of half a minute."""
    sounds = {}
    for file in sorted((data_set(RECORDINGS) / "audio").glob("*.hq.ogg")):
        samples = np.concatenate(list(mono(file, RATE)))
        parts = [samples[start : start + PART_S * RATE] for start in range(0, len(samples), PART_S * RATE)]
        sounds[file.name] = [part for part in parts if len(part) > 5 * RATE or len(parts) == 1]
    return sounds


def _all(sounds: Mapping[str, list[np.ndarray]]) -> list[TrackFeatures]:
    return [of_samples(part) for parts in sounds.values() for part in parts]


def voices() -> Cases:
    """Speechiness and instrumentalness of speech, of music and of single notes."""
    real = recordings()
    notes = [np.concatenate(list(mono(file, RATE))) for file in sorted(data_set(NOTES).rglob("*.mp3"))]
    groups = {
        "digits by four speakers": _all(digits()),
        "three readers": _all({name: parts for name, parts in real.items() if name.startswith(READERS)}),
        "real music": _all({name: parts for name, parts in real.items() if not name.startswith(NO_MUSIC)}),
        "single notes, learned from": [of_samples(samples) for samples in notes],
    }
    cases: Cases = []
    for group, features in groups.items():
        speech = np.array([one.speechiness for one in features], np.float64)
        silent = np.array([one.instrumentalness for one in features], np.float64)
        figures = {
            "speechiness above .66": np.nanmean(speech > 0.66),
            "speechiness below .33": np.nanmean(speech < 0.33),
            "instrumentalness above .5": np.nanmean(silent > 0.5),
        }
        cases += [
            {"case": f"{len(features)} {group}", "metric": metric, "value": round(float(value), 3)}
            for metric, value in figures.items()
        ]
    return cases


def audiences() -> Cases:
    """Liveness of real music as it is, and with a made crowd of voices that were not learned from."""
    rng = np.random.default_rng(SEED)
    crowd = [Clip(part, speaker) for speaker, parts in digits().items() for part in parts]
    music = {name: parts for name, parts in recordings().items() if not name.startswith(NO_MUSIC)}
    parts = [Clip(part, name) for name, all_parts in music.items() for part in all_parts]
    live = [of_samples(recorded(before_an_audience(part, crowd, rng), rng).samples) for part in parts]
    groups = {"as it is": [of_samples(part.samples) for part in parts], "with a made crowd": live}
    return [
        {
            "case": f"{len(parts)} parts of real music, {name}",
            "metric": "liveness above .5",
            "value": round(float(np.mean([(one.liveness or 0) > 0.5 for one in features])), 3),
        }
        for name, features in groups.items()
    ]


DATA_SETS = (ROWS, TAGS, GENRES, NOTES, MOODS, DIGITS, RECORDINGS)


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folders = {name: data_set(name) for name in DATA_SETS}
    warnings.simplefilter("ignore")
    rows, clips = read_spotify_rows(folders[ROWS], folders[TAGS]), read_genre_clips(folders[GENRES])
    music, predictions = folds(rows, clips, SEED)
    case = f"{len(music.artists):,} rows, folds by artist"
    sure = predictions.pop(SURE)
    cases = value_cases(case, music, predictions) + surer(case, music, predictions["ours"], sure)
    cases += [*moods(rows), *kinds_of_music(rows, clips), *voices(), *audiences()]
    print(json.dumps({"benchmark": "quality_track_features", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
