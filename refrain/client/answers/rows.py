"""Answers about rows of a feature service: features, and predictions of a model of rows."""

from typing import Any, Literal

import msgspec


class Features(msgspec.Struct, frozen=True):
    """Features of n rows.

    Attributes:
        service: name of the feature service.
        fingerprint: fingerprint of its definition.
        rows: number of rows, n.
        values: ``view__feature`` → n values, None where one is missing; times as texts in ISO 8601.
        denied: rows of people who have not consented to the purpose of the service, of whom no value is here.
        withheld: rows that the role of the caller does not see, whether there is anything of them or not.
        hidden: feature that the role of the caller does not see → ``refused``, or how it is masked.
    """

    service: str
    fingerprint: str
    rows: int
    values: dict[str, list[Any]]
    denied: list[int] = []
    withheld: list[int] = []
    hidden: dict[str, str] = {}


class Predictions(msgspec.Struct, frozen=True):
    """Predictions for n rows.

    Attributes:
        model: name and version of the model.
        kind: ``binary`` for probabilities, ``number`` for numbers.
        values: n probabilities or numbers.
        known: n truths; false where no feature of the row has a value.
    """

    model: str
    kind: Literal["binary", "number"]
    values: list[float]
    known: list[bool]
