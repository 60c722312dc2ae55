"""Files of observations, reports as pages, and notices of incidents: each incident is sent once."""

import contextlib
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from feature_repo.errors import InputError
from feature_repo.home import REPOSITORY
from inference.anomaly import file, page
from inference.anomaly.detector import AnomalyDetector
from inference.anomaly.notice_times import NoticeTimes
from inference.anomaly.observation import IncidentReport, Observation
from inference.anomaly.sinks import MAX_PENDING, Alerts, FileSink, WebhookSink, sink_of

START = datetime(2026, 1, 5, tzinfo=UTC)


def incident(number: int = 0, **overrides: object) -> IncidentReport:
    fields = {"alarms": 1, "p_value": 1e-6, "causes": {"cpu": 1.0}, **overrides}
    return IncidentReport(f"h@{number}", "h", START, START + timedelta(minutes=5), **fields)  # type: ignore[arg-type]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_incident_is_told_once_and_again_after_an_hour(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "alerts" / "all.jsonl"
    alerts = Alerts([FileSink(path)], clock=clock)
    assert alerts.add("system", [incident(1)]) == 1
    assert alerts.add("system", [incident(1), incident(2)]) == 1
    assert alerts.add("security", [incident(1)]) == 1
    clock.now = 3_601
    assert alerts.add("system", [incident(1)]) == 1
    notices = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(notice["detector"], notice["id"], notice["state"]) for notice in notices] == [
        ("system", "h@1", "new"),
        ("system", "h@2", "new"),
        ("security", "h@1", "new"),
        ("system", "h@1", "going on"),
    ]


def test_processes_do_not_repeat_each_other(tmp_path: Path) -> None:
    clock, path, shared = Clock(), tmp_path / "alerts.jsonl", tmp_path / "anomaly" / "notices.json"
    processes = [Alerts([FileSink(path)], clock=clock, times=NoticeTimes(shared)) for _ in range(2)]
    assert [process.add("system", [incident(1)]) for process in processes] == [1, 0]
    clock.now = 3_601
    assert [process.add("system", [incident(1)]) for process in reversed(processes)] == [1, 0]
    shared.write_text("damaged")
    assert processes[0].add("system", [incident(1), incident(2)]) == 1  # by what it knows itself
    shared.unlink()
    shared.mkdir()
    assert [processes[0].add("system", [incident(number)]) for number in (2, 3)] == [0, 1]


def test_what_a_name_holds_stays_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    Alerts([FileSink(path)]).add("system", [incident(causes={'x\n{"forged": 1}': 1.0})])
    assert len(path.read_text().splitlines()) == 1


def test_a_webhook_that_was_away_gets_everything_in_order() -> None:
    notices: list[dict[str, object]] = []
    healthy = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if healthy.is_set():
                notices.append(json.loads(body))
            self.send_response(204 if healthy.is_set() else 503)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        alerts = Alerts([WebhookSink(f"http://127.0.0.1:{server.server_port}/hook")])
        alerts.add("system", [incident(1)])
        assert (notices, alerts.waiting) == ([], 1)
        healthy.set()
        alerts.add("system", [incident(2)])
        assert [notice["id"] for notice in notices] == ["h@1", "h@2"]
        assert alerts.waiting == 0
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_waiting_notices_are_bounded() -> None:
    alerts = Alerts([WebhookSink("http://127.0.0.1:9/nobody", timeout=0.2)])
    alerts.add("system", [incident(number) for number in range(MAX_PENDING + 5)])
    assert (alerts.waiting, alerts.dropped) == (MAX_PENDING, 5)


def test_sinks_by_name() -> None:
    assert isinstance(sink_of("https://example.org/hook"), WebhookSink)
    assert sink_of("alerts.jsonl") == FileSink(Path("alerts.jsonl").absolute())
    with pytest.raises(InputError, match="http"):
        sink_of("ftp://example.org")


def test_csv_and_json_lines_are_read_alike(tmp_path: Path) -> None:
    rows = [("2026-01-05 00:01:00", "h", "2.5", ""), ("2026-01-05T00:00:00Z", "h", "1", "x")]
    csv, json_lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    csv.write_text("timestamp,host_id,cpu,note\n" + "\n".join(",".join(row) for row in rows) + "\n")
    names = ("timestamp", "host_id", "cpu", "note")
    json_lines.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows))
    expected = [
        Observation("h", START, {"cpu": 1.0, "note": None}),
        Observation("h", START + timedelta(minutes=1), {"cpu": 2.5, "note": None}),
    ]
    for path in (csv, json_lines):
        found = file.read(path)
        assert (found.observations, found.errors, found.series) == (expected, [], ["h cpu"])
        assert found.notes == [f"{path.name}: no number in 'note' ('x')"]


