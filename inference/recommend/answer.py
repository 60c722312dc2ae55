"""What a listener gets."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recommendation:
    """One recommended track.

    Attributes:
        score: of the model; comparable within one answer only. None where popularity alone answered.
        source: what found it, one of ``transforms.pure.candidates.pool.SOURCES``, or ``history``.
        reason: why, in words.
        propensity: chance that this slot would show it, given those before.
        explored: whether it is shown to be learned of.
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
    """What one listener gets.

    Attributes:
        user_id: who asked.
        known: whether anything that they heard is known.
        model: name and version of the model.
        items: best first.
        note: what kept the answer from being as good as it might; None if nothing did.
        strategy: which of the five models answered.
        features: feature service → fingerprint, of those that were read.
        answer_id: by which the log of impressions knows it.
        at: seconds since 1970 UTC.
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
