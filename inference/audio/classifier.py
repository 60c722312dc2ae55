"""Classifies sounds by their features or mel bands: genre, mood, instruments, and whether the sound is unknown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import BundleError
from inference import golden
from inference.models import onnx_session
from transforms.pure.audio.described import LAYOUT

NAME = "audio_classifier"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Chances:
    """Class probabilities of a task with one answer.

    Attributes:
        label: the likeliest class; ``unknown`` if the sound is unlike all classes of the training data.
        probabilities: class → probability, the likeliest first.
    """

    label: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Classes:
    """The classifier's output for a sound; None for tasks that it was not trained on.

    Attributes:
        genre: probabilities of genres.
        mood: probabilities of moods.
        valence: 0 (sad) to 1 (happy).
        arousal: 0 (calm) to 1 (wild).
        instruments: name → probability that it is heard, the likeliest first.
        distance: how unlike the classes of the training data the sound is; about 0 for training data, and beyond 1
            for one in twenty sounds of known classes.
        unknown: whether the distance is beyond its limit.
    """

    genre: Chances | None
    mood: Chances | None
    valence: float | None
    arousal: float | None
    instruments: Mapping[str, float] | None
    distance: float
    unknown: bool


class Classifier:
    """The classifier of one bundle. Safe to share between threads.

    Attributes:
        version: name and version, such as ``audio_classifier:2``.
        eats: kind of input: ``features`` of a sound, or its ``mel`` bands.
        balance: median and spread of the octaves in the training data.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        extra = bundle.manifest["extra"]
        if extra["layout"] != LAYOUT:
            raise BundleError(
                expected=f"a model of features in layout {LAYOUT}",
                found=f"{bundle.name_version} was trained on layout {extra['layout']}",
                next_command=f"refrain model run {NAME} && refrain model promote {NAME}",
            )
        self.version, self.eats = bundle.name_version, str(extra["input"])
        self.balance: list[list[float]] = json.loads(bundle.read("tonal_balance.json"))
        self._classes = {name: list(classes) for name, _, classes in extra["tasks"]}
        self._farthest = float(extra["farthest"])
        self._session = onnx_session(bundle.read("model.onnx"))
        self._outputs = [output.name for output in self._session.get_outputs()]

    def try_out(self) -> None:
        """Compare the outputs with those recorded in training.

        Raises:
            BundleError: the outputs differ.
        """
        first = self._outputs[0]
        golden.check(self._bundle, first, lambda rows: self._session.run([first], {self.eats: rows})[0])

    def classify(self, rows: np.ndarray) -> list[Classes]:
        """Classify n sounds: rows of ``transforms.pure.audio.described.vector`` or ``.patch``, as ``eats`` says."""
        outputs = dict(zip(self._outputs, self._session.run(None, {self.eats: rows.astype(np.float32)}), strict=True))
        return [self._to_classes({name: values[row] for name, values in outputs.items()}) for row in range(len(rows))]

    def _to_classes(self, outputs: Mapping[str, np.ndarray]) -> Classes:
        distance = float(outputs["distance"])
        unknown = distance > self._farthest
        feeling = self._by_class(outputs, "feeling") or {}
        return Classes(
            self._chances(outputs, "genre", unknown=unknown),
            self._chances(outputs, "mood", unknown=unknown),
            feeling.get("valence"),
            feeling.get("arousal"),
            _sorted(self._by_class(outputs, "instruments")),
            distance,
            unknown,
        )

    def _by_class(self, outputs: Mapping[str, np.ndarray], task: str) -> dict[str, float] | None:
        if task not in self._classes:
            return None
        return dict(zip(self._classes[task], outputs[task].tolist(), strict=True))

    def _chances(self, outputs: Mapping[str, np.ndarray], task: str, *, unknown: bool) -> Chances | None:
        chances = _sorted(self._by_class(outputs, task))
        return None if chances is None else Chances(UNKNOWN if unknown else next(iter(chances)), chances)


def _sorted(chances: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if chances is None else dict(sorted(chances.items(), key=lambda item: -item[1]))
