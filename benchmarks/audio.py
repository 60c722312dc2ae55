"""Audio features and beats: speed, difference from librosa, accuracy.

*Speed.* 30 seconds of a real recording (``librosa-example-audio``; of made-up sound without it), one core, seconds of
the processor, the fastest of several runs in turns. ``features`` is ``transforms.pure.audio.track.analyze`` of mono
samples, everything that view ``track_audio`` holds; ``loudness`` is ``transforms.pure.audio.quality.Meter`` of stereo
at 44.1 kHz, true peak included; ``structure`` is bars to sections of these features, ``fingerprint`` Chromaprint's;
``all`` is all of this but the fingerprint by ``transforms.pure.audio.listen.listen`` of a stereo WAV file of 16 bits,
from its bytes on. Librosa's: the same features, as its documentation calls them, each from samples, and once from one
STFT handed to all. With ``--essentia PYTHON``, a Python that has essentia, its ``MusicExtractor`` runs on the same
file. First calls (numba compiles) are not counted. Spectral features of ours and of librosa are compared frame by
frame; reported is the largest difference of each as a share of its standard deviation.

*Beats.* Songs of POP909 rendered by ``fluidsynth`` with a General MIDI soundfont, a minute of each, from the 20th
second on; F-measure at 70 ms by ``mir_eval`` against the beats of the MIDI file, and librosa's tracker on the same
sound. The networks learned from songs 001 to 070, on which weights of the decoder were chosen, too; tested are songs
071 to 070 + ``--songs``. Downbeats have two references, one of the MIDI file and one of the recording, both made by
programs; ``downbeats`` are scored by the first on all songs, ``downbeats_agreed`` on songs of which both say the same
for 90 % of the beats, and ``annotations`` scores the second reference by the first. Keys are tested where a song has
only one. Needs ``apt-get install fluidsynth fluid-soundfont-gm``; without it, this part is left out.

Judged on: never seen: songs 071 and later, after networks and weights from songs 001 to 070.

    python -m benchmarks.audio [--songs 60] [--essentia PYTHON]
"""

import argparse
import io
import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.protocols.rendered_songs import f_measure, font, rendered
from benchmarks.surroundings import MACHINE, data_set
from training.models.audio.beat_tracking.pop909 import song_beats
from transforms.pure.audio import chroma, mel, shape, stft
from transforms.pure.audio.decode import mono
from transforms.pure.audio.listen import listen
from transforms.pure.audio.quality import Meter
from transforms.pure.audio.structure.describe import structure
from transforms.pure.audio.structure.document import document
from transforms.pure.audio.structure.fingerprint import Fingerprinter
from transforms.pure.audio.track import analyze

SECONDS = 30
STEREO_RATE = 44_100
FIRST, PART = 20, 60
TUNED_ON = 70
AGREED = 0.9
"""Least share of beats of which both annotations of bars say the same."""
ESSENTIA = """
import sys, time
import essentia
essentia.log.infoActive = essentia.log.warningActive = False
from essentia.standard import MusicExtractor
seconds = []
for _ in range(3):
    started = time.process_time()
    MusicExtractor()(sys.argv[1])
    seconds.append(time.process_time() - started)
print(min(seconds))
"""


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


