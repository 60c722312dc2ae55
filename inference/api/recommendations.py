"""``POST /v1/recommendations``, for one listener or many."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry, Counter, Gauge

from feature_repo.bundle import name_and_version
from feature_repo.errors import RefrainError
from feature_repo.home import Home
from inference.api import errors
from inference.api.access import charge
from inference.api.schemas.recommendations import (
    RecommendationBatch,
    RecommendationRequest,
    RecommendationResponse,
    RecommendationResult,
    RecommendationResults,
)
from inference.experiments.running import Assigned, Running
from inference.monitoring.predictions import PredictionLog
from inference.recommend.answer import Answer
from inference.recommend.controller import Controller
from inference.recommend.engine import RecommendationEngine
from inference.swap import Live

T = TypeVar("T")
R = TypeVar("R")
FAILED = 30.0
"""Seconds after which a version that an arm names, and that could not be loaded, is tried again."""


class Recommending:
    """The engine of one application, which follows promotions, and those that experiments name. Loaded at once.

    Args:
        model: the recommender: a name for its champion, ``recommendation:3`` for one that never changes.
        home: the data folder.
        running: the experiments.
        controller: of what an answer may cost.
        log: of answers.

    Raises:
        BundleError: the model cannot be served.
        StoreError: the manifest is missing or damaged.
    """

    def __init__(self, model: str, home: Home, running: Running, controller: Controller, log: PredictionLog) -> None:
        self._home, self._running, self._controller, self._log = home, running, controller, log
        self.live = self._engine(model)
        self.live.get()
        self._turns = CapacityLimiter(controller.turns)
        self._named: dict[str, Live[RecommendationEngine]] = {}
        self._failed: dict[str, float] = {}

    def recommend(self, body: RecommendationRequest) -> tuple[Answer, list[Assigned]]:
        """Answer one listener, as the arms that they are in would have it where they said nothing themselves."""
        started, began = time.perf_counter(), time.thread_time()
        wishes = body.model_dump(exclude={"user_id", "context", "count"})
        assigned = self._running.assign(body.user_id)
        engine, taken = self.live.get(), []
        for one in assigned:
            version = str(one.settings.get("model", ""))
            if name_and_version(version)[1]:
                named = self._version(version)
                if named is None:  # whoever should see it sees what everybody sees, uncounted
                    continue
                engine = named
            wishes |= {name: told for name, told in one.settings.items() if _free(body, name)}
            taken.append(one)
        budget = self._controller.budget
        answer = engine.recommend(body.user_id, body.context.request(), count=body.count, budget=budget, **wishes)
        if taken:
            self._running.exposed(body.user_id, taken, answer.answer_id, answer.at)
        first = answer.items[0] if answer.items else None
        self._log.put(
            "recommendations",
            answer.model,
            strategy=answer.strategy,
            known=answer.known,
            items=len(answer.items),
            score=first.score if first else None,
            source=first.source if first else None,
            explored=sum(item.explored for item in answer.items),
            milliseconds=round((time.perf_counter() - started) * 1e3, 3),
        )
        self._controller.worked(time.perf_counter() - started, time.thread_time() - began)
        return answer, taken

    async def in_turn(self, work: Callable[[T], R], told: T) -> R:
        """Do it in a thread, when it is its turn; of the event loop alone."""
        if self._turns.total_tokens != self._controller.turns:
            self._turns.total_tokens = self._controller.turns
        return await to_thread.run_sync(work, told, limiter=self._turns)

    def _engine(self, model: str) -> Live[RecommendationEngine]:
        load = partial(RecommendationEngine.load, model, self._home)
        return Live(load, [model], self._home, try_out=RecommendationEngine.try_out)

    def _version(self, model: str) -> RecommendationEngine | None:
        """The engine of a version; None for one that cannot be loaded."""
        if time.monotonic() - self._failed.get(model, -FAILED) < FAILED:
            return None
        if model not in self._named:
            self._named.setdefault(model, self._engine(model))
        try:
            return self._named[model].get()
        except RefrainError:
            self._failed[model] = time.monotonic()
            return None


def _free(body: RecommendationRequest, name: str) -> bool:
    """Whether an arm may choose: it is a wish, and the caller did not say."""
    return name != "model" and name not in body.model_fields_set


def install(app: FastAPI, recommending: Recommending, controller: Controller, registry: CollectorRegistry) -> None:
    """Add the routes."""
    labels = ["model", "strategy"]
    answers = Counter("refrain_recommendations", "Answers by model and strategy", labels, registry=registry)
    level = Gauge(
        "refrain_level", "How much is left out to be in time, 0 for nothing", registry=registry, multiprocess_mode="max"
    )
    slowest = Gauge(
        "refrain_p99_seconds", "Of recommendations, in the last second", registry=registry, multiprocess_mode="max"
    )
    shed = Counter("refrain_shed", "Answers at a level above 0", ["level"], registry=registry)

    def answered(body: RecommendationRequest) -> RecommendationResponse:
        now = controller.level
        answer, taken = recommending.recommend(body)
        answers.labels(answer.model, answer.strategy).inc()
        level.set(now)
        slowest.set(controller.p99)
        if now:
            shed.labels(now).inc()
        told: Mapping[str, Any] = {**asdict(answer), "experiments": {one.experiment: one.variant for one in taken}}
        return RecommendationResponse.model_validate(told)

    @app.post("/v1/recommendations", responses=errors.RESPONSES, tags=["recommendation"])
    async def recommendations(body: RecommendationRequest) -> RecommendationResponse:
        """The best tracks that a listener has not heard, each with a reason.

        Their last plays count at once; a stranger gets what people like them play, or what goes with what they pick.
        ``experiments`` says which arms the listener is in; what the request says itself, no arm changes.
        """
        return await recommending.in_turn(answered, body)

    @app.post("/v1/recommendations/batch", responses=errors.RESPONSES, tags=["recommendation"])
    async def batch(request: Request, body: RecommendationBatch) -> RecommendationResults:
        """The same for up to 100 listeners; each gets an answer or a problem of their own, and counts as a request."""
        charge(request, len(body.requests) - 1)
        return RecommendationResults(results=[await recommending.in_turn(_one, one) for one in body.requests])

    def _one(body: RecommendationRequest) -> RecommendationResult:
        try:
            return RecommendationResult(answer=answered(body))
        except RefrainError as error:
            return RecommendationResult(problem=errors.told(error))
