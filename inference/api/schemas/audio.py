"""Schemas of responses of sound analysis."""

from typing import Any

from pydantic import BaseModel, Field


class SoundKey(BaseModel):
    """The musical key of a sound."""

    tonic: str = Field(examples=["F#"])
    mode: str = Field(examples=["minor"])
    confidence: float


class SoundTempo(BaseModel):
    """A candidate for the tempo of a sound."""

    tempo: float = Field(description="beats a minute")
    strength: float = Field(description="0 to 1; those of all candidates add up to 1")


class SoundPeak(BaseModel):
    """A peak of the spectrum."""

    hertz: float
    decibels: float = Field(description="relative to the strongest frequency of the sound, which is 0")
    note: str = Field(examples=["A4"])


class SoundClasses(BaseModel):
    """Genre, mood and instruments; null where the model was not trained for them."""

    genre: str | None = Field(description="`unknown` if the sound is unlike all classes of the training sounds")
    genres: dict[str, float] | None = Field(description="probability of each", examples=[{"jazz": 0.8}])
    mood: str | None
    moods: dict[str, float] | None
    valence: float | None = Field(description="0 (sad) to 1 (happy)")
    arousal: float | None = Field(description="0 (calm) to 1 (wild)")
    instruments: dict[str, float] | None = Field(description="probability that each instrument is present")
    distance: float = Field(description="how unlike the training sounds; unknown above 1")
    unknown: bool


class SoundTarget(BaseModel):
    """What brings a sound to the loudness of a streaming service."""

    target_lufs: float
    ceiling_dbtp: float = Field(description="true peak that must not be exceeded")
    gain_db: float = Field(description="gain that gives the loudness of the target")
    limit_db: float = Field(description="by how much the peaks would then exceed the ceiling; 0 if they would not")
    clean_gain_db: float = Field(description="the largest gain up to gain_db that needs no limiter")
    clean_lufs: float = Field(description="loudness after clean_gain_db")


class SoundLoudness(BaseModel):
    """Loudness by EBU R128; null for silence, for what is too short, and for unknown layouts of channels."""

    integrated_lufs: float | None = Field(description="of the whole, gated", examples=[-9.4])
    momentary_max_lufs: float | None = Field(description="the loudest 400 ms", examples=[-6.8])
    short_term_max_lufs: float | None = Field(description="the loudest 3 s", examples=[-7.9])
    range_lu: float | None = Field(description="loudness range", examples=[5.2])
    true_peak_dbtp: float | None = Field(description="peak between the samples, too", examples=[0.3])
    replay_gain: dict[str, str] = Field(
        description="tags of ReplayGain 2.0",
        examples=[{"REPLAYGAIN_TRACK_GAIN": "-8.60 dB", "REPLAYGAIN_TRACK_PEAK": "1.035142"}],
    )
    streaming: SoundTarget | None


class SoundTrackFeatures(BaseModel):
    """What Spotify's audio-features said of a track, computed from its sound; null where nothing can be said."""

    tempo: float | None = Field(description="beats a minute")
    key: int = Field(description="0 for C to 11 for B, -1 for none")
    mode: int | None = Field(description="1 for major, 0 for minor")
    time_signature: int | None = Field(description="beats of a bar, 3 to 7")
    loudness: float | None = Field(description="integrated loudness in LUFS")
    duration_ms: int
    energy: float | None = Field(description="0 to 1; learned")
    danceability: float | None = Field(description="0 to 1; learned")
    valence: float | None = Field(description="0 (sad) to 1 (happy); learned")
    acousticness: float | None = Field(description="0 to 1; learned")
    speechiness: float | None = Field(description="above .66 speech, below .33 music; learned")
    instrumentalness: float | None = Field(description="0 to 1; a proxy, which has not heard anybody sing")
    liveness: float | None = Field(description="0 to 1; a proxy, which has not heard a real audience")
    confidence: dict[str, float] = Field(description="name of each value → 0 to 1", examples=[{"energy": 0.4}])


class AudioResponse(BaseModel):
    """The analysis of a sound."""

    seconds: float
    rate: int = Field(description="samples a second")
    channels: int
    marks: list[str] = Field(description="defects of the sound", examples=[["clipped"]])
    measures: dict[str, float | None] = Field(examples=[{"loudness": -14.2, "peak": -1.0}])
    loudness: SoundLoudness
    tempo: float | None = Field(description="beats a minute")
    tempo_confidence: float
    tempos: list[SoundTempo] = Field(description="candidates for the tempo, the strongest first")
    meter: int = Field(description="beats of a bar; 0 for unknown")
    beats: list[float] = Field(description="seconds")
    downbeats: list[float] = Field(description="seconds")
    key: SoundKey | None
    octaves: dict[str, float] = Field(description="centre in Hz → decibels relative to the total power")
    deviations: dict[str, float] | None = Field(description="deviation of the octaves from those of the catalogue")
    peaks: list[SoundPeak]
    dynamic_range: float = Field(description="decibels")
    track_features: SoundTrackFeatures
    classes: SoundClasses | None = Field(description="null without a promoted model, and for silence")
    model: str | None = Field(examples=["audio_classifier:2"])
    note: str | None = None
    structure: dict[str, Any] | None = Field(
        default=None,
        description="with `structure=true`: track, sections, bars, beats, tatums, segments, of the shape of Spotify's "
        "audio-analysis",
    )
