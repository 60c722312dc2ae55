"""The store that tests of a folder share."""

from datetime import timedelta

import pytest
from feast import FeatureStore
from feast import types as t

from feature_repo.home import Home
from tests.feature_repo.online.stores import NOW, USER, open_store, plays, view


@pytest.fixture
def store(home: Home) -> FeatureStore:
    """A store with one view of three users, materialized."""
    store = open_store(home)
    store.apply([USER, view(home, "plays", plays([("a", 1, NOW), ("b", 2, NOW), ("c", 3, NOW)]), {"n": t.Int64})])
    store.materialize(NOW - timedelta(days=1), NOW)
    return store
