"""``POST /v1/recommendations``."""

from dataclasses import asdict
from functools import partial

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from feature_repo.home import Home
from inference.api import errors
from inference.api.schemas import RecommendationRequest, RecommendationResponse
from inference.recommend.engine import RecommendationEngine
from inference.swap import Live


def engine(model: str, home: Home) -> Live[RecommendationEngine]:
    """The engine of one application, which follows promotions; loaded at once.

    Raises:
        BundleError: the model cannot be served.
        StoreError: the manifest is missing or damaged.
    """
    load = partial(RecommendationEngine.load, model, home)
    live = Live(load, [model], home, try_out=RecommendationEngine.try_out)
    live.get()
    return live


def install(app: FastAPI, live: Live[RecommendationEngine], registry: CollectorRegistry) -> None:
    """Add the route."""
    labels = ["model", "strategy"]
    answers = Counter("refrain_recommendations", "Answers by model and strategy", labels, registry=registry)

    @app.post("/v1/recommendations", responses=errors.RESPONSES, tags=["recommendation"])
    def recommendations(body: RecommendationRequest) -> RecommendationResponse:
        """The best tracks that a listener has not heard, each with a reason.

        Their last plays count at once; a stranger gets what people like them play, or what goes with what they pick.
        """
        wishes = body.model_dump(exclude={"user_id", "context", "count"})
        answer = live.get().recommend(body.user_id, body.context.request(), count=body.count, **wishes)
        answers.labels(answer.model, answer.strategy).inc()
        return RecommendationResponse.model_validate(asdict(answer))
