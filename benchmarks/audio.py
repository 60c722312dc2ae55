"""Audio features and beats: speed, difference from librosa, accuracy.

*Speed.* 30 seconds of a real recording (``librosa-example-audio``; of made-up sound without it), one core. Ours:
``transforms.pure.audio.track.analyze``, everything that view ``track_audio`` holds. Librosa's: the same set, as its
documentation calls them, each from samples, and once from one STFT handed to all. Five runs of each, interleaved; the
first calls (numba compiles) are not counted. Then, of the same 30 seconds in CPU time: features, what the structure
adds, the fingerprint, loudness with the true peak, and all of them, which is ``refrain analyze`` without decoding.
Spectral features of both are compared frame by frame; reported is the largest difference of each as a share of its
standard deviation.

*Beats.* Songs of POP909 rendered by ``fluidsynth`` with a General MIDI soundfont, a minute of each, from the 20th
second on; F-measure at 70 ms by ``mir_eval`` against the beats of the MIDI file, and librosa's tracker on the same
sound. The beat network learned from songs 001 to 040, and weights of the decoder were chosen on them and on 171 to 186;
tested are songs 041 to 040 + ``--songs``, of which 041 to 070 were looked at while it was developed. Keys are tested
where a song has only one. Needs ``apt-get install fluidsynth fluid-soundfont-gm``; without it, this part is left out.

Judged on: held out: songs 041 and later, after weights chosen on songs 001 to 040.

    python -m benchmarks.audio [--songs 50]
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.protocols.rendered_songs import f_measure, font, rendered
from benchmarks.surroundings import MACHINE, data_set
from transforms.pure.audio import chroma, mel, shape, stft
from transforms.pure.audio.decode import mono
from transforms.pure.audio.quality import Meter
from transforms.pure.audio.structure.describe import structure
from transforms.pure.audio.structure.document import document
from transforms.pure.audio.structure.fingerprint import Fingerprinter
from transforms.pure.audio.track import analyze

SECONDS = 30
FIRST, PART = 20, 60
TUNED_ON = 40


def recording() -> np.ndarray:
    """Load 30 seconds of music, or synthesize them."""
    files = sorted((data_set("librosa-example-audio") / "audio").glob("*Vibe_Ace.hq.ogg"))
    if files:
        return np.concatenate(list(mono(files[0], stft.RATE)))[: SECONDS * stft.RATE]
    rng, times = np.random.default_rng(0), np.arange(SECONDS * stft.RATE) / stft.RATE
    drums = rng.normal(size=len(times)) * np.exp(-20 * (times % 0.5))
    return (0.3 * drums + 0.2 * np.sin(2 * np.pi * 330 * times)).astype(np.float32)


def by_librosa_each(samples: np.ndarray) -> None:
    """Compute librosa's features, each from samples, as its documentation does."""
    import librosa

    feature = librosa.feature
    for call in (
        feature.rms,
        feature.zero_crossing_rate,
        feature.spectral_centroid,
        feature.spectral_bandwidth,
        feature.spectral_rolloff,
        feature.spectral_flatness,
        feature.spectral_contrast,
        feature.melspectrogram,
        feature.chroma_stft,
    ):
        call(y=samples)
    cepstrum = feature.mfcc(y=samples)
    feature.delta(cepstrum)
    feature.delta(cepstrum, order=2)
    feature.tonnetz(y=samples)
    librosa.onset.onset_detect(y=samples)
    librosa.beat.beat_track(y=samples)


def by_librosa_shared(samples: np.ndarray) -> None:
    """Compute librosa's features from one shared STFT."""
    import librosa

    feature = librosa.feature
    magnitude = np.abs(librosa.stft(samples))
    power = magnitude**2
    feature.rms(S=magnitude)
    feature.zero_crossing_rate(samples)
    for call in (
        feature.spectral_centroid,
        feature.spectral_bandwidth,
        feature.spectral_rolloff,
        feature.spectral_flatness,
        feature.spectral_contrast,
    ):
        call(S=magnitude)
    bands = librosa.power_to_db(feature.melspectrogram(S=power))
    cepstrum = feature.mfcc(S=bands)
    feature.delta(cepstrum)
    feature.delta(cepstrum, order=2)
    feature.tonnetz(chroma=feature.chroma_stft(S=power))
    envelope = librosa.onset.onset_strength(S=bands)
    librosa.onset.onset_detect(onset_envelope=envelope)
    librosa.beat.beat_track(onset_envelope=envelope)


