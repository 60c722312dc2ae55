"""Models with one capability each, for sounds or for tracks whose features are online."""

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


class _SingleTaskModel:
    """One task of the classifier, for sounds or for tracks whose features are online."""

    task: ClassVar[str]

    def __init__(self, model: AudioAnalysisModel, home: Home) -> None:
        self._model, self._home = model, home
        self._features: OnlineFeatures | None = None

    @classmethod
    def load(cls, name: str = NAME, home: Home | None = None) -> Self:
        """Load a bundle.

        Raises:
            BundleError: the bundle is missing, damaged, or was not trained on this task.
        """
        home = home or Home.from_env()
        bundle = load_bundle(name, home)
        trained_tasks = [task for task, _, _ in bundle.manifest["extra"]["tasks"]]
        if cls.task not in trained_tasks:
            raise BundleError(
                expected=f"a model that was trained on {cls.task}",
                found=f"{bundle.name_version} was trained on {', '.join(trained_tasks)}",
                next_command="refrain import audio PATH  (labels.csv says what tracks are)",
            )
        return cls(AudioAnalysisModel(Classifier(bundle)), home)

    def _classes(self, source: str | Path | bytes) -> Classes | None:
        return self._model.analyze(source).classes

    def of_tracks(self, tracks: list[str]) -> list[Classes | None]:
        """Classify tracks by their features online; None for a track that was never analysed.

        Raises:
            BundleError: the model takes sounds, not features.
            StoreError: the online store does not answer.
        """
        classifier = self._model.classifier
        if classifier is None or classifier.eats != "features":
            raise BundleError(
                expected="a model that takes features, which are online",
                found=f"{classifier.version if classifier else 'none'}, which takes sounds",
                next_command=f"refrain model run {NAME} && refrain model promote {NAME}",
            )
        if self._features is None:
            self._features = OnlineFeatures(SERVICE, self._home)
        features = self._features.get({"track_id": tracks})
        values = {name: features.values[f"{VIEW}__{name}"] for name in EATEN}
        rows = [{name: column[place] for name, column in values.items()} for place in range(len(tracks))]
        analysed = [place for place, row in enumerate(rows) if row["timbre"] is not None]
        results: list[Classes | None] = [None] * len(tracks)
        if analysed:
            classes = classifier.classify(np.array([vector(rows[place]) for place in analysed]))
            for place, track_classes in zip(analysed, classes, strict=True):
                results[place] = track_classes
        return results


class GenreClassificationModel(_SingleTaskModel):
    """Predicts the genre, with probabilities.

    >>> model = GenreClassificationModel.load()                                     # doctest: +SKIP
    >>> model.predict("song.flac")                                                  # doctest: +SKIP
    >>> [classes and classes.genre for classes in model.of_tracks(["t000042"])]     # doctest: +SKIP
    """

    task = "genre"

    def predict(self, source: str | Path | bytes) -> Chances | None:
        """Classify a sound; None for silence."""
        classes = self._classes(source)
        return classes.genre if classes else None


class MoodAnalysisModel(_SingleTaskModel):
    """Predicts the mood; valence and arousal are in ``of_tracks`` and ``AudioAnalysisModel``.

    >>> model = MoodAnalysisModel.load()                                            # doctest: +SKIP
    >>> model.predict("song.flac")                                                  # doctest: +SKIP
    >>> [classes and classes.mood for classes in model.of_tracks(["t000042"])]      # doctest: +SKIP
    """

    task = "mood"

    def predict(self, source: str | Path | bytes) -> Chances | None:
        """Classify a sound; None for silence."""
        classes = self._classes(source)
        return classes.mood if classes else None


class InstrumentRecognitionModel(_SingleTaskModel):
    """Predicts which instruments are heard.

    >>> model = InstrumentRecognitionModel.load()                                   # doctest: +SKIP
    >>> model.predict("song.flac")                                                  # doctest: +SKIP
    >>> [classes and classes.instruments for classes in model.of_tracks(["t000042"])]  # doctest: +SKIP
    """

    task = "instruments"

    def predict(self, source: str | Path | bytes) -> Mapping[str, float] | None:
        """Return instrument → probability; None for silence."""
        classes = self._classes(source)
        return classes.instruments if classes else None


class BeatDetectionModel:
    """Detects tempo, beats, downbeats and meter; needs no training.

    >>> BeatDetectionModel().detect("song.flac").tempo                              # doctest: +SKIP
    118.0
    """

    def detect(self, source: str | Path | bytes) -> Beats:
        """Detect the beats of a sound."""
        return AudioAnalysisModel().analyze(source).beats


class SpectralAnalysisModel:
    """Computes octaves, tonal balance, peaks and dynamic range; the reference is the promoted model's catalogue.

    >>> SpectralAnalysisModel.load().analyze("song.flac").peaks                     # doctest: +SKIP
    """

    def __init__(self, model: AudioAnalysisModel) -> None:
        self._model = model

    @classmethod
    def load(cls, home: Home | None = None) -> Self:
        """Load the tonal balance of the champion as the reference, if there is one."""
        return cls(AudioAnalysisModel.load(home=home))

    def analyze(self, source: str | Path | bytes) -> SpectralAnalysis:
        """Analyse the spectrum of a sound."""
        return self._model.analyze(source).spectrum
