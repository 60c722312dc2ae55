"""``POST /v1/recommendations``, for one listener or many."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry, Counter, Gauge
from starlette.exceptions import HTTPException

from feature_repo.access.sight import Sight
from feature_repo.audit_lines import whose
from feature_repo.bundle import is_promoted, name_and_version
from feature_repo.errors import RefrainError
from feature_repo.home import Home
from inference.api import errors
from inference.api.acts import audit_act
from inference.api.costs import charge
from inference.api.permission import Permission, role_field
from inference.api.schemas.recommendations import (
    RecommendationBatch,
    RecommendationRequest,
    RecommendationResponse,
    RecommendationResult,
    RecommendationResults,
)
from inference.api.theft import check_questions
from inference.experiments.running import Assigned, Running
from inference.monitoring.counters import labelled_counter
from inference.monitoring.predictions import PredictionLog
from inference.recommend.answer import Answer
from inference.recommend.controller import LEVELS, Controller, Decision
from inference.recommend.engine import RecommendationEngine
from inference.recommend.hidden_facts import REPEATED
from inference.recommend.known_rights import REFRESH_S, KnownRights
from inference.swap import Live
from inference.ticker import Ticker

T = TypeVar("T")
R = TypeVar("R")
RETRY_AFTER_S = 30.0
"""Seconds before a version of an experiment arm that could not be loaded is tried again."""
TICK_S = 1.0
"""Seconds between two reports of the level, and two attempts to read rights while the online store does not answer."""


class RecommendationService:
    """The recommender of one application, loaded at once, and the fixed versions that experiment arms name.

    While no version is promoted, requests fail and name the next command; the first promotion is taken over.

    Args:
        model: the recommender: a name for its champion, ``recommendation:3`` for one that never changes.
        home: the data folder.
        running: the experiments.
        controller: controller of load shedding.
        log: log of predictions.

    Attributes:
        on_tick: called every ``TICK_S`` seconds, from ``start`` to ``close``.

    Raises:
        BundleError: the model cannot be served.
        StoreError: the manifest is missing or damaged.
    """

    def __init__(self, model: str, home: Home, running: Running, controller: Controller, log: PredictionLog) -> None:
        self._home, self._running, self._controller, self._log = home, running, controller, log
        self.live = self._live_engine(model)
        self._model = model
        if self.is_promoted:
            self.live.get()
        self._rights, self._ended = KnownRights.of(home), threading.Event()
        self._next_refresh = 0.0
        self._ticker = Ticker("recommendations", TICK_S, self._tick)
        self.on_tick: Callable[[], None] = lambda: None
        self._turns = CapacityLimiter(controller.turns)
        self._by_version: dict[str, Live[RecommendationEngine]] = {}
        self._failed_at: dict[str, float] = {}

    @property
    def is_promoted(self) -> bool:
        """Whether there is a version to serve."""
        return is_promoted(self._home, self._model)

    def check(
        self, permission: Permission, request: Request, body: RecommendationRequest
    ) -> tuple[frozenset[str], Sight | None]:
        """Check that the caller may have recommendations to a listener.

        Returns:
            The features that the answer must not repeat, and what the caller sees; None if everything.

        Raises:
            AccessError: no role of the caller has the features of listeners, or sees this one.
        """
        if not permission.has_rules:
            return frozenset(), None
        sight = permission.check(request, self.live.get().listener_lookup, {"user_id": [body.user_id]})
        return permission.unseen(request, self.live.get().listener_lookup.service.name, REPEATED), sight

    def recommend(
        self,
        body: RecommendationRequest,
        decision: Decision | None = None,
        *,
        hidden: frozenset[str] = frozenset(),
    ) -> tuple[Answer, list[Assigned]]:
        """Recommend to one listener with the settings of their experiment arms; fields of the request win over arms.

        Args:
            body: the request.
            decision: what is left out; the controller decides if None.
            hidden: features that the answer must not repeat.
        """
        decision = decision or self._controller.decide()
        started, cpu_started = time.perf_counter(), time.thread_time()
        options = body.model_dump(exclude={"user_id", "context", "count"})
        assignments = self._running.assign(body.user_id)
        engine, applied = self.live.get(), []
        for assignment in assignments:
            version = str(assignment.settings.get("model", ""))
            if name_and_version(version)[1]:
                version_engine = self._engine_of_version(version)
                if version_engine is None:  # the listener gets the default and does not count as exposed
                    continue
                engine = version_engine
            options |= {name: value for name, value in assignment.settings.items() if _arm_may_set(body, name)}
            applied.append(assignment)
        answer = engine.recommend(
            body.user_id, body.context.request(), count=body.count, budget=decision.budget, hidden=hidden, **options
        )
        if applied and answer.consented:
            self._running.exposed(body.user_id, applied, answer.answer_id, answer.at)
        top = answer.items[0] if answer.items else None
        self._log.put(
            "recommendations",
            answer.model,
            strategy=answer.strategy,
            known=answer.known,
            items=len(answer.items),
            score=top.score if top else None,
            source=top.source if top else None,
            explored=sum(item.explored for item in answer.items),
            milliseconds=round((time.perf_counter() - started) * 1e3, 3),
        )
        self._controller.observe_work(time.perf_counter() - started, time.thread_time() - cpu_started, decision)
        return answer, applied

    async def run_in_turn(self, work: Callable[[T], R], argument: T) -> R:
        """Run work in a thread when a turn is free. Call it on the event loop only."""
        if self._turns.total_tokens != self._controller.turns:
            self._turns.total_tokens = self._controller.turns
        return await to_thread.run_sync(work, argument, limiter=self._turns)

    def start(self) -> None:
        """Start the thread that reports the level and reads the rights of all tracks every ``REFRESH_S`` seconds."""
        self._ticker.start()

    def close(self) -> None:
        """End the thread and keep the rights for the next process."""
        self._ended.set()
        self._ticker.close()
        self._rights.save()

    def _tick(self) -> None:
        self.on_tick()
        if time.monotonic() >= self._next_refresh and self._rights.refresh(self._ended.wait):
            self._next_refresh = time.monotonic() + REFRESH_S

    def _live_engine(self, model: str) -> Live[RecommendationEngine]:
        load = partial(RecommendationEngine.load, model, self._home)
        return Live(load, [model], self._home, try_out=RecommendationEngine.try_out)

    def _engine_of_version(self, model: str) -> RecommendationEngine | None:
        """Return the engine of a fixed version; None if it cannot be loaded."""
        if time.monotonic() - self._failed_at.get(model, -RETRY_AFTER_S) < RETRY_AFTER_S:
            return None
        if model not in self._by_version:
            self._by_version.setdefault(model, self._live_engine(model))
        try:
            return self._by_version[model].get()
        except RefrainError:
            self._failed_at[model] = time.monotonic()
            return None


def _arm_may_set(body: RecommendationRequest, name: str) -> bool:
    """Check that an experiment arm may set an option: the caller did not set it."""
    return name != "model" and name not in body.model_fields_set


def install(
    app: FastAPI,
    service: RecommendationService,
    controller: Controller,
    registry: CollectorRegistry,
    permission: Permission,
) -> None:
    """Add the routes."""
    labels = ["model", "strategy"]
    answers = Counter("refrain_recommendations", "Answers by model and strategy", labels, registry=registry)
    about = "Level of load shedding, 0 for none"
    level = Gauge("refrain_level", about, registry=registry, multiprocess_mode="livemax")
    slowest = Gauge(
        "refrain_p99_seconds",
        "p99 response time of recommendations in the last second",
        registry=registry,
        multiprocess_mode="livemax",
    )
    shed = labelled_counter(registry, "refrain_shed", "Answers at a level above 0", "level", range(1, len(LEVELS)))

    def report_level() -> None:
        level.set(controller.level)
        slowest.set(controller.p99)

    service.on_tick = report_level  # a level ends by time, whether anybody asks or not

    def answer_request(request: Request, body: RecommendationRequest) -> RecommendationResponse:
        hidden, sight = service.check(permission, request, body)
        audit_act(request, "recommendation", **role_field(sight), **whose({"user_id": [body.user_id]}))
        decision = controller.decide()
        answer, applied = service.recommend(body, decision, hidden=hidden)
        keys = {"user_id": [body.user_id]}
        check_questions(request, "recommendations", [body.user_id], keys=keys, unknown=int(not answer.known))
        if not answer.consented:
            audit_act(request, "withheld", **whose({"user_id": [body.user_id]}))
        answers.labels(answer.model, answer.strategy).inc()
        report_level()
        if decision.level:
            shed.labels(decision.level).inc()
        arms = {arm.experiment: arm.variant for arm in applied}
        reason = None if answer.counterfactual is None else vars(answer.counterfactual)
        fields = {**vars(answer), "items": [vars(item) for item in answer.items], "experiments": arms}
        fields["counterfactual"] = reason
        return RecommendationResponse.model_validate(fields)

    @app.post("/v1/recommendations", responses=errors.RESPONSES, tags=["recommendation"], operation_id="recommend")
    async def recommendations(request: Request, body: RecommendationRequest) -> RecommendationResponse:
        """Recommends the best tracks that a listener has not heard, each with a reason.

        The last plays count at once. An unknown listener gets what similar people play, or tracks that go with their
        picks. ``experiments`` names the arms that the listener is in; arms never change fields set in the request.
        """
        return await service.run_in_turn(partial(answer_request, request), body)

    @app.post(
        "/v1/recommendations/batch", responses=errors.RESPONSES, tags=["recommendation"], operation_id="recommend_batch"
    )
    async def batch(request: Request, body: RecommendationBatch) -> RecommendationResults:
        """Recommends to up to 100 listeners; each gets an answer or a problem of their own and counts as a request."""
        await charge(request, len(body.requests), "recommendations of a batch")
        return RecommendationResults(
            results=[await service.run_in_turn(partial(answer_or_problem, request), item) for item in body.requests]
        )

    def answer_or_problem(request: Request, body: RecommendationRequest) -> RecommendationResult:
        try:
            return RecommendationResult(answer=answer_request(request, body))
        except RefrainError as error:
            return RecommendationResult(problem=errors.to_problem(error))
        except HTTPException as error:  # a budget of questions is used up
            return RecommendationResult(problem=errors.exception_to_problem(error))