def timed(
    calls: dict[str, Callable[[], Any]], runs: int = 5, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return the seconds of the fastest of several interleaved runs."""
    durations_s: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(runs + 1):
        for name, call in calls.items():
            started = clock()
            call()
            if run:
                durations_s[name].append(clock() - started)
    return {name: min(values) for name, values in durations_s.items()}


def parts(samples: np.ndarray) -> dict[str, float]:
    """Return the CPU seconds of each part of an analysis, and of all; the fastest of several interleaved runs."""
    analysis = analyze([samples])

    def loudness() -> None:
        meter = Meter(stft.RATE, 1, true_peak=True)
        meter.add(samples[:, None])
        meter.result()

    def fingerprint() -> None:
        fingerprinter = Fingerprinter()
        fingerprinter.add(samples)
        fingerprinter.result()

    calls: dict[str, Callable[[], Any]] = {
        "features": lambda: analyze([samples]),
        "structure": lambda: document(structure(analysis.frames, analysis.beats)),
        "fingerprint": fingerprint,
        "loudness": loudness,
    }
    seconds = timed(calls, clock=time.process_time)
    return seconds | {"all": sum(seconds.values())}


def differences(samples: np.ndarray) -> dict[str, float]:
    """Return feature → largest difference from librosa's, over the feature's standard deviation."""
    import librosa

    power = stft.spectra(samples)
    magnitude = np.abs(librosa.stft(samples))
    shapes, bands = shape.of_power(power), librosa.feature.melspectrogram(S=magnitude**2)
    pairs = {
        "centroid": (shapes[:, 0], librosa.feature.spectral_centroid(S=magnitude)[0]),
        "bandwidth": (shapes[:, 1], librosa.feature.spectral_bandwidth(S=magnitude)[0]),
        "roll_off": (shapes[:, 2], librosa.feature.spectral_rolloff(S=magnitude)[0]),
        "flatness": (shapes[:, 3], librosa.feature.spectral_flatness(S=magnitude)[0]),
        "mel": (power @ mel.bank(), bands.T),
        "mfcc": (
            mel.cepstrum(mel.decibels(power @ mel.bank())),
            librosa.feature.mfcc(S=librosa.power_to_db(bands, top_db=None)).T,
        ),
        "chroma": (chroma.of_power(power), librosa.feature.chroma_stft(S=magnitude**2, tuning=0.0).T),
    }
    return {
        name: float(np.abs(our_values - librosa_values).max() / librosa_values.std())
        for name, (our_values, librosa_values) in pairs.items()
    }


def songs(count: int) -> dict[str, float]:
    """Measure mean scores over rendered songs, ours and librosa's; empty if songs cannot be rendered."""
    import librosa
    import mir_eval

    soundfont = font()
    folders = sorted(data_set("pop909").glob("[0-9]*"))[TUNED_ON : TUNED_ON + count]
    if soundfont is None or not folders:
        return {}
    scores: dict[str, list[float]] = {name: [] for name in ("beats", "beats_librosa", "downbeats", "octave", "key")}
    for folder in folders:
        samples, truth = rendered(folder, soundfont, FIRST, PART)
        track = analyze([samples])
        librosa_beats = librosa.beat.beat_track(y=samples, sr=stft.RATE, units="time")[1]
        scores["beats"].append(f_measure(truth[:, 0], track.beats.times))
        scores["beats_librosa"].append(f_measure(truth[:, 0], librosa_beats))
        scores["downbeats"].append(f_measure(truth[truth[:, 2] > 0, 0], track.beats.downbeats))
        tempo = 60 / np.median(np.diff(truth[:, 0]))
        scores["octave"].append(float(abs(track.beats.tempo / tempo - 1) < 0.04))
        keys = [line.split()[2] for line in (folder / "key_audio.txt").read_text().splitlines() if line.strip()]
        if len(keys) == 1 and track.key:
            true_key = keys[0].replace(":maj", " major").replace(":min", " minor")
            scores["key"].append(mir_eval.key.weighted_score(true_key, f"{track.key.tonic} {track.key.mode}"))
    return {name: float(np.mean(values)) for name, values in scores.items()} | {"songs": len(folders)}


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=50)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in ("librosa-example-audio", "pop909"):
        data_set(name)  # before the first minutes of work
    samples = recording()
    calls = {
        "ours": lambda: analyze([samples]),
        "each": lambda: by_librosa_each(samples),
        "shared": lambda: by_librosa_shared(samples),
    }
    with threadpool_limits(1):
        seconds = timed(calls)
        part_seconds = parts(samples)
    case = f"{SECONDS} s of sound, one core"
    cases: list[dict[str, Any]] = [
        {"case": case, "metric": "ms", "value": round(seconds["ours"] * 1e3, 1)},
        {"case": case, "metric": "times_real_time", "value": round(SECONDS / seconds["ours"], 1), "goal": ">=150"},
        {
            "case": case,
            "metric": "librosa_each_over_ours",
            "value": round(seconds["each"] / seconds["ours"], 2),
            "goal": ">=5",
        },
        {"case": case, "metric": "librosa_one_stft_over_ours", "value": round(seconds["shared"] / seconds["ours"], 2)},
    ]
    cases += [
        {"case": f"{case}, CPU", "metric": f"{name}_ms", "value": round(value * 1e3, 1)}
        for name, value in part_seconds.items()
    ]
    for name, value in differences(samples).items():
        result = {"case": f"{name}, librosa's less ours", "metric": "share_of_spread", "value": float(f"{value:.1e}")}
        cases.append(result | {"goal": "<=0.01"})
    scores = songs(arguments.songs)
    songs_case = f"POP909, {int(scores.get('songs', 0))} songs rendered"
    for name, value in scores.items():
        if name != "songs":
            cases.append({"case": songs_case, "metric": name, "value": round(value, 3)})
    print(json.dumps({"benchmark": "audio", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
