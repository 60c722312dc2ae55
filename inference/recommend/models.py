"""The recommenders by name: one bundle and one pipeline, each with its own sources and ranking.

>>> from inference import HybridRecommendationModel                               # doctest: +SKIP
>>> HybridRecommendationModel.load("recommendation").recommend("u000042")         # doctest: +SKIP
"""

from inference.recommend.engine import RecommendationEngine


class CollaborativeFilteringModel(RecommendationEngine):
    """Tracks that people with the same taste play: nearest taste vectors blended with tracks played together.

    >>> CollaborativeFilteringModel.load().recommend("u000042", count=10).items     # doctest: +SKIP
    """

    STRATEGY = "collaborative"


class ContentBasedModel(RecommendationEngine):
    """Tracks whose content is like the listener's tracks: artist, genres, tags, texts.

    >>> ContentBasedModel.load().recommend("u000042", count=10).items               # doctest: +SKIP
    """

    STRATEGY = "content"


class HybridRecommendationModel(RecommendationEngine):
    """Taste, content, popularity and affinity, ordered by LambdaRank on point-in-time features.

    >>> HybridRecommendationModel.load().recommend("u000042", count=10).items       # doctest: +SKIP
    """

    STRATEGY = "hybrid"


class RealTimeRecommendationModel(RecommendationEngine):
    """The sources of the hybrid model and the current session, ordered by LambdaRank within sessions.

    The last plays count as soon as the stream has pushed them, without training again.

    >>> RealTimeRecommendationModel.load().recommend("u000042", count=10).items     # doctest: +SKIP
    """

    STRATEGY = "real_time"


class ColdStartModel(RecommendationEngine):
    """Recommendations for unknown listeners, from their picks or from what similar people play.

    >>> ColdStartModel.load().recommend("somebody new", pick_genres=["jazz"]).items # doctest: +SKIP
    """

    STRATEGY = "cold_start"


class HearAgainModel(RecommendationEngine):
    """Heard tracks that are worth hearing again now, from the listener's own plays.

    >>> HearAgainModel.load().recommend("u000042", count=10).items                  # doctest: +SKIP
    """

    STRATEGY = "again"


class ForgottenFavouritesModel(RecommendationEngine):
    """Tracks that the listener played often, and not for two months.

    >>> ForgottenFavouritesModel.load().recommend("u000042", count=10).items        # doctest: +SKIP
    """

    STRATEGY = "forgotten"


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
            HearAgainModel,
            ForgottenFavouritesModel,
        )
    },
}
"""Strategy → class; the empty name is the engine that chooses a strategy for each request."""
