"""The only online lookup: a feature service's values for entity keys, in one round trip to Redis.

It reads the manifest that ``feature_repo`` compiled and packed values (``feature_repo.packed``); neither Feast,
pandas nor protobuf is imported. It returns what ``store.get_online_features`` returns, which a parity test holds it
to.

``entities`` makes names of keys, ``plan`` is what follows from the manifest, ``matrix`` how columns are gathered,
``rows`` the answer, ``lookup`` the lookup itself.
"""

from inference.features.lookup import OnlineFeatures
from inference.features.rows import OnlineRows

__all__ = ["OnlineFeatures", "OnlineRows"]
