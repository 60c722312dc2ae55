"""Features and predictions by rows of keys: what comes in and what goes out."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StringConstraints

from inference.api.schemas.common import Identifier, RequestContext

MOST_ROWS = 1_000
"""Of one lookup."""


KeyValue = Annotated[str, StringConstraints(strict=True, max_length=256)] | StrictInt | StrictFloat | StrictBool | None
"""What ``feature_repo.keys`` converts to the entity's type, or refuses; null finds nothing, an empty text is a key."""


class FeaturesRequest(BaseModel):
    """Which rows of a feature service, and when and where they are asked for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"keys": {"user_id": ["u000042"]}, "context": {}}]}
    )

    keys: dict[Identifier, Annotated[list[KeyValue], Field(min_length=1)]] = Field(
        min_length=1,
        max_length=16,
        description="join key → n values, or one that counts for all rows; null finds nothing",
    )
    context: RequestContext = RequestContext()


class FeaturesResponse(BaseModel):
    """Features by name, a value a row; null where nothing is known."""

    service: str
    fingerprint: str
    rows: int
    values: dict[str, list[Any]] = Field(examples=[{"user_listening__plays_7d": [12]}])


class PredictionsResponse(BaseModel):
    """What a model of rows says, a value a row."""

    model: str = Field(examples=["churn_model:3"])
    kind: Literal["binary", "number"] = Field(description="chances of yes, or numbers")
    values: list[float]
    known: list[bool] = Field(description="false where nothing at all was known of the row")