def test_the_file_is_the_entity_where_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "turbine.csv"
    path.write_text("time,value\n1767571200,5\nyesterday,6\n1767571260,nan\n")
    found = file.read(path)
    assert [(observation.entity, observation.at, observation.values) for observation in found.observations] == [
        ("turbine", START, {"value": 5.0}),
        ("turbine", START + timedelta(minutes=1), {"value": None}),
    ]
    assert found.errors == ["row 2: 'yesterday' is no time (no time of the form seconds since 1970)"]
    assert found.notes == ["turbine.csv: missing points: 1 nan is no observation"]


def test_columns_and_series_are_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "hosts.csv"
    path.write_text("when;host;cpu;load\n05.01.2026 00:00;a;1,5;7\n05.01.2026 00:00;b;2,5;8\n")

    def values(**choice: object) -> list[tuple[str, object]]:
        return [(found.entity, found.values) for found in file.read(path, **choice).observations]  # type: ignore[arg-type]

    assert values() == [("a", {"cpu": 1.5, "load": 7.0}), ("b", {"cpu": 2.5, "load": 8.0})]
    assert values(columns=["load"], time="when") == [("a", {"load": 7.0}), ("b", {"load": 8.0})]
    assert values(series=["b cpu", "a load"]) == [("b", {"cpu": 2.5}), ("a", {"load": 7.0})]
    assert values(series=["cpu"]) == [("a", {"cpu": 1.5}), ("b", {"cpu": 2.5})]
    for choice, names in (({"columns": ["disk"]}, "'when', 'host'"), ({"series": ["disk"]}, "'a cpu', 'b cpu'")):
        with pytest.raises(InputError, match=names):
            values(**choice)


def test_times_without_numbers_are_entities_to_look_up(tmp_path: Path) -> None:
    path = tmp_path / "seen.csv"
    path.write_text("timestamp,host_id\n2026-01-05,a\n")
    assert file.read(path).observations == [Observation("a", START, {})]


def test_points_of_one_time_are_as_many_observations(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("timestamp,x,y\n2026-01-05 00:01,3,4\n2026-01-05,1,\n2026-01-05,2,6\n")
    assert [observation.values for observation in file.read(path).observations] == [
        {"x": 1.0, "y": None},
        {"x": 2.0, "y": 6.0},
        {"x": 3.0, "y": 4.0},
    ]


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "{}\n", "[1, 2]\n", "{broken\n", "timestamp,x\n"])
def test_a_file_without_observations_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(InputError):
        file.read(path)
    with pytest.raises(InputError, match="nothing at"):
        file.read(tmp_path / "none.csv")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "any.csv"
    path.write_bytes(b"timestamp,x\n2026-01-05,1\n" + content)
    with contextlib.suppress(InputError):
        AnomalyDetector().detect(file.read(path).observations)


def test_a_page_shows_the_metric_and_escapes_names() -> None:
    observations = [
        Observation(
            "<b>h</b>",
            START + timedelta(minutes=minute),
            {"<i>cpu": 300 + minute % 5 if minute < 300 else 900 + minute % 3},
        )
        for minute in range(320)
    ]
    report = AnomalyDetector().detect(observations)
    assert report.incidents
    html = page.page(observations, report, report.incidents)
    assert "<b>h" not in html
    assert "<i>" not in html
    assert "&lt;b&gt;h" in html
    assert "<polyline" in html
    assert "<circle" in html
    assert "http" not in html


def test_the_command_tells_writes_and_teaches(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    values = [300 + (minute * 7) % 11 if minute < 300 else 990 for minute in range(310)]
    rows = (f"{START + timedelta(minutes=minute)},{value}" for minute, value in enumerate(values))
    path.write_text("timestamp,cpu\n" + "\n".join(rows) + "\nnever,1\n")
    command = [sys.executable, "-m", "refrain", "anomalies", str(path), "--detector", "none"]
    options = ["--plot", str(tmp_path / "out.html"), "--sink", str(tmp_path / "alerts.jsonl")]
    completed = subprocess.run([*command, *options], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "2026-01-05 05:0" in completed.stdout
    assert "not read, row 311: 'never' is no time" in completed.stdout
    assert "310 observations by untrained" in completed.stdout
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "alerts.jsonl").read_text().splitlines()[-1])["entity"] == "web"
    failure = subprocess.run([*command[:-1], "everything"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert failure.returncode != 0
    assert "refrain anomalies --help" in failure.stderr + failure.stdout
    (tmp_path / "text.csv").write_text("timestamp,state\n" + "2026-01-05,up\n" * 3_000)
    command[4] = str(tmp_path / "text.csv")
    failure = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert failure.returncode != 0
    assert "3,000 rows, of which no number could be read ('state': 'up')" in " ".join(failure.stderr.split())
