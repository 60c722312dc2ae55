"""How unusual a listener's profile was when models were trained, and whether they learned from it."""

from feast import Field
from feast.types import Float32

from feature_repo.definitions.entities import user
from feature_repo.sources import feature_table

listener_trust = feature_table(
    "listener_trust",
    entities=[user],
    schema=[
        Field(name="weight", dtype=Float32, description="1 if models learn from the listener's plays, else 0"),
        Field(name="score", dtype=Float32, description="largest signal as a share of its limit; above 1 is left out"),
        Field(
            name="copy", dtype=Float32, description="likeness to the most similar account; 0 median, 1 90th percentile"
        ),
        Field(name="crowd", dtype=Float32, description="mean likeness to the five most similar accounts, same scale"),
        Field(name="incoherent", dtype=Float32, description="how little the tracks go together, same scale"),
        Field(name="breadth", dtype=Float32, description="logarithm of distinct tracks, same scale"),
        Field(
            name="burst",
            dtype=Float32,
            description="evidence of accounts that began together for a track, powers of ten",
        ),
    ],
    description="Whether a listener's plays look made up, as of a training's cutoff; nobody is judged by it alone",
)
