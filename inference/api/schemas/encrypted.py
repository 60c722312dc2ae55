"""Schemas of requests and responses for scores of encrypted vectors."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints

from inference.api.schemas.common import Identifier

MAX_TRACKS = 5_000
"""Maximum number of tracks that a request names; without names the whole catalogue is scored."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ContextResponse(BaseModel):
    """The name of a context that was kept, and for how long."""

    context: Digest = Field(description="SHA-256 of the bytes that were sent; `context` of questions")
    expires_s: float = Field(description="seconds until it is forgotten")


class EncryptedModel(BaseModel):
    """A model that answers about encrypted vectors."""

    model: str = Field(examples=["recommendation"])
    kind: Literal["tracks", "binary", "number"] = Field(
        description="scores of tracks, the log-odds of a chance, or a number"
    )
    dimensions: int = Field(description="length of the vector")
    fit: int | None = Field(description="what vectors of listeners were learned with, or the centers and units of rows")
    inputs: list[str] = Field(description="columns of a row: (values - centers) / units, missing (0 or 1), and a 1")
    centers: list[float] = Field(description="what is taken away from the values of each column")
    units: list[float] = Field(description="what the rest is divided by")


class EncryptedModelsResponse(BaseModel):
    """The models that answer about encrypted vectors, and the parameters of the encryption."""

    degree: int
    modulus_bits: list[int]
    models: list[EncryptedModel]


class EncryptedRequest(BaseModel):
    """An encrypted vector, and the model that it is multiplied by."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": "recommendation", "context": "0" * 64, "vector": "CgEB"}]},
    )

    model: Identifier = Field(description="name of a model of `GET /v1/encrypted/models`")
    context: Digest = Field(description="the context by which it is encrypted")
    vector: Base64Bytes = Field(min_length=1, description="the encrypted vector, as TenSEAL writes it")
    tracks: list[Identifier] | None = Field(
        default=None, min_length=1, max_length=MAX_TRACKS, description="tracks to score; all if left out"
    )
    fit: int | None = Field(
        default=None, strict=True, description="the fit that the vector is of; checked if given, needed for rows"
    )


class EncryptedResponse(BaseModel):
    """Encrypted scores."""

    model: str = Field(examples=["recommendation:3"])
    kind: Literal["tracks", "binary", "number"]
    ids: list[str] = Field(description="what each score is of, in the order of the scores")
    norm: float = Field(description="what decrypted scores are multiplied by")
    scores: list[str] = Field(description="encrypted scores in base64, 2,047 in each text, after a check value")
