"""Spans and metrics reach a collector over HTTP, as children of the caller's span; without one nothing is wrapped."""

import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from inference.api.app import create_app
from inference.features import OnlineFeatures
from inference.monitoring import telemetry

EXPORTER = "opentelemetry.exporter.otlp.proto.http"


def _has_exporter() -> bool:
    try:
        return importlib.util.find_spec(EXPORTER) is not None
    except ModuleNotFoundError:
        return False


has_exporter = pytest.mark.skipif(not _has_exporter(), reason="no extra telemetry")


class _Collector(BaseHTTPRequestHandler):
    """Keeps the bodies that it gets, by path."""

    server: Any

    def do_POST(self) -> None:
        self.server.bodies.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes]]]:
    """What a local collector gets; the environment names it."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(telemetry.ENDPOINT, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    yield server.bodies
    server.shutdown()
    thread.join()
    server.server_close()


@has_exporter
def test_a_request_and_its_steps_are_spans(in_world: Home, bodies: list[tuple[str, bytes]]) -> None:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    original = OnlineFeatures.get
    with TestClient(create_app(home=in_world)) as client:
        headers = {"traceparent": f"00-{trace}-{parent}-01"}
        body = {"user_id": "u000007", "count": 3, "diversify": "mmr"}
        assert client.post("/v1/recommendations", json=body, headers=headers).status_code == 200
        assert OnlineFeatures.get is not original
    assert OnlineFeatures.get is original
    spans, metrics = [], []
    for path, content in bodies:
        if path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(content)
            spans += [span for one in request.resource_spans for part in one.scope_spans for span in part.spans]
        else:
            answer = ExportMetricsServiceRequest.FromString(content)
            metrics += [
                metric for one in answer.resource_metrics for part in one.scope_metrics for metric in part.metrics
            ]
    assert {span.trace_id.hex() for span in spans} == {trace}
    by_name = {span.name: span for span in spans}
    root = by_name["POST /v1/recommendations"]
    assert root.parent_span_id.hex() == parent
    assert {"lookup", "retrieve", "rank", "diversify", "explain"} <= by_name.keys()
    for name in ("retrieve", "rank", "diversify", "explain"):
        assert by_name[name].parent_span_id == root.span_id, name
        assert root.start_time_unix_nano <= by_name[name].start_time_unix_nano
        assert by_name[name].end_time_unix_nano <= root.end_time_unix_nano
    attributes = {attribute.key: attribute.value for attribute in root.attributes}
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["http.route"].string_value == "/v1/recommendations"
    assert {metric.name for metric in metrics} >= {
        "http.server.request.duration",
        "process.memory.usage",
        "process.cpu.time",
        "process.open_file_descriptor.count",
    }


def test_every_step_is_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that was renamed would end telemetry; it is found here, with or without the extra."""
    one = telemetry.Telemetry()
    before = OnlineFeatures.get
    for method, step in telemetry.STEPS.items():
        one._wrap(method, step)
    assert OnlineFeatures.get is not before
    one.stop()
    assert OnlineFeatures.get is before


def test_without_a_collector_nothing_is_sent_and_nothing_wrapped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(telemetry.ENDPOINT, raising=False)
    assert telemetry.Telemetry.from_env() is None
    monkeypatch.setenv(telemetry.ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setitem(__import__("sys").modules, f"{EXPORTER}.trace_exporter", None)
    assert telemetry.Telemetry.from_env() is None
    assert "pip install 'refrain[telemetry]'" in caplog.text
