"""The answer to a recommendation request."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recommendation:
    """One recommended track.

    Attributes:
        score: score by the model, comparable within one answer only; None if ordered by popularity alone.
        source: candidate source, one of ``transforms.pure.candidates.pool.SOURCES``, or ``history``.
        reason: reason for the recommendation, as text.
        propensity: probability that this slot shows this track, given the slots before it.
        explored: whether exploration chose this track.
    """

    track_id: str
    title: str
    artist_id: str | None
    artist_name: str | None
    score: float | None
    source: str
    reason: str
    propensity: float = 1.0
    explored: bool = False


@dataclass(frozen=True)
class Answer:
    """The recommendations for one listener.

    Attributes:
        user_id: identifier of the listener.
        known: whether a taste vector or a history of the listener is known.
        model: name and version of the model.
        items: recommended tracks, best first.
        note: reasons why the answer is worse than it could be; None if there are none.
        strategy: which of the models answered.
        features: feature service → fingerprint, for the services that were read.
        answer_id: identifier of the answer in the impression log.
        at: time of the request, in seconds since 1970 UTC.
        consented: false if the listener has not consented to the purpose of recommendations, so that nothing personal
            was looked up.
    """

    user_id: str
    known: bool
    model: str
    items: list[Recommendation]
    note: str | None
    strategy: str = ""
    features: dict[str, str] | None = None
    answer_id: str = ""
    at: float = 0.0
    consented: bool = True
