"""The engine of the small world."""

import pytest

from feature_repo.home import Home
from inference import RecommendationEngine


@pytest.fixture
def engine(in_world: Home) -> RecommendationEngine:
    return RecommendationEngine.load("recommendation", in_world)
