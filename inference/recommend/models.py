"""The five recommenders by name: one bundle, one pipeline, each with its own sources and order.

>>> from inference import HybridRecommendationModel                               # doctest: +SKIP
>>> HybridRecommendationModel.load("recommendation").recommend("u000042")         # doctest: +SKIP
"""

from inference.recommend.engine import RecommendationEngine


class CollaborativeFilteringModel(RecommendationEngine):
    """What people with the same taste play: nearest vectors, and what is played together, blended."""

    STRATEGY = "collaborative"


class ContentBasedModel(RecommendationEngine):
    """What is described like the listener's tracks: artist, genres, tags, texts."""

    STRATEGY = "content"


class HybridRecommendationModel(RecommendationEngine):
    """Taste, content, popularity and affinity, ordered by LambdaRank on point-in-time features."""

    STRATEGY = "hybrid"


class RealTimeRecommendationModel(RecommendationEngine):
    """All of that and what goes on in this session, ordered by LambdaRank within sessions.

    The last plays count as soon as the stream has pushed them; nothing is trained anew.
    """

    STRATEGY = "real_time"


class ColdStartModel(RecommendationEngine):
    """Somebody of whom nothing is known: by their picks, or by what people like them play."""

    STRATEGY = "cold_start"


OF_STRATEGY: dict[str, type[RecommendationEngine]] = {
    "": RecommendationEngine,
    **{
        str(model.STRATEGY): model
        for model in (
            CollaborativeFilteringModel,
            ContentBasedModel,
            HybridRecommendationModel,
            RealTimeRecommendationModel,
            ColdStartModel,
        )
    },
}
"""Strategy → class; the engine that chooses by itself has none."""
