"""Traces and metrics of OpenTelemetry, by its SDK, sent to a collector over HTTP; needs the extra ``telemetry``.

It is on where ``OTEL_EXPORTER_OTLP_ENDPOINT`` names a collector; the other variables of the SDK
(``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_HEADERS`` …) count as they are documented there. A
request is a span, a child of the caller's (``traceparent``); the steps in ``STEPS`` are spans within it. Their methods
are wrapped when telemetry starts, so that without it a step costs nothing.
"""

import functools
import importlib
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feature_repo.extras import install_command
from feature_repo.version import version

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
STEPS = {
    "inference.features.lookup:OnlineFeatures.get": "lookup",
    "inference.features.prepared:RoundTrip.fetch": "fetch",
    "inference.recommend.candidates:CandidateSearch.find": "retrieve",
    "inference.recommend.ordering:Ordering.rank": "rank",
    "inference.recommend.ordering:Ordering.blend": "blend",
    "inference.recommend.engine:RecommendationEngine._diversify": "diversify",
    "inference.recommend.explain:Explainer.items": "explain",
    "inference.rows:RowModel.answer": "predict",
    "inference.anomaly.detector:AnomalyDetector.detect": "detect",
    "inference.forecast.forecaster:Forecaster.forecast": "forecast",
    "inference.text.analyzer:TextAnalyzer.analyze": "read texts",
    "inference.audio.analyzer:AudioAnalysisModel.analyze": "analyze sound",
    "inference.events:EventWriter.write": "append events",
}
"""Method → name of its span."""
_log = logging.getLogger("refrain.telemetry")


def install(app: FastAPI) -> None:
    """Put the layer of ``RequestSpans`` around an application, where the environment asks for telemetry."""
    telemetry = Telemetry.from_env()
    if telemetry is not None:
        app.add_middleware(RequestSpans, telemetry=telemetry)


class Telemetry:
    """Sends the spans and metrics of one process to a collector, from ``start`` to ``stop``."""

    def __init__(self) -> None:
        self._providers: list[Any] = []
        self._wrapped: list[tuple[type, str, Any]] = []
        self.tracer: Any = None
        self.duration: Any = None

    @classmethod
    def from_env(cls) -> "Telemetry | None":
        """Return the telemetry that ``OTEL_EXPORTER_OTLP_ENDPOINT`` asks for.

        None without the variable, and with a warning where the extra ``telemetry`` is not installed: the variable may
        be meant for other programs.
        """
        if not os.environ.get(ENDPOINT):
            return None
        try:
            importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        except ImportError as error:
            command = install_command("telemetry")
            _log.warning("%s is set, and nothing is sent: %s; next: %s", ENDPOINT, error, command)
            return None
        return cls()

    def start(self) -> None:
        """Begin to send. Call it in the process that serves: threads of the SDK do not survive a fork."""
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "refrain"}
        resource = Resource.create({**name, "service.version": version(), "process.pid": os.getpid()})
        tracers = TracerProvider(resource=resource)
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
        self._providers = [tracers, meters]
        self.tracer = tracers.get_tracer("refrain", version())
        meter = meters.get_meter("refrain", version())
        about = "Duration of HTTP server requests"
        self.duration = meter.create_histogram("http.server.request.duration", unit="s", description=about)
        _observe_process(meter)
        for method, step in STEPS.items():
            self._wrap(method, step)

    def stop(self) -> None:
        """Send what is left, and end."""
        for owner, name, original in self._wrapped:
            setattr(owner, name, original)
        self._wrapped, self.tracer, self.duration = [], None, None
        while self._providers:
            self._providers.pop().shutdown()

    def _wrap(self, method: str, step: str) -> None:
        module, _, path = method.partition(":")
        class_name, _, name = path.partition(".")
        owner = getattr(importlib.import_module(module), class_name)
        original = owner.__dict__[name]
        setattr(owner, name, _with_span(original, step, self.tracer))
        self._wrapped.append((owner, name, original))


class RequestSpans:
    """The ASGI layer that makes a span of each request, named by OpenTelemetry's conventions for HTTP servers.

    Telemetry starts and stops with the application.

    Args:
        app: the application around which it lies.
        telemetry: where spans and durations go.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app, self._telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan":
            self._telemetry.start()
            try:
                await self._app(scope, receive, send)
            finally:
                self._telemetry.stop()
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, StatusCode

        status, started = 500, time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method, duration = str(scope["method"]), self._telemetry.duration
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._telemetry.tracer.start_as_current_span(method, extract(headers), SpanKind.SERVER) as span:
            try:
                await self._app(scope, receive, send_and_note)
            finally:
                route = getattr(scope.get("route"), "path", "unknown")
                attributes = {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": status,
                }
                span.update_name(f"{method} {route}")
                span.set_attributes(attributes)
                if status >= 500:
                    span.set_status(StatusCode.ERROR)
                duration.record(time.perf_counter() - started, attributes)


def _with_span(function: Callable[..., Any], step: str, tracer: Any) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        with tracer.start_as_current_span(step):
            return function(*arguments, **options)

    return run


def _observe_process(meter: Any) -> None:
    """Observe memory, processor time and open files of this process under OpenTelemetry's names."""
    from opentelemetry.metrics import CallbackOptions, Observation

    from inference.monitoring.process_metrics import ServingProcesses

    def observe(name: str) -> Callable[[CallbackOptions], list[Any]]:
        def read(_: CallbackOptions) -> list[Any]:
            samples = [sample for metric in ServingProcesses().collect() for sample in metric.samples]
            return [Observation(sample.value) for sample in samples if sample.name == name]

        return read

    memory, seconds, files = "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"
    meter.create_observable_up_down_counter("process.memory.usage", [observe(memory)], unit="By")
    meter.create_observable_counter("process.cpu.time", [observe(seconds)], unit="s")
    meter.create_observable_up_down_counter("process.open_file_descriptor.count", [observe(files)], unit="{count}")
