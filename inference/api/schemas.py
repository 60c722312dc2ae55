"""What comes in and what goes out, with examples."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from feature_repo.events import LONGEST_ID
from feature_repo.windows import EVENTS
from inference.events import MOST_EVENTS

Metric = Annotated[float, Field(allow_inf_nan=False)] | None
LONGEST_TEXT, MOST_TEXTS = 1_000_000, 256
"""Characters of a text, of which the first 20,000 are read; texts of a request."""
MOST_TOGETHER = 100
"""Requests of one family in one batch."""
MOST_ROWS = 1_000
"""Of one lookup."""
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]
EventId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID)]


class RequestContext(BaseModel):
    """Where and when somebody asks; all of it optional."""

    model_config = ConfigDict(extra="forbid")

    device: Identifier | None = Field(default=None, examples=["phone"])
    context: Identifier | None = Field(default=None, examples=["playlist"])
    at: datetime | None = Field(default=None, description="moment of the request; now if left out")

    def request(self) -> dict[str, Any]:
        """As ``inference.features`` takes it."""
        told: dict[str, Any] = self.model_dump(exclude_none=True)
        if self.at:
            told["request_timestamp"] = told.pop("at").timestamp()
        return told


class RecommendationRequest(BaseModel):
    """Who asks, and for how many tracks."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user_id": "u000042", "count": 10, "context": {"device": "phone"}}]},
    )

    user_id: Identifier
    count: int = Field(10, ge=1, le=500)
    context: RequestContext = RequestContext()
    exclude_tracks: list[Identifier] = Field(default_factory=list, max_length=1_000)
    exclude_artists: list[Identifier] = Field(default_factory=list, max_length=1_000)
    explicit: bool = Field(default=True, description="whether explicit tracks may be among them")
    country: Identifier | None = Field(
        default=None, examples=["SE"], description="where they are; what they once told if left out"
    )
    pick_tracks: list[Identifier] = Field(
        default_factory=list, max_length=100, description="what somebody new says they like"
    )
    pick_artists: list[Identifier] = Field(default_factory=list, max_length=100)
    pick_genres: list[Identifier] = Field(default_factory=list, max_length=100, examples=[["jazz"]])
    most_by_artist: int | None = Field(default=None, ge=1, le=500, description="a third of the list if left out")
    diversify: Literal["mmr", "calibrated"] | None = Field(
        default=None, description="tracks unlike each other, or genres as the listener plays them"
    )
    diversity: float = Field(0.3, ge=0, le=1, description="how much that counts beside the score")
    explore: float = Field(0.0, ge=0, le=1, description="share of the slots that show something to be learned of")


class RecommendedTrack(BaseModel):
    """One track and why."""

    track_id: str
    title: str
    artist_id: str | None
    artist_name: str | None
    score: float | None = Field(description="comparable within one answer only; null where popularity answered")
    source: str = Field(examples=["taste", "similar", "follows", "content", "popular", "fresh"])
    reason: str = Field(examples=["you played Kalomi 12 times in the last 28 days"])
    propensity: float = Field(description="chance that this slot would show it, given those before")
    explored: bool = Field(description="whether it is shown to be learned of")


class RecommendationResponse(BaseModel):
    """The answer, and the model that gave it."""

    user_id: str
    known: bool = Field(description="false: nothing that this listener heard is known")
    model: str = Field(examples=["recommendation:3"])
    strategy: str = Field(examples=["real_time", "hybrid", "cold_start"])
    features: dict[str, str] = Field(description="feature service → fingerprint, of those that were read")
    answer_id: str = Field(description="by which the log of impressions knows it")
    items: list[RecommendedTrack]
    note: str | None = Field(default=None, description="what kept the answer from being as good as it might")
    experiments: dict[str, str] = Field(
        default_factory=dict, description="experiment → arm, of those that the listener is in"
    )


class RecommendationBatch(BaseModel):
    """Several who ask."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"requests": [{"user_id": "u000042", "count": 5}]}]}
    )

    requests: list[RecommendationRequest] = Field(min_length=1, max_length=MOST_TOGETHER)


class ForecastRequest(BaseModel):
    """Of whom, and what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"entity": "track", "id": "t000042", "horizon": 7}]},
    )

    entity: Literal["track", "artist", "genre", "platform", "user"]
    id: Identifier
    target: Literal["streams", "chart", "activity", "load"] | None = Field(
        default=None, description="the first that fits the entity if left out: streams; of listeners, activity"
    )
    horizon: int | None = Field(default=None, ge=1, le=1_000, description="steps; all that were forecast if left out")


