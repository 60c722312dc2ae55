"""Schemas of requests and responses for features and predictions by entity keys."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StringConstraints

from inference.api.schemas.common import Identifier, RequestContext

MOST_ROWS = 1_000
"""Maximum number of rows in one lookup."""


KeyValue = Annotated[str, StringConstraints(strict=True, max_length=256)] | StrictInt | StrictFloat | StrictBool | None
"""A key, converted to the entity's type by ``feature_repo.keys``. Null finds no row; an empty text is a valid key."""


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
    context: RequestContext = RequestContext()


class FeaturesResponse(BaseModel):
    """Features by name, one value per row; null where a value is missing."""

    service: str
    fingerprint: str
    rows: int
    values: dict[str, list[Any]] = Field(examples=[{"user_listening__plays_7d": [12]}])


class PredictionsResponse(BaseModel):
    """The predictions of a tabular model, one value per row."""

    model: str = Field(examples=["churn_model:3"])
    kind: Literal["binary", "number"] = Field(description="`binary` for probabilities, `number` for numbers")
    values: list[float]
    known: list[bool] = Field(description="false where no feature of the row has a value")
