"""Types of what the methods of the client take. A field that is left out has the service's default."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Required, TypedDict

Key = str | int | float | bool | datetime | None
"""The value of a join key; None finds no row."""
Keys = Mapping[str, Iterable[Key] | Key]
"""Join key → values of n rows: a list, an array of numpy, a column of pandas or polars; one value counts for all."""

Target = Literal["streams", "chart", "activity", "load"]
ForecastEntity = Literal["track", "artist", "genre", "platform", "user"]
Detector = Literal["system", "performance", "user_behavior", "security", "audio_quality"]


class Context(TypedDict, total=False):
    """Device, context and moment of a request.

    ``at`` is UTC without an offset, and now if it is left out.

    >>> Context(device="phone", context="playlist")
    {'device': 'phone', 'context': 'playlist'}
    """

    device: str
    context: str
    at: datetime


class RecommendationOptions(TypedDict, total=False):
    """Options of a recommendation, as in ``POST /v1/recommendations``.

    An experiment may set an option that is left out; it never changes one that is given.

    - ``count``: number of tracks, 1 to 500; 10 if left out.
    - ``context``: device, context and moment.
    - ``exclude_tracks``, ``exclude_artists``: identifiers to leave out.
    - ``explicit``: whether explicit tracks are allowed.
    - ``country``: current country of the listener; that of the profile if left out.
    - ``pick_tracks``, ``pick_artists``, ``pick_genres``: what a new listener says they like.
    - ``strategy``: which of the models answers, such as ``again`` with tracks to hear again; chosen by what is known of
      the listener if left out.
    - ``most_by_artist``: maximum number of tracks by one artist.
    - ``diversify``: ``mmr`` for dissimilar tracks, ``calibrated`` for the genre shares of the listener's plays.
    - ``diversity``: weight of diversity beside the score, 0 to 1.
    - ``long_tail``: bonus of tracks outside the most popular fifth, beside gains from 0 to 1; 0 for none.
    - ``long_tail_loss``: largest share of its gain that the list may lose to that bonus.
    - ``explore``: share of the slots that explore little-known tracks, 0 to 1.
    - ``explain``: whether to say without what the first track would not have come first.

    >>> RecommendationOptions(count=5, pick_genres=["jazz"])
    {'count': 5, 'pick_genres': ['jazz']}
    """

    count: int
    context: Context
    exclude_tracks: Sequence[str]
    exclude_artists: Sequence[str]
    explicit: bool
    country: str
    pick_tracks: Sequence[str]
    pick_artists: Sequence[str]
    pick_genres: Sequence[str]
    strategy: Literal["collaborative", "content", "hybrid", "real_time", "cold_start", "again", "forgotten"]
    most_by_artist: int
    diversify: Literal["mmr", "calibrated"]
    diversity: float
    long_tail: float
    long_tail_loss: float
    explore: float
    explain: bool


class RecommendationRequest(RecommendationOptions, total=False):
    """One request of a batch: a listener, and the options of ``RecommendationOptions``.

    >>> RecommendationRequest(user_id="u000042", count=5)
    {'user_id': 'u000042', 'count': 5}
    """

    user_id: Required[str]


class ForecastRequest(TypedDict, total=False):
    """One request of a batch of forecasts.

    >>> ForecastRequest(entity="track", id="t000042", horizon=7)
    {'entity': 'track', 'id': 't000042', 'horizon': 7}
    """

    entity: Required[ForecastEntity]
    id: Required[str]
    target: Target
    horizon: int


class Observation(TypedDict, total=False):
    """The observation of one entity at one moment; without ``values``, the features online are used.

    >>> Observation(entity="host-01", at=datetime(2026, 1, 20, 10), values={"cpu_permille": 310})["entity"]
    'host-01'
    """

    entity: Required[str]
    at: Required[datetime]
    values: Mapping[str, float | None]


class Act(TypedDict, total=False):
    """One act of a listener; ``at`` (with an offset) is now if it is left out.

    ``answer_id`` of the recommendation that the act is about lets experiments learn from it.

    >>> Act(user_id="u000042", action="like", track_id="t000007")["action"]
    'like'
    """

    user_id: Required[str]
    action: Required[
        Literal["click", "like", "dislike", "hide", "rate", "subscribe", "cancel", "purchase", "unlike", "undislike"]
    ]
    track_id: str
    answer_id: str
    rating: int
    amount_cents: int
    at: datetime


Event = Mapping[str, Any]
"""One event: ``event_timestamp`` and the columns of its kind."""