class ForecastPoint(BaseModel):
    """One step."""

    start: datetime
    end: datetime
    mean: float
    lower_95: float
    lower_80: float
    median: float
    upper_80: float
    upper_95: float
    chance: float | None = Field(description="of being on the chart, or of no play; null where neither is forecast")


class ForecastResponse(BaseModel):
    """The forecast, and the model that made it."""

    entity: str
    id: str
    target: str
    model: str = Field(examples=["trend_forecaster:3"])
    origin: datetime = Field(description="nothing later was known")
    points: list[ForecastPoint]
    note: str | None = None


def _event_schema() -> dict[str, Any]:
    """JSON schema of ``POST /v1/events``, from the declarations of the sources."""
    types = {"String": "string", "Int64": "integer", "Bool": "boolean"}
    of_kinds = {}
    for kind, source in EVENTS.items():
        properties: dict[str, Any] = {
            "event_timestamp": {"type": "string", "format": "date-time"},
            "created_timestamp": {"type": "string", "format": "date-time"},
        }
        for name, dtype in source.columns.items():
            properties[name] = {"type": types[dtype]} | ({"maxLength": LONGEST_ID} if dtype == "String" else {})
            if name in source.ranges:
                properties[name] |= dict(zip(("minimum", "maximum"), source.ranges[name], strict=True))
        of_kinds[kind] = {"type": "object", "required": ["event_timestamp", *source.key], "properties": properties}
    return {
        "type": "object",
        "required": ["kind", "events"],
        "additionalProperties": False,
        "properties": {
            "kind": {"type": "string", "enum": list(of_kinds)},
            "events": {"type": "array", "maxItems": MOST_EVENTS, "items": {"anyOf": list(of_kinds.values())}},
        },
        "examples": [
            {
                "kind": "plays",
                "events": [
                    {
                        "user_id": "u000042",
                        "track_id": "t000007",
                        "artist_id": "a00003",
                        "event_timestamp": "2026-03-01T21:04:05Z",
                        "ms_played": 187000,
                        "skipped": False,
                        "device": "phone",
                    }
                ],
            }
        ],
    }


EVENTS_REQUEST = _event_schema()


class ObservationIn(BaseModel):
    """What was seen of one entity at one moment."""

    model_config = ConfigDict(extra="forbid")

    entity: Identifier = Field(examples=["host-01"])
    at: datetime
    values: dict[Identifier, Metric] = Field(
        default_factory=dict,
        max_length=100,
        description="metric → number, or feature → value; empty to ask for what the features online say",
    )


class DetectRequest(BaseModel):
    """Observations for one detector, oldest first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "detector": "system",
                    "observations": [
                        {
                            "entity": "host-01",
                            "at": "2026-01-20T10:00:00Z",
                            "values": {"cpu_permille": 310, "memory_permille": 540},
                        }
                    ],
                }
            ]
        },
    )

    detector: Literal["system", "performance", "user_behavior", "security", "audio_quality"]
    observations: list[ObservationIn] = Field(min_length=1, max_length=1_000)


class DetectionOut(BaseModel):
    """What was found of one observation."""

    entity: str
    at: datetime
    p_value: float | None = Field(description="share of normal observations that are as unusual; null if unknown")
    score: float | None = Field(description="-log10 of the p-value")
    alarm: bool
    causes: dict[str, float] = Field(description="feature or metric → share, of alarms alone")
    verdict: str = Field(description='"", "missing", "duplicate", "late", "clock" or "relearned"')


class IncidentOut(BaseModel):
    """Alarms that belong together."""

    id: str = Field(description="the same for every telling of this incident")
    entity: str
    start: datetime
    end: datetime
    alarms: int
    p_value: float
    causes: dict[str, float]


class DetectResponse(BaseModel):
    """Detections in the order of the observations, and the incidents that they belong to."""

    detector: str
    model: str = Field(examples=["system_anomaly_detector:1"])
    detections: list[DetectionOut]
    incidents: list[IncidentOut]
    note: str | None = None


class Act(BaseModel):
    """What one listener did."""

    model_config = ConfigDict(extra="forbid")

    user_id: EventId
    action: Literal["click", "like", "dislike", "hide", "rate", "subscribe", "cancel", "purchase"]
    track_id: EventId | None = None
    answer_id: EventId | None = Field(default=None, description="of the recommendation that it is about")
    rating: int | None = Field(default=None, ge=1, le=5)
    amount_cents: int | None = Field(default=None, ge=0, le=100_000_000)
    at: AwareDatetime | None = Field(default=None, description="when it happened; now if left out")

    @model_validator(mode="after")
    def _rated(self) -> "Act":
        if (self.action == "rate") != (self.rating is not None):
            raise ValueError("`rating` goes with the action `rate`, and with no other")
        return self


class FeedbackRequest(BaseModel):
    """What listeners did."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"acts": [{"user_id": "u000042", "action": "like", "track_id": "t000007"}]}]},
    )

    acts: list[Act] = Field(min_length=1, max_length=MOST_EVENTS)


