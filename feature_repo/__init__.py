"""The feature contract: definitions of features, where they are stored, and which model uses them.

- Takes: declarations of windowed tables, views, on-demand functions, entities and services.
- Returns: a Feast repository with an offline store (point-in-time joins over Parquet) and an online store (packed
  values in Redis), and a manifest for processes without Feast.
- Promises: one definition gives the same value in a training set, a backfill, the stream and a lookup. Imports no
  other package of Refrain. Of it, ``home``, ``errors``, ``manifest``, ``on_demand``, ``packed`` and
  ``stores.redis_server`` import no Feast.
"""

from feature_repo import feast_import

feast_import.prepare()
