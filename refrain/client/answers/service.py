"""The state of the service, and the models that it serves."""

import msgspec

from refrain.client.answers.time import Time


class Health(msgspec.Struct, frozen=True):
    """The health of the service.

    Attributes:
        status: ``ok``.
        model: the recommender; None while none is promoted.
        lost_acts: acts that the process which answered could not write to the audit log.
    """

    status: str
    model: str | None
    lost_acts: int = 0


class Liveness(msgspec.Struct, frozen=True):
    """That the service answers; ``status`` is ``live``."""

    status: str


class Readiness(msgspec.Struct, frozen=True):
    """That all that the routes need is there; ``models`` is model → version of the promoted models."""

    status: str
    models: dict[str, str]


class ServedModel(msgspec.Struct, frozen=True):
    """The models that answer one kind of request.

    Attributes:
        serves: kind of the requests.
        loaded: whether the process that answered has loaded it; each does at its first request.
        versions: model → name and version, as that process has it.
        swapped_at: when that process took the last promotion over.
        refused: why it did not take the newest promotion over; None if it did.
    """

    serves: str
    loaded: bool
    versions: dict[str, str]
    swapped_at: Time | None
    refused: str | None