class VariantOut(BaseModel):
    """One arm."""

    name: str
    weight: float
    settings: dict[str, Any]


class ExperimentOut(BaseModel):
    """One experiment."""

    name: str
    state: str = Field(examples=["running"])
    mode: str = Field(examples=["fixed", "bandit"])
    layer: str
    buckets: list[int] = Field(description="first and last + 1 of the 10,000 of its layer")
    share: float = Field(description="of those listeners who are in")
    metric: str
    variants: list[VariantOut]
    started: datetime | None
    stopped: datetime | None
    reason: str = Field(description="why it was stopped")


class ExperimentsResponse(BaseModel):
    """All experiments, and the share of listeners who are in none."""

    holdout: float
    experiments: list[ExperimentOut]


class StartRequest(BaseModel):
    """How many of its listeners are in."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"share": 0.1}]})

    share: float | None = Field(default=None, ge=0, le=1, description="as before, or as declared, if left out")


class StopRequest(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "more skips than is borne"}]})

    reason: str = Field(min_length=1, max_length=200)


class RefusedEvent(BaseModel):
    """An event that was not taken."""

    place: int = Field(description="in the list, from 0")
    reason: str = Field(examples=["user_id: expected str, got int"])


class EventsResponse(BaseModel):
    """What became of some events."""

    accepted: int = Field(description="events that are in the stream now")
    refused: list[RefusedEvent]


class Health(BaseModel):
    """Whether the process can answer."""

    status: str = Field(examples=["ok"])
    model: str = Field(examples=["recommendation:3"])


class FeaturesRequest(BaseModel):
    """Which rows of a feature service, and when and where they are asked for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"keys": {"user_id": ["u000042"]}, "context": {}}]}
    )

    keys: dict[Identifier, Annotated[list[Identifier], Field(min_length=1)]] = Field(
        min_length=1, max_length=16, description="join key → n values, or one that counts for all rows"
    )
    context: RequestContext = RequestContext()


class FeaturesResponse(BaseModel):
    """Features by name, a value a row; null where nothing is known."""

    service: str
    fingerprint: str
    rows: int
    values: dict[str, list[Any]] = Field(examples=[{"user_listening__plays_7d": [12]}])


class PredictionsResponse(BaseModel):
    """What a model of rows says, a value a row."""

    model: str = Field(examples=["churn_model:3"])
    kind: Literal["binary", "number"] = Field(description="chances of yes, or numbers")
    values: list[float]
    known: list[bool] = Field(description="false where nothing at all was known of the row")


class ServedModel(BaseModel):
    """What answers one kind of request."""

    serves: str = Field(examples=["recommendations"])
    loaded: bool = Field(description="false if nobody asked yet")
    versions: dict[str, str] = Field(examples=[{"recommendation": "recommendation:3"}])
    swapped_at: datetime | None = Field(description="when the last promotion was taken over")
    refused: str | None = Field(description="why the newest promotion was not taken over; null if it was")


class ModelsResponse(BaseModel):
    """All that serves."""

    models: list[ServedModel]


