"""The extra ``telemetry``: spans of a request reach a collector; without it a server says which extra is missing."""

import pytest

from tests.extras.conftest import Make

pytestmark = pytest.mark.extras

SEND = """
import os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
from inference.monitoring.telemetry import ENDPOINT, RequestSpans, Telemetry

class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        print(self.path)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass

async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})

async def ignore(message):
    pass

collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=collector.serve_forever, daemon=True).start()
os.environ[ENDPOINT] = f"http://127.0.0.1:{collector.server_port}"
telemetry = Telemetry.from_env()
telemetry.start()
anyio.run(RequestSpans(answer, telemetry), {"type": "http", "method": "GET", "headers": []}, None, ignore)
telemetry.stop()
"""


def test_spans_and_metrics_are_sent(make: Make) -> None:
    output = make("inference,telemetry").run("python", "-c", SEND).stdout
    assert sorted(set(output.split())) == ["/v1/metrics", "/v1/traces"]


def test_without_the_extra_it_is_named(make: Make) -> None:
    code = "from inference.monitoring.telemetry import Telemetry; assert Telemetry.from_env() is None"
    environment = make("inference")
    error = environment.run("python", "-c", code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9").stderr
    assert "python -m pip install 'refrain[telemetry]'" in error
