"""The model of a bundle: numbers of a sound to genre, mood, instruments, and whether they mean anything."""

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
    """Of a task whose answer is one of some classes.

    Attributes:
        label: the likeliest; ``unknown`` if the sound is unlike everything that was learned from.
        probabilities: class → probability, the likeliest first.
    """

    label: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Classes:
    """What the model says of a sound; a task that it was not taught is None.

    Attributes:
        genre: which.
        mood: which.
        valence: 0 (sad) to 1 (happy).
        arousal: 0 (calm) to 1 (wild).
        instruments: name → probability that it is heard, the likeliest first.
        distance: how far the sound is from what was learned from; about 1 for that itself.
        unknown: whether that is too far for the answers to mean much.
    """

    genre: Chances | None
    mood: Chances | None
    valence: float | None
    arousal: float | None
    instruments: Mapping[str, float] | None
    distance: float
    unknown: bool


class Classifier:
    """The model of one bundle. Safe to share between threads.

    Attributes:
        version: such as ``audio_classifier:2``.
        eats: ``features`` of a sound, or its ``mel`` bands.
        balance: median and spread of the octaves of what was learned from.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        extra = bundle.manifest["extra"]
        if extra["layout"] != LAYOUT:
            raise BundleError(
                expected=f"a model of features in layout {LAYOUT}",
                found=f"{bundle.name_version} was trained on layout {extra['layout']}",
                next_command=f"python -m training run {NAME} && python -m training promote {NAME}",
            )
        self.version, self.eats = bundle.name_version, str(extra["input"])
        self.balance: list[list[float]] = json.loads(bundle.read("tonal_balance.json"))
        self._classes = {name: list(classes) for name, _, classes in extra["tasks"]}
        self._farthest = float(extra["farthest"])
        self._session = onnx_session(bundle.read("model.onnx"))
        self._outputs = [one.name for one in self._session.get_outputs()]

    def try_out(self) -> None:
        """Ask what was asked in training.

        Raises:
            BundleError: it answers otherwise.
        """
        first = self._outputs[0]
        golden.check(self._bundle, first, lambda rows: self._session.run([first], {self.eats: rows})[0])

    def classify(self, rows: np.ndarray) -> list[Classes]:
        """Classes of n sounds: rows of ``transforms.pure.audio.described.vector`` or ``.patch``, as ``eats`` says."""
        found = dict(zip(self._outputs, self._session.run(None, {self.eats: rows.astype(np.float32)}), strict=True))
        return [self._told({name: values[place] for name, values in found.items()}) for place in range(len(rows))]

    def _told(self, found: Mapping[str, np.ndarray]) -> Classes:
        distance = float(found["distance"])
        unknown = distance > self._farthest
        feeling = self._named(found, "feeling") or {}
        return Classes(
            self._chances(found, "genre", unknown=unknown),
            self._chances(found, "mood", unknown=unknown),
            feeling.get("valence"),
            feeling.get("arousal"),
            _sorted(self._named(found, "instruments")),
            distance,
            unknown,
        )

    def _named(self, found: Mapping[str, np.ndarray], task: str) -> dict[str, float] | None:
        if task not in self._classes:
            return None
        return dict(zip(self._classes[task], found[task].tolist(), strict=True))

    def _chances(self, found: Mapping[str, np.ndarray], task: str, *, unknown: bool) -> Chances | None:
        chances = _sorted(self._named(found, task))
        return None if chances is None else Chances(UNKNOWN if unknown else next(iter(chances)), chances)


def _sorted(chances: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if chances is None else dict(sorted(chances.items(), key=lambda one: -one[1]))