class AnalyzeRequest(BaseModel):
    """One text, or several."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"texts": ["A gem of a record, not a weak song on it.", "Je t'aime"]}],
            "oneOf": [
                {"required": [one], "properties": {one: {"type": kind}, other: {"type": "null"}}}
                for one, kind, other in (("text", "string", "texts"), ("texts", "array", "text"))
            ],
        },
    )

    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    texts: list[Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]] | None = Field(
        default=None, max_length=MOST_TEXTS
    )
    vectors: bool = Field(default=False, description="whether vectors are told, too")

    @model_validator(mode="after")
    def _either(self) -> "AnalyzeRequest":
        if (self.text is None) == (self.texts is None):
            raise ValueError("either `text` or `texts` must be given")
        return self


class AnalyzedText(BaseModel):
    """What is said of one text; null where nothing can be told."""

    text: str = Field(description="cleaned, and what tells who somebody is masked")
    masked: dict[str, int] = Field(description="kind of what was masked → how many", examples=[{"email": 1}])
    marks: list[str] = Field(description="what was done to it, or is wrong with it", examples=[["HTML removed"]])
    language: str = Field(description="ISO 639; und where there is no telling", examples=["en"])
    language_confidence: float
    words: int
    sentiment: str | None = Field(examples=["positive"])
    positive: float | None = Field(description="probability")
    emotion: str | None = Field(examples=["joy"])
    emotions: dict[str, float] | None
    tags: dict[str, float] | None = Field(examples=[{"jazz": 0.8}])
    topic: list[str] | None = Field(description="heaviest words of the topic with the largest share")
    subjectivity: float | None = Field(description="0 for facts, 1 for opinions; English")
    explicitness: float | None = Field(description="explicit words a hundred words; English")
    repetition: float | None
    rhyme_density: float | None
    vocabulary_richness: float | None
    vector: list[float] | None = None


class AnalyzeResponse(BaseModel):
    """Answers, in the order of the texts, and the models that gave them."""

    results: list[AnalyzedText]
    models: dict[str, str] = Field(examples=[{"sentiment_model": "sentiment_model:3"}])
    note: str | None = None


class SoundKey(BaseModel):
    """The key of a sound."""

    tonic: str = Field(examples=["F#"])
    mode: str = Field(examples=["minor"])
    confidence: float


class SoundPeak(BaseModel):
    """A frequency that sticks out."""

    hertz: float
    decibels: float = Field(description="the strongest frequency of the sound being 0")
    note: str = Field(examples=["A4"])


class SoundClasses(BaseModel):
    """Genre, mood and instruments; null where the model was not taught."""

    genre: str | None = Field(description="`unknown` if the sound is unlike everything that was learned from")
    genres: dict[str, float] | None = Field(description="probability of each", examples=[{"jazz": 0.8}])
    mood: str | None
    moods: dict[str, float] | None
    valence: float | None = Field(description="0 (sad) to 1 (happy)")
    arousal: float | None = Field(description="0 (calm) to 1 (wild)")
    instruments: dict[str, float] | None = Field(description="probability that each is heard")
    distance: float = Field(description="from what was learned from; about 1 for that itself")
    unknown: bool


class AudioResponse(BaseModel):
    """What a sound is like."""

    seconds: float
    rate: int = Field(description="samples a second")
    channels: int
    marks: list[str] = Field(description="what is wrong with it", examples=[["clipped"]])
    measures: dict[str, float | None] = Field(examples=[{"loudness": -14.2, "peak": -1.0}])
    tempo: float | None = Field(description="beats a minute")
    tempo_confidence: float
    meter: int = Field(description="beats of a bar; 0 for unknown")
    beats: list[float] = Field(description="seconds")
    downbeats: list[float] = Field(description="seconds")
    key: SoundKey | None
    octaves: dict[str, float] = Field(description="centre in Hz → decibels of all power")
    deviations: dict[str, float] | None = Field(description="of the octaves, from those of the catalogue")
    peaks: list[SoundPeak]
    dynamic_range: float = Field(description="decibels")
    classes: SoundClasses | None = Field(description="null without a promoted model, and of silence")
    model: str | None = Field(examples=["audio_classifier:2"])
    note: str | None = None


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "count: Input should be greater than or equal to 1",
                    "next": "see /docs for what a request looks like",
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    next: str


class RecommendationResult(BaseModel):
    """An answer, or why there is none."""

    answer: RecommendationResponse | None = None
    problem: Problem | None = None


class RecommendationResults(BaseModel):
    """In the order of the requests."""

    results: list[RecommendationResult]


class ForecastBatch(BaseModel):
    """Several forecasts."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"requests": [{"entity": "track", "id": "t000042"}]}]}
    )

    requests: list[ForecastRequest] = Field(min_length=1, max_length=MOST_TOGETHER)


class ForecastResult(BaseModel):
    """A forecast, or why there is none."""

    answer: ForecastResponse | None = None
    problem: Problem | None = None


class ForecastResults(BaseModel):
    """In the order of the requests."""

    results: list[ForecastResult]
