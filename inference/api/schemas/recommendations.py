"""Schemas of requests and responses for recommendations."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.api.schemas.common import MOST_TOGETHER, Identifier, Problem, RequestContext
from inference.recommend.request import Strategy


class RecommendationRequest(BaseModel):
    """The listener, the number of tracks and options."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user_id": "u000042", "count": 10, "context": {"device": "phone"}}]},
    )

    user_id: Identifier
    count: int = Field(10, ge=1, le=500, strict=True)
    context: RequestContext = RequestContext()
    exclude_tracks: list[Identifier] = Field(default_factory=list, max_length=1_000)
    exclude_artists: list[Identifier] = Field(default_factory=list, max_length=1_000)
    explicit: bool = Field(default=True, strict=True, description="whether explicit tracks are allowed")
    country: Identifier | None = Field(
        default=None, examples=["SE"], description="current country of the listener; that of the profile if left out"
    )
    pick_tracks: list[Identifier] = Field(
        default_factory=list, max_length=100, description="tracks that a new listener says they like"
    )
    pick_artists: list[Identifier] = Field(default_factory=list, max_length=100)
    pick_genres: list[Identifier] = Field(default_factory=list, max_length=100, examples=[["jazz"]])
    strategy: Strategy | None = Field(
        default=None,
        examples=["again"],
        description="which of the models answers: `again` with tracks to hear again, `forgotten` with favourites of "
        "long ago, the others with tracks not heard before; chosen by what is known of the listener if left out",
    )
    most_by_artist: int | None = Field(
        default=None,
        ge=1,
        le=500,
        strict=True,
        description="maximum number of tracks by one artist; a third of the list if left out",
    )
    diversify: Literal["mmr", "calibrated"] | None = Field(
        default=None,
        description="`mmr` for dissimilar tracks, `calibrated` for the genre shares of the listener's plays",
    )
    diversity: float = Field(0.3, ge=0, le=1, strict=True, description="weight of diversity beside the score")
    explore: float = Field(
        0.0, ge=0, le=1, strict=True, description="share of the slots that explore little-known tracks"
    )


class RecommendedTrack(BaseModel):
    """One recommended track with the reason."""

    track_id: str
    title: str
    artist_id: str | None
    artist_name: str | None
    score: float | None = Field(description="comparable within one answer only; null if ordered by popularity alone")
    source: str = Field(examples=["taste", "similar", "follows", "content", "popular", "fresh"])
    reason: str = Field(examples=["you played Kalomi 12 times in the last 28 days"])
    propensity: float = Field(description="probability that this slot shows this track, given the slots before it")
    explored: bool = Field(description="whether exploration chose the track")


class RecommendationResponse(BaseModel):
    """The recommendations for one listener, and the model that made them."""

    user_id: str
    known: bool = Field(description="false if nothing that this listener heard is known")
    model: str = Field(examples=["recommendation:3"])
    strategy: str = Field(examples=["real_time", "hybrid", "cold_start"])
    features: dict[str, str] = Field(description="feature service → fingerprint, for the services that were read")
    answer_id: str = Field(description="identifier of the answer in the impression log")
    items: list[RecommendedTrack]
    note: str | None = Field(default=None, description="reasons why the answer is worse than it could be")
    consented: bool = Field(
        default=True,
        description="false if the listener has not consented to personalisation: nothing of them was looked up",
    )
    experiments: dict[str, str] = Field(
        default_factory=dict, description="experiment → arm, for the experiments that the listener takes part in"
    )


class RecommendationBatch(BaseModel):
    """A batch of recommendation requests."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"requests": [{"user_id": "u000042", "count": 5}]}]}
    )

    requests: list[RecommendationRequest] = Field(min_length=1, max_length=MOST_TOGETHER)


class RecommendationResult(BaseModel):
    """The recommendations for one listener, or the problem of the request."""

    answer: RecommendationResponse | None = None
    problem: Problem | None = None


class RecommendationResults(BaseModel):
    """Results in the order of the requests."""

    results: list[RecommendationResult]
