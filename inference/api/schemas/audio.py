"""Schemas of responses of sound analysis."""

from pydantic import BaseModel, Field


class SoundKey(BaseModel):
    """The musical key of a sound."""

    tonic: str = Field(examples=["F#"])
    mode: str = Field(examples=["minor"])
    confidence: float


class SoundPeak(BaseModel):
    """A peak of the spectrum."""

    hertz: float
    decibels: float = Field(description="relative to the strongest frequency of the sound, which is 0")
    note: str = Field(examples=["A4"])


class SoundClasses(BaseModel):
    """Genre, mood and instruments; null where the model was not trained for them."""

    genre: str | None = Field(description="`unknown` if the sound is unlike all training sounds")
    genres: dict[str, float] | None = Field(description="probability of each", examples=[{"jazz": 0.8}])
    mood: str | None
    moods: dict[str, float] | None
    valence: float | None = Field(description="0 (sad) to 1 (happy)")
    arousal: float | None = Field(description="0 (calm) to 1 (wild)")
    instruments: dict[str, float] | None = Field(description="probability that each instrument is present")
    distance: float = Field(description="distance from the training sounds; about 1 for a training sound")
    unknown: bool


class AudioResponse(BaseModel):
    """The analysis of a sound."""

    seconds: float
    rate: int = Field(description="samples a second")
    channels: int
    marks: list[str] = Field(description="defects of the sound", examples=[["clipped"]])
    measures: dict[str, float | None] = Field(examples=[{"loudness": -14.2, "peak": -1.0}])
    tempo: float | None = Field(description="beats a minute")
    tempo_confidence: float
    meter: int = Field(description="beats of a bar; 0 for unknown")
    beats: list[float] = Field(description="seconds")
    downbeats: list[float] = Field(description="seconds")
    key: SoundKey | None
    octaves: dict[str, float] = Field(description="centre in Hz → decibels relative to the total power")
    deviations: dict[str, float] | None = Field(description="deviation of the octaves from those of the catalogue")
    peaks: list[SoundPeak]
    dynamic_range: float = Field(description="decibels")
    classes: SoundClasses | None = Field(description="null without a promoted model, and for silence")
    model: str | None = Field(examples=["audio_classifier:2"])
    note: str | None = None
