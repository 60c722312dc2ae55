"""The analysis of a sound."""

from typing import Any

import msgspec


class SoundKey(msgspec.Struct, frozen=True):
    """The musical key of a sound, such as F# minor."""

    tonic: str
    mode: str
    confidence: float


class SoundPeak(msgspec.Struct, frozen=True):
    """A peak of the spectrum; decibels relative to the strongest frequency of the sound."""

    hertz: float
    decibels: float
    note: str


class SoundClasses(msgspec.Struct, frozen=True):
    """Genre, mood and instruments; None where the model was not trained for them.

    Attributes:
        genre: ``unknown`` if the sound is unlike all training sounds.
        genres: genre → probability.
        valence: 0 (sad) to 1 (happy).
        arousal: 0 (calm) to 1 (wild).
        instruments: instrument → probability that it is present.
        distance: how unlike the training sounds; unknown above 1.
    """

    genre: str | None
    genres: dict[str, float] | None
    mood: str | None
    moods: dict[str, float] | None
    valence: float | None
    arousal: float | None
    instruments: dict[str, float] | None
    distance: float
    unknown: bool


class SoundTempo(msgspec.Struct, frozen=True):
    """A candidate for the tempo of a sound.

    Attributes:
        tempo: beats a minute.
        strength: 0 to 1; those of all candidates add up to 1.
    """

    tempo: float
    strength: float


class SoundTarget(msgspec.Struct, frozen=True):
    """What brings a sound to the loudness of a streaming service.

    Attributes:
        target_lufs: integrated loudness that is to be reached.
        ceiling_dbtp: true peak that must not be exceeded.
        gain_db: gain that gives the loudness of the target.
        limit_db: decibels by which the peaks would then exceed the ceiling; 0 if they would not.
        clean_gain_db: the largest gain up to ``gain_db`` that needs no limiter.
        clean_lufs: loudness after ``clean_gain_db``.
    """

    target_lufs: float
    ceiling_dbtp: float
    gain_db: float
    limit_db: float
    clean_gain_db: float
    clean_lufs: float


class SoundLoudness(msgspec.Struct, frozen=True):
    """Loudness by EBU R128; None for silence, for what is too short, and for unknown layouts of channels.

    Attributes:
        integrated_lufs: loudness of the whole, gated.
        momentary_max_lufs: the loudest 400 ms.
        short_term_max_lufs: the loudest 3 seconds.
        range_lu: loudness range.
        true_peak_dbtp: peak, that between the samples, too.
        replay_gain: tags of ReplayGain 2.0.
        streaming: what brings it to -14 LUFS and -1 dBTP.
    """

    integrated_lufs: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    replay_gain: dict[str, str]
    streaming: SoundTarget | None


class SoundTrackFeatures(msgspec.Struct, frozen=True):
    """What Spotify's audio-features said of a track, computed from its sound; None where nothing can be said.

    Attributes:
        tempo: beats a minute.
        key: 0 for C to 11 for B, -1 for none.
        mode: 1 for major, 0 for minor.
        time_signature: beats of a bar, 3 to 7.
        loudness: integrated loudness in LUFS.
        confidence: name of each value → 0 to 1.
    """

    tempo: float | None
    key: int
    mode: int | None
    time_signature: int | None
    loudness: float | None
    duration_ms: int
    energy: float | None
    danceability: float | None
    valence: float | None
    acousticness: float | None
    speechiness: float | None
    instrumentalness: float | None
    liveness: float | None
    confidence: dict[str, float]


class AudioAnalysis(msgspec.Struct, frozen=True):
    """The analysis of a sound.

    Attributes:
        rate: samples a second.
        marks: defects of the sound.
        measures: measure → value, such as ``loudness`` in LUFS.
        tempo: beats a minute.
        tempos: candidates for it, the strongest first.
        meter: beats of a bar; 0 for unknown.
        beats: seconds.
        downbeats: seconds.
        octaves: centre in Hz → decibels relative to the total power.
        deviations: deviation of the octaves from those of the catalogue.
        dynamic_range: decibels.
        classes: None without a promoted model, and for silence.
        structure: track, sections, bars, beats, tatums and segments, of the shape of Spotify's audio-analysis; None
            unless requested.
    """

    seconds: float
    rate: int
    channels: int
    marks: list[str]
    measures: dict[str, float | None]
    loudness: SoundLoudness
    tempo: float | None
    tempo_confidence: float
    tempos: list[SoundTempo]
    meter: int
    beats: list[float]
    downbeats: list[float]
    key: SoundKey | None
    octaves: dict[str, float]
    deviations: dict[str, float] | None
    peaks: list[SoundPeak]
    dynamic_range: float
    track_features: SoundTrackFeatures
    classes: SoundClasses | None
    model: str | None
    note: str | None = None
    structure: dict[str, Any] | None = None
