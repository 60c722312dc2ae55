"""Feast's types by the names that declarations, manifests and packed schemas use."""

from feast import types as feast_types
from feast.types import Array, FeastType


def feast_type(name: str) -> FeastType:
    """The type of a name such as ``Int64`` or ``Array(String)``."""
    if name.startswith("Array("):
        return Array(getattr(feast_types, name[6:-1]))
    return getattr(feast_types, name)
