"""The queries at one cutoff, and the knowledge to answer them."""

from dataclasses import dataclass

from training.models.recommendation.candidates import Query
from training.models.recommendation.knowledge import Knowledge


@dataclass(frozen=True)
class Moment:
    """One cutoff with its knowledge and queries.

    Attributes:
        knowledge: vectors, neighbours and popularity at the cutoff.
        queries: one query at the cutoff for each listener.
        session_queries: queries within sessions between this cutoff and the next.
    """

    knowledge: Knowledge
    queries: list[Query]
    session_queries: list[Query]
