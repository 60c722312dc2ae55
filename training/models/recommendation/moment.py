"""What is asked at one cutoff."""

from dataclasses import dataclass

from training.models.recommendation.candidates import Query
from training.models.recommendation.knowledge import Knowledge


@dataclass(frozen=True)
class Moment:
    """Everything about one cutoff.

    Attributes:
        known: at the cutoff.
        asked: queries at the cutoff.
        sessions: queries within sessions until the next.
    """

    known: Knowledge
    asked: list[Query]
    sessions: list[Query]
