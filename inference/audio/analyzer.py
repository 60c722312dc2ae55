"""A sound to everything that is told of it; decoding and features are those of the batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from feature_repo.bundle import ALIASES
from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.audio.classifier import NAME, Classes, Classifier
from inference.models import load_bundle
from transforms.pure.audio.beats import Beats
from transforms.pure.audio.described import described, vector
from transforms.pure.audio.key import Key
from transforms.pure.audio.listen import METERED_SECONDS, Heard, listen
from transforms.pure.audio.patch import patch
from transforms.pure.audio.spectrum import SpectralAnalysis, analysis

LARGEST, LONGEST = 100_000_000, 4 * 3_600.0
"""Bytes and seconds of a sound that is analysed at once."""
NOT_PROMOTED = f"no genre, mood or instruments: python -m training run {NAME}, then promote it"


@dataclass(frozen=True)
class AudioAnalysis:
    """Everything of one sound.

    Attributes:
        seconds: its length.
        rate: samples a second.
        channels: how many.
        measures: what a meter says (view ``audio_quality``): loudness, peak, clipped_share, …
        beats: tempo, beats and downbeats.
        key: None where nothing has a pitch.
        spectrum: octaves, peaks, tonal balance.
        features: of view ``track_audio``, by name.
        classes: None without a model.
        model: such as ``audio_classifier:2``; None without one.
        marks: what is wrong with the sound, such as ``silent`` or ``clipped``.
        mono: (n,) float32 at ``transforms.pure.audio.stft.RATE``, for whoever draws it; empty if not asked for.
    """

    seconds: float
    rate: int
    channels: int
    measures: Mapping[str, float | None]
    beats: Beats
    key: Key | None
    spectrum: SpectralAnalysis
    features: Mapping[str, object]
    classes: Classes | None
    model: str | None
    marks: tuple[str, ...]
    mono: np.ndarray = field(repr=False)


class AudioAnalysisModel:
    """Decode, measure, describe and classify. Safe to share between threads.

    >>> from inference import AudioAnalysisModel                                       # doctest: +SKIP
    >>> AudioAnalysisModel.load("audio_classifier_v2.1").analyze("song.flac").beats    # doctest: +SKIP
    """

    def __init__(self, classifier: Classifier | None = None) -> None:
        self.classifier = classifier

    @classmethod
    def load(cls, name: str | None = None, home: Home | None = None) -> Self:
        """What is promoted; without any model, what needs none is told.

        Args:
            name: such as ``audio_classifier`` for the champion, ``audio_classifier:2`` or ``audio_classifier_v2.1``;
                the champion, if there is one, if left out.
            home: the data folder; from the environment if None.

        Raises:
            BundleError: what is named is not there, damaged, or was trained on other features.
        """
        home = home or Home.from_env()
        if name is None and not (home.bundles(NAME) / ALIASES).is_file():
            return cls()
        return cls(Classifier(load_bundle(name or NAME, home)))

    @property
    def versions(self) -> dict[str, str]:
        """The model, if there is one, and its version."""
        return {NAME: self.classifier.version} if self.classifier else {}

    def try_out(self) -> None:
        """Ask the model what it was asked in training.

        Raises:
            BundleError: it answers otherwise.
        """
        if self.classifier:
            self.classifier.try_out()

    @property
    def note(self) -> str | None:
        """What is missing, and how to change that."""
        return None if self.classifier else NOT_PROMOTED

    def analyze(
        self,
        source: str | Path | bytes,
        *,
        within: Path | None = None,
        longest: float = LONGEST,
        largest: int = LARGEST,
        metered: float = METERED_SECONDS,
        keep: bool = False,
    ) -> AudioAnalysis:
        """Analyse one sound.

        Args:
            source: a file's path, or what a file holds: wav, flac, ogg, mp3, aiff.
            within: a folder that the file has to lie in, links resolved.
            longest: seconds that are allowed.
            largest: bytes that are allowed.
            metered: seconds from the beginning that the meter is told of; the batch's if left out.
            keep: the samples as well, to be drawn.

        Raises:
            InputError: it is no sound, too long or too large, or lies elsewhere.
        """
        if isinstance(source, str | Path):
            source = _allowed(Path(source), within)
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        if size > largest:
            raise InputError(
                expected=f"{largest:,} bytes of sound at the most",
                found=f"{size:,}",
                next_command="python -m transforms import audio PATH  (takes files of any size)",
            )
        classifier = self.classifier
        eats_sound = classifier is not None and classifier.eats == "mel"
        heard = listen(source, longest=longest, metered=metered, keep=keep or eats_sound)
        features = described(heard.analysis)
        marks = _marks(heard)
        classes = None
        if classifier and "silent" not in marks:  # silence has no genre, whatever it is near to
            eaten = patch(heard.mono) if eats_sound else vector(features)
            classes = classifier.classify(eaten[None])[0]
        return AudioAnalysis(
            heard.analysis.seconds,
            heard.rate,
            heard.channels,
            heard.measures,
            heard.analysis.beats,
            heard.analysis.key,
            analysis(heard.analysis, classifier.balance if classifier else None),
            features,
            classes,
            classifier.version if classifier else None,
            marks,
            heard.mono,
        )


def _allowed(path: Path, within: Path | None) -> Path:
    if within is not None and not path.resolve().is_relative_to(within.resolve()):
        raise InputError(
            expected=f"a file in {within}",
            found=str(path),
            next_command="python -m inference analyze --help",
        )
    if not path.is_file():
        raise InputError(
            expected="a sound file", found=f"no file at {path}", next_command="python -m inference analyze --help"
        )
    return path


def _marks(heard: Heard) -> tuple[str, ...]:
    """What an engineer would say first."""
    measures = heard.measures
    found = []
    if (measures["silent_share"] or 0.0) >= 1.0:
        found.append("silent")
    if (measures["clipped_share"] or 0.0) > 0.001:
        found.append("clipped")
    if heard.analysis.seconds < 2.0:
        found.append("too short for beats and key")
    if abs(measures["dc_offset"] or 0.0) > 0.01:
        found.append("offset")
    if heard.channels > 1 and measures["correlation"] is not None and measures["correlation"] < -0.5:
        found.append("channels cancel each other")
    return tuple(found)
