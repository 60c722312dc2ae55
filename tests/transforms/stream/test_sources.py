"""Sources of the stream: files, standard input and commands, and the state they keep for the next run."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from feature_repo.errors import InputError
from feature_repo.events import Names
from feature_repo.home import Home
from feature_repo.packed.address import Address
from tests.live import clock_of, server_of, start_reader, to_json_lines
from tests.transforms.stream.test_reader import check
from tests.windowed import plays_of_a_small_world
from transforms.__main__ import app
from transforms.stream import sources
from transforms.stream.log import Log
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Lines


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return plays_of_a_small_world(Home(tmp_path_factory.mktemp("world")))[:500]


def read(home: Home, path: Path, **settings: Any) -> dict[str, int]:
    reader_settings = Settings(**{"follows": "events", "batch": 64, **settings})
    reader = Reader(
        home, Address.from_env(), lambda log: Lines(log, path, "plays"), reader_settings, say=lambda text: None
    )
    return {name: count for name, count in reader.run().counts.items() if count}


def test_a_file_is_read_once_and_goes_on_where_it_was_left(
    home: Home, world: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PIECE", 1_000)
    events, path = to_json_lines(world), tmp_path / "plays.jsonl"
    path.write_bytes(b"\n".join([*events[:200], b"", b"not an event", *events[200:300]]) + b"\n")
    assert read(home, path) == {"accepted": 300, "refused": 1}
    assert read(home, path) == {}
    with path.open("ab") as file:
        file.write(b"\n".join(events[300:]))  # no newline at the end
    assert read(home, path) == {"accepted": 200}
    check(home, clock_of(world))
    path.write_bytes(events[0] + b"\n")  # another, shorter file of the same name
    assert sum(read(home, path).values()) == 1


def test_a_line_without_end_is_refused_and_the_rest_goes_on(
    home: Home, world: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "plays.jsonl"
    path.write_bytes(b"x" * 3_500_000 + b"\n" + b"\n".join(to_json_lines(world[:3])))
    counts = read(home, path)
    assert counts["accepted"] == 3
    assert counts["refused"] >= 1
    refused_events = server_of(home).send([("XRANGE", Names(home.project).dead, "-", "+")], [b""])[0]
    assert all(len(value) <= 4_096 for _, fields in refused_events for value in fields)


def test_no_file(home: Home) -> None:
    with pytest.raises(InputError, match="no file"):
        read(home, Path("absent"))


def test_standard_input(home: Home, world: list[dict[str, Any]]) -> None:
    process = start_reader(home, "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    events = to_json_lines(world)
    for start in (0, 250):
        process.stdin.write(b"\n".join(events[start : start + 250]).decode() + "\n")
        process.stdin.flush()
        time.sleep(0.3)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "500 accepted" in output
    check(home, clock_of(world))


def test_the_commands_from_file_to_status(home: Home, world: list[dict[str, Any]], tmp_path: Path) -> None:
    path, runner = tmp_path / "plays.jsonl", CliRunner()
    path.write_bytes(b"\n".join([*to_json_lines(world), b'{"user_id": "u"}']))
    send_result = runner.invoke(app, ["send", str(path)])
    assert send_result.exit_code == 0, send_result.output
    assert "500 events sent" in send_result.output
    assert "line 501 not sent: object missing required field event_timestamp" in send_result.output.replace("`", "")
    refused = tmp_path / "refused.jsonl"
    refused.write_text('{"user_id": "u"}\n' * 3)
    refused_result = runner.invoke(app, ["send", str(refused)])
    assert refused_result.exit_code == 1
    assert "0 events sent" in refused_result.output
    assert "none in 3 lines" in refused_result.output
    refused.write_text("")
    assert runner.invoke(app, ["send", str(refused)]).exit_code == 0
    server, names = server_of(home), Names(home.project)
    server.send([("XADD", names.stream, "*", "likes", b'{"user_id": "u"}')], [b""])
    assert "501 events" in runner.invoke(app, ["stream-status"]).output
    stream_result = runner.invoke(app, ["stream", "--clock", "events", "--until-idle"])
    assert stream_result.exit_code == 0, stream_result.output
    assert "500 accepted, 1 refused" in stream_result.output
    status = runner.invoke(app, ["stream-status"]).output
    assert "reader    none" in status
    assert "accepted                     500" in status
    assert "unknown kind 'likes'" in status
    assert "500 events" in runner.invoke(app, ["archive"]).output
    assert runner.invoke(app, ["archive"]).output == ""
    for arguments in (
        ["stream", "--clock", "sun"],
        ["stream", "--lateness", "soon"],
        ["send", "absent"],
        ["send", "-", "--kind", "likes"],
    ):
        assert runner.invoke(app, arguments).exit_code == 1, arguments


def test_a_stream_that_nobody_reads_does_not_fill_redis(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from feature_repo import events
    from feature_repo.errors import OnlineUnavailable

    monkeypatch.setattr(events, "FULL", 5)
    server, names = server_of(home), Names(home.project)
    events.append(server, names, [("plays", b"{}")] * 5)
    with pytest.raises(OnlineUnavailable, match="no more than 5 events"):
        events.append(server, names, [("plays", b"{}")])


def test_the_log_gives_back_what_was_taken(home: Home) -> None:
    log = Log(server_of(home), Names(home.project))
    assert log.ask("HGETALL", log.names.counts) in ({}, [])
    assert json.dumps(log.clock) == "0"