def stereo(samples: np.ndarray) -> bytes:
    """A stereo WAV file of 16 bits with the sound on the left, and a little later on the right."""
    import soundfile
    import soxr

    left = soxr.resample(samples, stft.RATE, STEREO_RATE)
    file = io.BytesIO()
    soundfile.write(file, np.column_stack([left, 0.9 * np.roll(left, 7)]), STEREO_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def by_meter(samples: np.ndarray) -> None:
    """Measure everything that a meter measures."""
    meter = Meter(STEREO_RATE, samples.shape[1], true_peak=True)
    meter.add(samples)
    meter.result()


def by_fingerprinter(samples: np.ndarray) -> None:
    """Compute the fingerprint."""
    fingerprinter = Fingerprinter()
    fingerprinter.add(samples)
    fingerprinter.result()


def everything(sound: bytes) -> None:
    """Analyse a file: features, loudness, structure."""
    audio = listen(sound, true_peak=True)
    document(structure(audio.analysis.frames, audio.analysis.beats, loudness=audio.loudness.integrated_lufs))


def by_essentia(python: str, sound: bytes) -> float:
    """Return the seconds of essentia's extractor, run by a Python that has it."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        Path(file.name).write_bytes(sound)
        call = [python, "-c", ESSENTIA, file.name]
        return float(subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()[-1])


def timed(calls: dict[str, Callable[[], Any]], runs: int = 7) -> dict[str, float]:
    """Return the processor's seconds of the fastest of several interleaved runs."""
    durations_s: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(runs + 1):
        for name, call in calls.items():
            started = time.process_time()
            call()
            if run:
                durations_s[name].append(time.process_time() - started)
    return {name: min(values) for name, values in durations_s.items()}


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
    names = ("beats", "beats_librosa", "downbeats", "downbeats_agreed", "annotations", "octave", "key")
    scores: dict[str, list[float]] = {name: [] for name in names}
    for folder in folders:
        samples, truth = rendered(folder, soundfont, FIRST, PART)
        track = analyze([samples])
        librosa_beats = librosa.beat.beat_track(y=samples, sr=stft.RATE, units="time")[1]
        scores["beats"].append(f_measure(truth[:, 0], track.beats.times))
        scores["beats_librosa"].append(f_measure(truth[:, 0], librosa_beats))
        annotated = truth[truth[:, 2] > 0, 0]
        scores["downbeats"].append(f_measure(annotated, track.beats.downbeats))
        known = song_beats(folder).part(FIRST, PART)
        scores["annotations"].append(f_measure(annotated, known.times[known.is_recorded]))
        if known.is_known.mean() >= AGREED:
            scores["downbeats_agreed"].append(f_measure(known.times[known.is_downbeat], track.beats.downbeats))
        tempo = 60 / np.median(np.diff(truth[:, 0]))
        scores["octave"].append(float(abs(track.beats.tempo / tempo - 1) < 0.04))
        keys = [line.split()[2] for line in (folder / "key_audio.txt").read_text().splitlines() if line.strip()]
        if len(keys) == 1 and track.key:
            true_key = keys[0].replace(":maj", " major").replace(":min", " minor")
            scores["key"].append(mir_eval.key.weighted_score(true_key, f"{track.key.tonic} {track.key.mode}"))
    counts = {"songs": len(folders), "songs_agreed": len(scores["downbeats_agreed"])}
    return {name: float(np.mean(values)) for name, values in scores.items() if values} | counts


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=60)
    parser.add_argument("--essentia", help="a Python that has essentia")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in ("librosa-example-audio", "pop909"):
        data_set(name)  # before the first minutes of work
    import soundfile

    samples = recording()
    sound = stereo(samples)
    analysis = analyze([samples])
    channels = soundfile.read(io.BytesIO(sound), dtype="float32")[0]
    calls = {
        "ours": lambda: analyze([samples]),
        "loudness": lambda: by_meter(channels),
        "structure": lambda: document(structure(analysis.frames, analysis.beats)),
        "fingerprint": lambda: by_fingerprinter(samples),
        "all": lambda: everything(sound),
        "each": lambda: by_librosa_each(samples),
        "shared": lambda: by_librosa_shared(samples),
    }
    with threadpool_limits(1):
        seconds = timed(calls)
    case = f"{SECONDS} s of sound, one core"
    cases: list[dict[str, Any]] = [
        {"case": case, "metric": "features_ms", "value": round(seconds["ours"] * 1e3, 1)},
        {"case": case, "metric": "loudness_ms", "value": round(seconds["loudness"] * 1e3, 1)},
        {"case": case, "metric": "structure_ms", "value": round(seconds["structure"] * 1e3, 1)},
        {"case": case, "metric": "fingerprint_ms", "value": round(seconds["fingerprint"] * 1e3, 1)},
        {"case": case, "metric": "all_ms", "value": round(seconds["all"] * 1e3, 1), "goal": "<=150"},
        {"case": case, "metric": "times_real_time", "value": round(SECONDS / seconds["ours"], 1), "goal": ">=150"},
        {
            "case": case,
            "metric": "librosa_each_over_ours",
            "value": round(seconds["each"] / seconds["ours"], 2),
            "goal": ">=5",
        },
        {"case": case, "metric": "librosa_one_stft_over_ours", "value": round(seconds["shared"] / seconds["ours"], 2)},
    ]
    if arguments.essentia:
        ratio = by_essentia(arguments.essentia, sound) / seconds["all"]
        cases.append({"case": case, "metric": "essentia_over_all_of_ours", "value": round(ratio, 2)})
    for name, value in differences(samples).items():
        result = {"case": f"{name}, librosa's less ours", "metric": "share_of_spread", "value": float(f"{value:.1e}")}
        cases.append(result | {"goal": "<=0.01"})
    scores = songs(arguments.songs)
    songs_case = f"POP909, {int(scores.get('songs', 0))} songs rendered"
    agreed_case = f"{int(scores.get('songs_agreed', 0))} of them whose annotations agree"
    for name, value in scores.items():
        if not name.startswith("songs"):
            case = agreed_case if name == "downbeats_agreed" else songs_case
            cases.append({"case": case, "metric": name, "value": round(value, 3)})
    print(json.dumps({"benchmark": "audio", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
