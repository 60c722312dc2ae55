"""The audio classifier under attack: its features as rows, and with a folder of sounds the sounds themselves.

The heads are fitted to the artists that train alone, and asked about the others. A convolutional network is the
registered version, which is the one that was measured, asked about the same artists.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.bundle import open_bundle
from feature_repo.errors import InputError
from training.datasets.sounds import LabelledSounds
from training.models.audio import heads
from training.models.audio.audio_classifier import NAME
from training.models.audio.onnx_heads import to_onnx
from training.models.audio.recorders import shifts
from training.models.audio.tasks import Task, required_tasks
from training.robustness.subject import Request, Subject
from training.robustness.subjects.rows import QUANTILES, spreads
from training.robustness.target import Target, rows_target
from transforms.pure.audio.decode import mono, quiet
from transforms.pure.audio.described import described, vector
from transforms.pure.audio.patch import RANGE, patch
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.raw.importers.audio_files import track_ids

MOST_SOUNDS = 60
DECIBEL = 2 / RANGE
"""One decibel of a mel band in the units of a patch."""


def targets(request: Request) -> Sequence[Target[Any]]:
    """Returns the rows of the test; with ``--sounds`` also the sounds of the test, and the patches of a network.

    Raises:
        InputError: too few tracks are labelled, none with one class each, or the folder has none of the test.
    """
    sounds = LabelledSounds.load(request.home)
    task = next((one for one in required_tasks(sounds.labels) if one.kind == "one_of"), None)
    if task is None:
        raise InputError(
            expected="tracks labelled with one class each, such as genre",
            found="none",
            next_command="refrain import audio PATH, with its labels.csv",
        )
    train, test = sounds.split(seed=0)
    learned, test_rows = np.intersect1d(train, task.labelled_rows), np.intersect1d(test, task.labelled_rows)
    labels = task.targets.argmax(axis=1)
    if len(test_rows) < 2 or len(np.unique(labels[learned])) < 2:
        raise InputError(
            expected=f"tracks with {task.name} by artists of the test, and two classes to learn",
            found=f"{len(test_rows):,} tracks, {len(np.unique(labels[learned]))} classes",
            next_command="refrain import audio PATH, with its labels.csv",
        )
    artists = sounds.artists[test_rows]
    content = None
    if request.version is not None:
        bundle = open_bundle(f"{NAME}:{request.version}", request.home)
        if bundle.manifest["extra"]["kind"] == "mel_cnn":
            content = bundle.read("model.onnx")
    samples: list[np.ndarray] = []
    rows = np.empty(0, np.int64)
    if request.sounds is not None:
        places, samples = samples_of(request.sounds, [sounds.tracks[row] for row in test_rows], request)
        rows = test_rows[places]
    if content is not None:
        return network_targets(content, task.name, samples, labels[rows], sounds.artists[rows])
    made = heads_targets(
        sounds.vectors[learned],
        task.take(learned),
        sounds.artists[learned],
        sounds.vectors[test_rows],
        labels[test_rows],
        artists,
    )
    if len(samples):
        made += sound_targets(made[0].extra["classes"], samples, labels[rows], sounds.artists[rows], made[0].judged)
    return made


def heads_targets(
    learned: np.ndarray, task: Task, groups: np.ndarray, inputs: np.ndarray, labels: np.ndarray, artists: np.ndarray
) -> list[Target[Any]]:
    """Fits the heads to one task, and makes the target of rows of features.

    Args:
        learned: (m, d) features to learn from.
        task: the task on these rows.
        groups: (m,) artist of each.
        inputs: (n, d) features to ask about.
        labels: (n,) their class numbers.
        artists: (n,) artist of each.
    """
    model = heads.fit(learned, [task], groups, shifts=shifts())

    def scores(rows: np.ndarray) -> np.ndarray:
        return model.answers(rows)[0][task.name]

    low, high, scale = spreads(learned)
    grid = [np.unique(np.nanquantile(np.nan_to_num(column), QUANTILES[::4])) for column in learned.T]
    judged = f"Held out: heads fitted to {len(learned):,} sounds, asked for {task.name} of {len(inputs):,} by others."
    target = rows_target(
        inputs,
        labels,
        lambda rows: scores(rows).argmax(axis=1),
        scores,
        scale,
        grids=grid,
        graph=to_onnx(model),
        clusters=artists,
        judged=judged,
        part="features",
        bounds=(low, high),
    )
    target.extra["output"] = task.name
    return [target]


def sound_targets(
    classes: Callable[[np.ndarray], np.ndarray],
    samples: Sequence[np.ndarray],
    labels: np.ndarray,
    artists: np.ndarray,
    judged: str,
) -> list[Target[Any]]:
    """Makes the target of sounds whose features a model of rows reads.

    Args:
        classes: function of features (m, d) to (m,) class numbers.
        samples: n sounds, mono at ``RATE``.
        labels: (n,) class numbers.
        artists: (n,) cluster of each.
        judged: what the model learned from.
    """

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        features = np.array([features_of(one) for one in changed], np.float32)
        return np.where(classes(features) == labels[units], 1.0, -1.0)

    return [_of_sounds(samples, labels, artists, judged, margins)]


def _of_sounds(
    samples: Sequence[np.ndarray],
    labels: np.ndarray,
    artists: np.ndarray,
    judged: str,
    margins: Callable[[Any, np.ndarray], np.ndarray],
) -> Target[Any]:
    return Target(
        "sounds", list(samples), margins, "accuracy", clusters=artists, labels=labels, judged=judged, part="sounds"
    )


def network_targets(
    content: bytes, output: str, samples: Sequence[np.ndarray], labels: np.ndarray, artists: np.ndarray
) -> list[Target[Any]]:
    """Makes the targets of a convolutional network: its patches, and the sounds.

    Raises:
        InputError: there are no sounds.
    """
    import onnxruntime

    if not len(samples):
        raise InputError(
            expected="a folder of the sounds, which the network reads",
            found="none",
            next_command=f"refrain model attack {NAME} --sounds FOLDER",
        )
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def scores(patches: np.ndarray) -> np.ndarray:
        parts = [session.run([output], {name: patches[at : at + 64]})[0] for at in range(0, len(patches), 64)]
        return np.concatenate(parts)

    patches = np.array([patch(one) for one in samples], np.float32)
    judged = f"Held out: the registered network, asked about {len(samples):,} sounds by artists it did not learn from."
    of_patches = rows_target(
        patches,
        labels,
        lambda rows: scores(rows).argmax(axis=1),
        scores,
        np.full(patches.shape[1:], DECIBEL),
        graph=content,
        clusters=artists,
        judged=judged,
        part="mel bands",
        kind="patches",
        bounds=(np.array(-1.0), np.array(1.0)),
    )
    of_patches.extra["output"] = output

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        return of_patches.margins(np.array([patch(one) for one in changed], np.float32), units)

    of_sounds = _of_sounds(samples, labels, artists, judged, margins)
    of_sounds.extra["patch_graph"] = {"graph": content, "output": output}
    return [of_patches, of_sounds]


def features_of(samples: np.ndarray) -> np.ndarray:
    """Returns the (d,) input vector of the classifier from samples (n,) at ``RATE``."""
    return vector(described(analyze([np.asarray(samples, np.float32)])))


def samples_of(folder: Path, tracks: Sequence[str], request: Request) -> tuple[np.ndarray, list[np.ndarray]]:
    """Decodes the sounds of tracks that lie in a folder; returns their places in ``tracks`` and their samples.

    Raises:
        InputError: the folder has none of them.
    """
    files = {track: file for file, track in track_ids(folder).items()}
    order = np.random.default_rng(request.seed).permutation(len(tracks))
    places: list[int] = []
    samples: list[np.ndarray] = []
    for place in order:
        if len(places) == min(MOST_SOUNDS, request.rows):
            break
        if tracks[place] not in files:
            continue
        try:
            with quiet():
                sound = np.concatenate([np.empty(0, np.float32), *mono(files[tracks[place]], RATE)])
        except InputError:
            continue  # a damaged file is no unit
        places.append(int(place))
        samples.append(sound)
    if not places:
        raise InputError(
            expected=f"sound files in {folder} named by tracks of the test, such as {tracks[0] if tracks else 'none'}",
            found=f"{len(files):,} others",
            next_command=f"refrain model attack {NAME} --sounds FOLDER",
        )
    return np.array(places), samples


SUBJECT = Subject(NAME, ("rows", "sounds", "patches"), targets)
