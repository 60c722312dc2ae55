"""What watching costs an answer in processor time: the log of requests off and on, and traces sent to a collector.

Ten tracks for a listener of the data folder in ``REFRAIN_HOME``, asked through the whole application in this process,
in turns; the median of the turns counts. The collector, a server on loopback, is in this process, too, and reads what
it gets. Without the extra ``telemetry`` that line is left out.

    REFRAIN_HOME=data python -m benchmarks.watching
"""

import io
import logging
import logging.config
import os
import statistics
import threading
import time
from contextlib import redirect_stderr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fastapi.testclient import TestClient

from feature_repo.home import Home
from inference.api.app import create_app
from inference.monitoring import logs, telemetry

ANSWERS, TURNS = 120, 5
CHECKS = 100_000


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def _answer_ms(home: Home, log: str) -> float:
    """Return the processor time of one answer in milliseconds, with a fresh application."""
    logging.getLogger(logs.ACCESS).setLevel(logging.WARNING)
    body = {"user_id": "u000007", "count": 10}
    with redirect_stderr(io.StringIO()), TestClient(create_app(home=home)) as client:
        if log:
            logging.config.dictConfig(logs.settings(log))
        for _ in range(ANSWERS // 4):
            client.post("/v1/recommendations", json=body).raise_for_status()
        start = time.process_time()
        for _ in range(ANSWERS):
            client.post("/v1/recommendations", json=body)
        return (time.process_time() - start) / ANSWERS * 1e3


def _check_ns() -> float:
    """Return the processor time of one check whether requests are logged, in nanoseconds."""
    scope = {"type": "http", "method": "GET", "state": {}}
    start = time.process_time()
    for _ in range(CHECKS):
        logs.log_request(scope, "id", "/health", 200, 0.01)
    return (time.process_time() - start) / CHECKS * 1e9


def main() -> None:
    """Measure and print."""
    home = Home.from_env()
    collector = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    print(f"check of the log while it is off: {_check_ns():.0f} ns")
    times: dict[str, list[float]] = {"off": [], "json": [], "traces": []}
    for _ in range(TURNS):
        times["off"].append(_answer_ms(home, ""))
        times["json"].append(_answer_ms(home, "json"))
        os.environ[telemetry.ENDPOINT] = endpoint
        if telemetry.Telemetry.from_env() is not None:
            times["traces"].append(_answer_ms(home, ""))
        del os.environ[telemetry.ENDPOINT]
    collector.shutdown()
    base = statistics.median(times["off"])
    for name, values in times.items():
        if values:
            middle = statistics.median(values)
            spread = f"turns {min(values):.2f} to {max(values):.2f}"
            print(f"{name:7} {middle:6.2f} ms an answer, {middle / base - 1:+.0%}, {spread}")


if __name__ == "__main__":
    main()
