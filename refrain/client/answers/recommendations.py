"""Recommended tracks, and why they are."""

import msgspec


class RecommendedTrack(msgspec.Struct, frozen=True):
    """One recommended track.

    Attributes:
        score: comparable within one answer only; None if ordered by popularity alone.
        source: candidate source, such as ``taste`` or ``popular``.
        reason: reason for the recommendation, as text.
        propensity: probability that this slot shows this track, given the slots before it.
        explored: whether exploration chose the track.
    """

    track_id: str
    title: str
    artist_id: str | None
    artist_name: str | None
    score: float | None
    source: str
    reason: str
    propensity: float
    explored: bool


class Counterfactual(msgspec.Struct, frozen=True):
    """Without what the first track would not have come first.

    Attributes:
        without_tracks: few of the last plays, or picks; empty if none were found.
        track_instead: the track that comes first without them.
        without_parts: the fewest parts of the score; empty if there are none.
        track_instead_of_parts: the track that comes first without these parts.
        text: both in words.
    """

    track_id: str
    without_tracks: list[str]
    track_instead: str | None
    without_parts: list[str]
    track_instead_of_parts: str | None
    text: str


class Recommendations(msgspec.Struct, frozen=True):
    """The recommendations for one listener.

    Attributes:
        known: false if nothing that this listener heard is known.
        model: name and version of the model.
        strategy: which of the recommenders answered.
        features: feature service → fingerprint, for the services that were read.
        answer_id: identifier of the answer, to be sent with feedback.
        items: recommended tracks, best first.
        note: reasons why the answer is worse than it could be; None if there are none.
        consented: false if the listener has not consented to personalisation, so that nothing of them was looked up.
        experiments: experiment → arm, for the experiments that the listener takes part in.
        counterfactual: without what the first track would not have come first; None unless it was asked for.
    """

    user_id: str
    known: bool
    model: str
    strategy: str
    features: dict[str, str]
    answer_id: str
    items: list[RecommendedTrack]
    note: str | None = None
    consented: bool = True
    experiments: dict[str, str] = {}
    counterfactual: Counterfactual | None = None
