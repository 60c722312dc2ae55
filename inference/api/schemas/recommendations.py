"""Recommendations: what comes in and what goes out."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.api.schemas.common import MOST_TOGETHER, Identifier, Problem, RequestContext


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


class RecommendationResult(BaseModel):
    """An answer, or why there is none."""

    answer: RecommendationResponse | None = None
    problem: Problem | None = None


class RecommendationResults(BaseModel):
    """In the order of the requests."""

    results: list[RecommendationResult]
