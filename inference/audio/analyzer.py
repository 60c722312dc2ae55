"""Analyses audio; decoding and features are the same as in the batch run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from feature_repo.bundle import ALIASES
from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.audio.classifier import NAME, Classes, Classifier
from inference.models import load_bundle
from transforms.pure.audio.beats import Beats
from transforms.pure.audio.decode import MOST_SAMPLES
from transforms.pure.audio.described import described, vector
from transforms.pure.audio.key import Key
from transforms.pure.audio.listen import METERED_SECONDS, Heard, listen
from transforms.pure.audio.loudness.meter import Loudness
from transforms.pure.audio.patch import patch
from transforms.pure.audio.spectrum import SpectralAnalysis, analysis
from transforms.pure.audio.structure.describe import Structure, structure
from transforms.pure.audio.structure.frames import Frames
from transforms.pure.audio.vocabulary.track_features import TrackFeatures, track_features

MAX_BYTES, MAX_SECONDS = 100_000_000, 4 * 3_600.0
"""Maximum bytes and seconds of one audio file."""
NOT_PROMOTED = f"no genre, mood or instruments: refrain model run {NAME}, then promote it"


@dataclass(frozen=True)
class AudioAnalysis:
    """The analysis of one sound.

    Attributes:
        seconds: duration in seconds.
        rate: samples per second.
        channels: number of channels.
        measures: measurements of the view ``audio_quality``: loudness, peak, clipped_share, …
        loudness: integrated, momentary and short-term loudness, range and true peak.
        beats: tempo, beats and downbeats.
        key: musical key; None if nothing has a pitch.
        spectrum: octaves, peaks, tonal balance.
        features: features of the view ``track_audio``, by name.
        track_features: the values of Spotify's ``audio-features``, each with a confidence.
        classes: output of the classifier; None without a model.
        model: name and version, such as ``audio_classifier:2``; None without a model.
        marks: defects of the sound, such as ``silent``, ``clipped``, or what is missing of a file that is cut short.
        fingerprint: Chromaprint's text of the first two minutes; empty unless requested.
        frames: what ``structure`` is computed from.
        measured_seconds: how much of the sound, from its beginning, loudness was measured on.
        mono: (n,) float32 samples at ``transforms.pure.audio.stft.RATE``, for drawing; empty unless requested.
    """

    seconds: float
    rate: int
    channels: int
    measures: Mapping[str, float | None]
    loudness: Loudness
    beats: Beats
    key: Key | None
    spectrum: SpectralAnalysis
    features: Mapping[str, object]
    track_features: TrackFeatures
    classes: Classes | None
    model: str | None
    marks: tuple[str, ...]
    fingerprint: str
    frames: Frames = field(repr=False)
    measured_seconds: float
    mono: np.ndarray = field(repr=False)

    @cached_property
    def structure(self) -> Structure:
        """Bars, beats, tatums, sections, segments and fades; computed when it is first asked for."""
        return structure(
            self.frames,
            self.beats,
            loudness=self.loudness.integrated_lufs,
            measured_seconds=self.measured_seconds,
        )


class AudioAnalysisModel:
    """Decode, measure, describe and classify. Safe to share between threads.

    >>> from inference import AudioAnalysisModel                                       # doctest: +SKIP
    >>> AudioAnalysisModel.load("audio_classifier_v2.1").analyze("song.flac").beats    # doctest: +SKIP

    >>> AudioAnalysisModel.load().try_out()                                         # doctest: +SKIP
    """

    def __init__(self, classifier: Classifier | None = None) -> None:
        self.classifier = classifier

    @classmethod
    def load(cls, name: str | None = None, home: Home | None = None) -> Self:
        """Load the promoted classifier; without one, the analysis has no classes.

        Args:
            name: such as ``audio_classifier`` for the champion, ``audio_classifier:2`` or ``audio_classifier_v2.1``;
                the champion, if there is one, if left out.
            home: the data folder; from the environment if None.

        Raises:
            BundleError: the named bundle is missing, damaged, or was trained on other features.
        """
        home = home or Home.from_env()
        if name is None and not (home.bundles(NAME) / ALIASES).is_file():
            return cls()
        return cls(Classifier(load_bundle(name or NAME, home)))

    @property
    def versions(self) -> dict[str, str]:
        """Name → version of the classifier; empty without one."""
        return {NAME: self.classifier.version} if self.classifier else {}

    def try_out(self) -> None:
        """Compare the classifier's outputs with those recorded in training.

        Raises:
            BundleError: the outputs differ.
        """
        if self.classifier:
            self.classifier.try_out()

    @property
    def note(self) -> str | None:
        """Why there are no classes, and how to change that; None if there are."""
        return None if self.classifier else NOT_PROMOTED

    def analyze(
        self,
        source: str | Path | bytes,
        *,
        name: str = "",
        within: Path | None = None,
        longest: float = MAX_SECONDS,
        largest: int = MAX_BYTES,
        most_samples: float = MOST_SAMPLES,
        metered: float = METERED_SECONDS,
        keep: bool = False,
        fingerprint: bool = False,
    ) -> AudioAnalysis:
        """Analyse one sound.

        Args:
            source: path or content of a wav, flac, ogg, opus, mp3 or aiff file; with the extra ``ffmpeg``, of m4a,
                aac, wma and mka, too.
            name: name for error messages; the file's own if empty.
            within: folder that must contain the file, links resolved.
            longest: maximum duration in seconds.
            largest: maximum size in bytes.
            most_samples: maximum number of samples of all channels.
            metered: seconds from the beginning for which loudness is measured; as in the batch run by default.
            keep: whether to keep the samples, for drawing.
            fingerprint: whether to compute the fingerprint.

        Raises:
            InputError: it is not an audio file, is too long or too large, lacks more than half of its sound, or lies
                outside ``within``.
        """
        if isinstance(source, str | Path):
            source = _checked_path(Path(source), within)
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        if size > largest:
            raise InputError(
                expected=f"{largest:,} bytes of sound at the most",
                found=f"{size:,}",
                next_command="refrain import audio PATH  (takes files of any size)",
            )
        classifier = self.classifier
        takes_mel = classifier is not None and classifier.eats == "mel"
        audio = listen(
            source,
            name=name,
            longest=longest,
            most_samples=most_samples,
            metered=metered,
            true_peak=True,
            keep=keep or takes_mel,
            fingerprint=fingerprint,
        )
        features = described(audio.analysis)
        marks = _marks(audio)
        classes = None
        if classifier and "silent" not in marks:  # silence has no genre, whatever its nearest class
            inputs = patch(audio.mono) if takes_mel else vector(features)
            classes = classifier.classify(inputs[None])[0]
        return AudioAnalysis(
            audio.analysis.seconds,
            audio.rate,
            audio.channels,
            audio.measures,
            audio.loudness,
            audio.analysis.beats,
            audio.analysis.key,
            analysis(audio.analysis, classifier.balance if classifier else None),
            features,
            track_features(features, audio.loudness.integrated_lufs),
            classes,
            classifier.version if classifier else None,
            marks,
            audio.fingerprint,
            audio.analysis.frames,
            metered,
            audio.mono,
        )


def _checked_path(path: Path, within: Path | None) -> Path:
    if within is not None and not path.resolve().is_relative_to(within.resolve()):
        raise InputError(
            expected=f"a file in {within}",
            found=str(path),
            next_command="refrain analyze --help",
        )
    if not path.is_file():
        raise InputError(expected="a sound file", found=f"no file at {path}", next_command="refrain analyze --help")
    return path


def _marks(audio: Heard) -> tuple[str, ...]:
    """Return the defects of a sound that an audio engineer would notice first."""
    measures = audio.measures
    marks = [audio.cut] if audio.cut else []
    if (measures["silent_share"] or 0.0) >= 1.0:
        marks.append("silent")
    if (measures["clipped_share"] or 0.0) > 0.001:
        marks.append("clipped")
    if audio.analysis.seconds < 2.0:
        marks.append("too short for beats and key")
    if abs(measures["dc_offset"] or 0.0) > 0.01:
        marks.append("offset")
    if audio.channels > 1 and measures["correlation"] is not None and measures["correlation"] < -0.5:
        marks.append("channels cancel each other")
    return tuple(marks)
