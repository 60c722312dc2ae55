"""The online lookup: values of a feature service for entity keys, in one round trip to Redis.

The lookup reads the manifest compiled by ``feature_repo`` and packed values (``feature_repo.packed``); it imports
neither Feast nor pandas nor protobuf. It returns the same values as ``store.get_online_features``; a parity test checks
this.

``lookup`` runs the lookup; ``plan`` is derived from the manifest once, ``entities`` finds distinct entities, ``rows``
is the result, and ``matrix`` plans feature matrices.
"""

from inference.features.lookup import OnlineFeatures
from inference.features.rows import OnlineRows

__all__ = ["OnlineFeatures", "OnlineRows"]
