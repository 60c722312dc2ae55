"""Looks up Feast types by the names used in declarations, manifests and packed schemas."""

from feast import types as feast_types
from feast.types import Array, FeastType


def feast_type(name: str) -> FeastType:
    """Returns the Feast type with a name such as ``Int64`` or ``Array(String)``."""
    if name.startswith("Array("):
        return Array(getattr(feast_types, name[6:-1]))
    return getattr(feast_types, name)
