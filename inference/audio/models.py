"""One capability each, of sounds, or of tracks whose features are online."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from feature_repo.errors import BundleError
from feature_repo.home import Home
from inference.audio.analyzer import AudioAnalysisModel
from inference.audio.classifier import NAME, Chances, Classes, Classifier
from inference.features import OnlineFeatures
from inference.models import load_bundle
from transforms.pure.audio.beats import Beats
from transforms.pure.audio.described import EATEN, vector
from transforms.pure.audio.spectrum import SpectralAnalysis

SERVICE, VIEW = "audio_classifier_v1", "track_audio"


class _OfTracks:
    """A part of the classifier, of sounds or of tracks whose features are online."""

    task: ClassVar[str]

    def __init__(self, model: AudioAnalysisModel, home: Home) -> None:
        self._model, self._home = model, home
        self._features: OnlineFeatures | None = None

    @classmethod
    def load(cls, name: str = NAME, home: Home | None = None) -> Self:
        """Load a bundle.

        Raises:
            BundleError: it is not there, damaged, or was not taught this task.
        """
        home = home or Home.from_env()
        bundle = load_bundle(name, home)
        taught = [task for task, _, _ in bundle.manifest["extra"]["tasks"]]
        if cls.task not in taught:
            raise BundleError(
                expected=f"a model that was taught {cls.task}",
                found=f"{bundle.name_version} was taught {', '.join(taught)}",
                next_command="python -m transforms import audio PATH  (labels.csv says what tracks are)",
            )
        return cls(AudioAnalysisModel(Classifier(bundle)), home)

    def _classes(self, source: str | Path | bytes) -> Classes | None:
        return self._model.analyze(source).classes

    def of_tracks(self, tracks: list[str]) -> list[Classes | None]:
        """Everything of tracks by their features online; None for one that was never analysed.

        Raises:
            BundleError: the model hears sounds, and not features.
            StoreError: the online store does not answer.
        """
        classifier = self._model.classifier
        if classifier is None or classifier.eats != "features":
            raise BundleError(
                expected="a model of features, which are online",
                found=f"{classifier.version if classifier else 'none'} is one of sounds",
                next_command=f"python -m training run {NAME} && python -m training promote {NAME}",
            )
        if self._features is None:
            self._features = OnlineFeatures(SERVICE, self._home)
        found = self._features.get({"track_id": tracks})
        values = {name: found.values[f"{VIEW}__{name}"] for name in EATEN}
        rows = [{name: column[place] for name, column in values.items()} for place in range(len(tracks))]
        there = [place for place, row in enumerate(rows) if row["timbre"] is not None]
        told: list[Classes | None] = [None] * len(tracks)
        if there:
            classes = classifier.classify(np.array([vector(rows[place]) for place in there]))
            for place, one in zip(there, classes, strict=True):
                told[place] = one
        return told


class GenreClassificationModel(_OfTracks):
    """Which genre, and how likely each is."""

    task = "genre"

    def predict(self, source: str | Path | bytes) -> Chances | None:
        """Of a sound; None of silence."""
        classes = self._classes(source)
        return classes.genre if classes else None


class MoodAnalysisModel(_OfTracks):
    """Which mood; its valence and arousal are in ``of_tracks`` and ``AudioAnalysisModel``."""

    task = "mood"

    def predict(self, source: str | Path | bytes) -> Chances | None:
        """Of a sound; None of silence."""
        classes = self._classes(source)
        return classes.mood if classes else None


class InstrumentRecognitionModel(_OfTracks):
    """Which instruments are heard."""

    task = "instruments"

    def predict(self, source: str | Path | bytes) -> Mapping[str, float] | None:
        """Name → probability; None of silence."""
        classes = self._classes(source)
        return classes.instruments if classes else None


class BeatDetectionModel:
    """Tempo, beats, downbeats and meter; needs no training."""

    def detect(self, source: str | Path | bytes) -> Beats:
        """Of a sound."""
        return AudioAnalysisModel().analyze(source).beats


class SpectralAnalysisModel:
    """Octaves, tonal balance, peaks, dynamic range; the balance of a promoted model's catalogue is the reference."""

    def __init__(self, model: AudioAnalysisModel) -> None:
        self._model = model

    @classmethod
    def load(cls, home: Home | None = None) -> Self:
        """With the reference of the champion, if there is one."""
        return cls(AudioAnalysisModel.load(home=home))

    def analyze(self, source: str | Path | bytes) -> SpectralAnalysis:
        """Of a sound."""
        return self._model.analyze(source).spectrum
