"""What became of events that were sent."""

import msgspec


class RefusedEvent(msgspec.Struct, frozen=True):
    """An event that was refused: its index in the request, from 0, and the reason."""

    place: int
    reason: str


class SentEvents(msgspec.Struct, frozen=True):
    """The outcome of sending events.

    Attributes:
        accepted: number of events that were appended to the stream.
        refused: the events that were not.
    """

    accepted: int
    refused: list[RefusedEvent]
