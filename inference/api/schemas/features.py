"""Schemas of requests and responses for features and predictions by entity keys."""

import sys
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StringConstraints

from feature_repo.errors import InputError
from feature_repo.manifest import Service
from feature_repo.on_demand import MOMENT
from inference.api.schemas.common import Identifier, RequestContext

MOST_ROWS = 1_000
"""Maximum number of rows in one lookup."""
MOMENTS = (-62_135_596_800, 253_402_300_799)
"""Seconds since 1970 of the years 1 to 9999."""


KeyValue = Annotated[str, StringConstraints(strict=True, max_length=256)] | StrictInt | StrictFloat | StrictBool | None
"""A key, converted to the entity's type by ``feature_repo.keys``. Null finds no row; an empty text is a valid key."""


RequestValue = Annotated[str, StringConstraints(strict=True, max_length=256)] | StrictInt | StrictFloat | None
"""A value of a request field; null for a missing one."""


class FeaturesRequest(BaseModel):
    """The entity keys of some rows of a feature service, and the context of the request."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"keys": {"user_id": ["u000042"]}, "context": {}}]}
    )

    keys: dict[Identifier, Annotated[list[KeyValue], Field(min_length=1)]] = Field(
        min_length=1,
        max_length=16,
        description="join key → n values, or one that counts for all rows; null finds no row",
    )
    request: dict[Identifier, RequestValue | Annotated[list[RequestValue], Field(min_length=1)]] = Field(
        default={},
        max_length=32,
        description="request field of an on-demand function → a value, or n values, one for each row",
    )
    context: RequestContext = RequestContext()

    def request_for(self, service: Service) -> dict[str, Any]:
        """The request fields for a service, those of the context included.

        Raises:
            InputError: the service has no such join key or request field, or a value does not fit its type.
        """
        fields = {*service.request_fields, "device", "context", "request_timestamp"}
        for given, names, kind in ((self.keys, service.join_keys, "join key"), (self.request, fields, "request field")):
            unknown = sorted(set(given) - set(names))
            if unknown:
                hint = "; it is a request field" if unknown[0] in fields and kind == "join key" else ""
                raise InputError(
                    expected=f"a {kind} of {service.name}, one of {sorted(names)}",
                    found=f"{unknown[0]!r}{hint}",
                    next_command="see /docs",
                )
        rows = max(len(values) for values in self.keys.values())
        for name, value in self.request.items():
            dtype = "UnixTimestamp" if name == MOMENT else service.request_fields.get(name, "String")
            _check_field(name, value, dtype, rows)
        return {**self.request, **self.context.request()}


def _check_field(name: str, value: Any, dtype: str, rows: int) -> None:
    """Check that a request field has values of its type: one, or one for each row.

    Raises:
        InputError: it has others.
    """
    values = value if isinstance(value, list) else [value]
    if len(values) not in (1, rows):
        raise InputError(expected=f"1 or {rows} values of {name}", found=f"{len(values)}", next_command="see /docs")
    low, high = MOMENTS if dtype == "UnixTimestamp" else (-sys.float_info.max, sys.float_info.max)
    for one in values:
        is_text = isinstance(one, str)
        if one is None:
            continue
        if is_text != (dtype == "String") or (not is_text and (one < low or one > high)):  # NaN is missing
            expected = "texts" if dtype == "String" else f"numbers from {low:g} to {high:g}"
            raise InputError(
                expected=f"{expected} in the request field {name!r}", found=repr(one)[:80], next_command="see /docs"
            )


class FeaturesResponse(BaseModel):
    """Features by name, one value per row; null where a value is missing."""

    service: str
    fingerprint: str
    rows: int
    values: dict[str, list[Any]] = Field(examples=[{"user_listening__plays_7d": [12]}])
    denied: list[int] = Field(
        default_factory=list,
        description="rows of people who have not consented to the purpose of the service: no value of them is here",
    )
    withheld: list[int] = Field(
        default_factory=list,
        description="rows that the role of the caller does not see, whether there is anything of them or not",
    )
    hidden: dict[str, str] = Field(
        default_factory=dict,
        description="features that the role of the caller does not see: `refused`, which are left out, or how masked",
    )


class PredictionsResponse(BaseModel):
    """The predictions of a tabular model, one value per row."""

    model: str = Field(examples=["churn_model:3"])
    kind: Literal["binary", "number"] = Field(description="`binary` for probabilities, `number` for numbers")
    values: list[float]
    known: list[bool] = Field(
        description="false where no stored feature of the row has a value; those of the moment do not count"
    )
