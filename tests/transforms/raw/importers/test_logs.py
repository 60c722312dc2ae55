"""Access logs and server logs of every format: what is read, what is refused, and what is never stored."""

import gzip
import json
import os
import re
import shutil
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from transforms.raw.files.members import single
from transforms.raw.importers.logs import LOGS
from transforms.raw.ingest import Batch, Report, ingest
from transforms.raw.logs.formats import formats
from transforms.raw.logs.parse import recognized, records
from transforms.raw.logs.years import seconds_of_year, years
from transforms.raw.read import scan

AGENT, REFERRER, QUERY = "AgentOfNobody", "referrer.example.com", "secret"

SAMPLES = {
    "common, combined or vhost_combined": [
        f'example.org:443 2001:db8::7 - ann [01/Mar/2024:11:05:00 +0100] "GET /a/17?{QUERY} HTTP/1.1" 200 5',
        f'203.0.113.9 - - [01/Mar/2024:10:05:00 +0000] "POST /a HTTP/1.1" 500 - "{REFERRER}" "{AGENT}" rt=0.250',
        r'203.0.113.9 - - [01/Mar/2024:10:05:01 +0000] "\x16\x03\x01" 400 157 "-" "-"',
        rf'203.0.113.9 - a b [01/Mar/2024:10:05:01 +0000] "GET /\"q\" HTTP/1.1" 200 1 "-" "{AGENT} \"2\""',
    ],
    "ALB": [
        "h2 2024-03-01T10:05:00.123456Z app/x/1 [2001:db8::7]:40112 10.0.0.7:80 0.001 0.250 0.001 200 200 340 5 "
        f'"GET https://example.org:443/a/17?{QUERY} HTTP/2.0" "{AGENT}" - - arn "Root=1" "example.org" "-" 0',
        "2024-03-01T10:05:00.5Z classic 203.0.113.9:40112 - -1 -1 -1 504 0 0 0 "
        f'"GET http://example.org:80/a HTTP/1.1" "{AGENT}" - -',
    ],
    "CloudFront": [
        "#Version: 1.0",
        "#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes time-taken cs(User-Agent) cs-uri-query",
        f"2024-03-01\t10:05:00\t203.0.113.9\tGET\t/a/17\t200\t5\t0.250\t{AGENT}\t{QUERY}",
        f"2024-03-01\t10:05:00\t203.0.113.9\tGET\t/a/17\t000\t0\t-\t{AGENT}\t{QUERY}",
    ],
    "Caddy": [
        '{"level":"info","ts":1709287500.25,"logger":"http.log.access","msg":"handled request","request":'
        f'{{"remote_addr":"203.0.113.9:4011","method":"GET","host":"example.org:443","uri":"/a/17?{QUERY}","headers":{{"User-Agent":'
        f'["{AGENT}"]}}}},"duration":0.25,"size":5,"status":200}}'
    ],
    "JSON access log": [
        json.dumps({"@timestamp": "2024-03-01T10:05:00Z", "client_ip": "203.0.113.10", "method": "GET", "uri":
                    f"/a/17?{QUERY}", "status": 200, "bytes": 5, "request_time": 0.25, "http_user_agent": AGENT}),
        json.dumps({"time_local": "01/Mar/2024:11:05:00 +0100", "remote_addr": "203.0.113.9", "request": "GET /a/17 H",
                    "status": "200", "body_bytes_sent": "6", "request_time": "0.250", "http_referer": REFERRER}),
    ],
}  # fmt: skip
SERVER_SAMPLES = {
    "RFC 3164": ["<38>Mar  1 10:05:00 web1 sshd[7]: hello", "Mar  1 10:05:00 web1 sshd[7]: hello"],
    "RFC 5424": ['1 <38>1 2024-03-01T10:05:00Z web1 sshd 7 - [a@1 b="\\]"][c] \ufeffhello'[2:]],
    "syslog with ISO times": ["2024-03-01T11:05:00.0+01:00 web1 sshd[7]: hello",
                              "2024-03-01T10:05:00Z web1 sshd[7]: hello"],
    "systemd's journal": [
        json.dumps({"__REALTIME_TIMESTAMP": "1709287500000000", "_HOSTNAME": "web1", "SYSLOG_IDENTIFIER": "sshd",
                    "_PID": "7", "PRIORITY": "6", "MESSAGE": "hello"})
    ],
    "Apache error log": [
        "[Fri Mar 01 10:05:00 2024] [error] hello",
        f"[Fri Mar 01 10:05:00.000000 2024] [core:error] [pid 7:tid 8] hello, referer: {REFERRER}",
    ],
    "nginx error log": [
        f'2024/03/01 10:05:00 [error] 7#7: *57 hello, client: 203.0.113.9, server: x, request: "GET /?{QUERY} HTTP/1.1"'
    ],
}  # fmt: skip


def read(home: Home, path: Path) -> Report:
    return ingest(home, f"logs:{path.name}", LOGS.batches(path, home))


def written(folder: Path, lines: Sequence[str], name: str = "some.log") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    os.utime(path, (datetime(2024, 3, 2, tzinfo=UTC).timestamp(),) * 2)
    return path


def stored(home: Home, table: str) -> pl.DataFrame:
    return scan(home, table).collect().sort(pl.all())


def test_the_importer_is_found() -> None:
    assert FORMATS["logs"] is LOGS
    assert {*SAMPLES, *SERVER_SAMPLES} == set(formats())


@pytest.mark.parametrize("folder", ["access-logs", "server-logs"])
def test_examples_hold_what_is_expected(exports: Path, tmp_path: Path, folder: str) -> None:
    expected = json.loads((exports / folder / "expected.json").read_text())
    assert len(expected) >= 9
    for number, (name, counts) in enumerate(expected.items()):
        home = Home(tmp_path / str(number))
        report = read(home, exports / folder / name)
        table = "requests" if folder == "access-logs" else "log_lines"
        rows = scan(home, table).collect()
        assert report.tables[table].reasons == counts["refused"], name
        read_rows = report.tables[table].read + counts.get("continuation_lines", 0)
        assert read_rows == counts["records"], name
        assert rows.height == counts.get("requests", counts.get("messages", counts["records"])), name
        times = rows["event_timestamp"]
        assert (times.min(), times.max()) == tuple(datetime.fromisoformat(counts[end]) for end in ("first", "last"))
        if "logins_failed" in counts:
            success = scan(home, "logins").collect()["success"]
            assert (success.sum(), (~success).sum()) == (counts["logins_accepted"], counts["logins_failed"]), name
        assert sum(item.added for item in read(home, exports / folder / name).tables.values()) == 0


@pytest.mark.parametrize("name", [*SAMPLES, *SERVER_SAMPLES])
def test_lines_are_of_one_format(name: str) -> None:
    for line in (SAMPLES | SERVER_SAMPLES)[name]:
        assert [kind.name for kind in recognized(pl.Series([line]))] == [name], line


@pytest.mark.parametrize("name", SAMPLES)
def test_requests_are_read_and_private_parts_are_not(home: Home, tmp_path: Path, name: str) -> None:
    cut = SAMPLES[name][-1]
    path = written(tmp_path, [*SAMPLES[name], f'9.9.9.9 - - [01/Mar/2024:10:05:00 +0000] "GET /?{QUERY} {AGENT}'])
    with path.open("a") as handle:
        handle.write(cut[: cut.find(AGENT) + len(AGENT)] if AGENT in cut else cut[:-4])
    read(home, path)
    rows = stored(home, "requests")
    first = rows.filter(pl.col("endpoint") == "GET /a/{id}")
    assert first["event_timestamp"].dt.truncate("1s").unique().to_list() == [datetime(2024, 3, 1, 10, 5, tzinfo=UTC)]
    assert set(first["status"]) <= {200, None}
    assert 5 in first["bytes"]
    if name not in ("common, combined or vhost_combined", "ALB"):
        assert 250_000 in first["latency_us"]
    everything = "".join(str(pl.read_parquet(file).to_dicts()) for file in home.root.rglob("*.parquet"))
    for private in (AGENT, REFERRER, QUERY):
        assert private not in everything


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("digits", ["9" * 30, "-1", "1e308"])
def test_impossible_numbers_do_not_stop_the_other_lines(home: Home, tmp_path: Path, name: str, digits: str) -> None:
    lines = SAMPLES[name]
    damaged = [re.sub(r"(?<![\w.])\d+(\.\d+)?(?![\w.])", digits, line) for line in lines]
    read(home, written(tmp_path, [*lines, *damaged, *lines]))
    assert 5 in stored(home, "requests")["bytes"]


def test_details_of_access_logs(home: Home, tmp_path: Path) -> None:
    read(home, written(tmp_path, [line for name in SAMPLES for line in SAMPLES[name]]))
    rows = stored(home, "requests")
    by = {(row["host_id"], row["client_ip"], row["endpoint"]): row for row in rows.to_dicts()}
    vhost = by["example.org", "2001:db8::7", "GET /a/{id}"]
    assert vhost["user_id"] in (None, "ann")
    assert by[None, "203.0.113.9", "POST /a"]["latency_us"] == 250_000
    assert by[None, "203.0.113.9", "-"]["status"] == 400
    assert by["example.org", "203.0.113.9", "GET /a"]["latency_us"] is None
    assert rows.filter(pl.col("user_id") == "a b")["endpoint"].to_list() == ["GET /{id}"]
    assert rows.filter(pl.col("user_id") == "ann")["client_ip"].to_list() == ["2001:db8::7"]
    assert rows.filter(pl.col("latency_us") == 252_000)["host_id"].to_list() == ["example.org"]
    assert rows.filter(pl.col("client_ip") == "203.0.113.9:4011").is_empty()
    assert rows.height == sum(len(lines) for lines in SAMPLES.values()) - 2  # the header of CloudFront


@pytest.mark.parametrize("name", SERVER_SAMPLES)
def test_lines_are_read_alike_in_every_format(home: Home, tmp_path: Path, name: str) -> None:
    read(home, written(tmp_path, SERVER_SAMPLES[name]))
    for row in stored(home, "log_lines").to_dicts():
        assert (row["message"], row["event_timestamp"]) == ("hello", datetime(2024, 3, 1, 10, 5, tzinfo=UTC))
        if "error" in name:
            assert (row["host_id"], row["program"], row["level"]) == (
                "localhost",
                name.split(maxsplit=1)[0].lower(),
                "error",
            )
        else:
            assert (row["host_id"], row["program"]) == ("web1", "sshd")
            assert row["level"] in ("info", None)


@pytest.mark.parametrize(
    ("line", "program", "host", "message"),
    [
        ("Dec 10 06:55:46 LabSZ sshd[24200]: hello there", "sshd", "LabSZ", "hello there"),
        ("Jun  9 06:06:01 combo su(pam_unix)[21416]: opened", "su(pam_unix)", "combo", "opened"),
        ("Jun  9 06:06:01 combo syslogd 1.4.1: restart.", "syslog", "combo", "syslogd 1.4.1: restart."),
        ("[Sun Dec 04 04:47:44 2005] [notice] up", "apache", None, "up"),
        ("<13>1 2024-03-01T10:05:00Z web1 app - - - ", "app", "web1", ""),
    ],
)
def test_parts_of_a_line(tmp_path: Path, line: str, program: str, host: str | None, message: str) -> None:
    (part,) = records(single(written(tmp_path, [line])))
    assert part.rows.select("program", "host_id", "message").rows() == [(program, host, message)]


@pytest.mark.parametrize(
    "line", ["no log at all", "Foo 99 99:99:99 a b: c", "Feb 30 01:01:01 a b: c", "[x] [y] z", "\x1b[31m", "{}"]
)
def test_what_is_no_log_is_refused(home: Home, tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"known log format|malformed rows|no row|object|empty"):
        read(home, written(tmp_path, [line]))


@pytest.mark.parametrize(
    ("program", "message", "attempts"),
    [
        ("sshd", "Failed password for invalid user webmaster from 1.2.3.4 port 38926 ssh2", ("webmaster", False, 1)),
        ("sshd-session", "Failed password for root from 1.2.3.4 port 1 ssh2", ("root", False, 1)),
        ("sshd-session", "Accepted password for fztu from 119.137.62.142 port 49116 ssh2", ("fztu", True, 1)),
        ("sshd", "message repeated 5 times: [ Failed password for root from 5.6.7.8 port 4 ssh2]", ("root", False, 5)),
        ("sshd", "message repeated 9999999 times: [ Failed none for x from 5.6.7.8 port 4 s]", ("x", False, 10_000)),
        ("sshd", "Failed none for invalid user  from 1.2.3.4 port 1 ssh2", ("(none)", False, 1)),
        ("sshd", "Failed password for a from 9.9.9.9 port 1 from 1.2.3.4 port 1", ("a from 9.9.9.9 port 1", False, 1)),
        ("sshd", "Invalid user oracle from 203.0.113.9 port 40112", None),
        ("cron", "Failed password for root from 1.2.3.4 port 1 ssh2", None),
    ],
)  # fmt: skip
def test_attempts_to_log_in(
    home: Home, tmp_path: Path, program: str, message: str, attempts: tuple[str, bool, int] | None
) -> None:
    read(home, written(tmp_path, [f"Mar  1 06:55:46 LabSZ {program}[24200]: {message}"]))
    rows = stored(home, "logins")
    assert rows.height == (attempts[2] if attempts else 0)
    if attempts:
        assert set(rows.select("user_id", "success").rows()) == {attempts[:2]}
        assert "9.9.9.9" not in set(rows["client_ip"])


def test_rotated_files_are_read_together_and_again_without_doubling(home: Home, tmp_path: Path) -> None:
    begin = datetime(2024, 2, 1, tzinfo=UTC)
    message = "Failed password for root from 1.2.3.4 port 1 ssh2"
    lines = [
        f"{begin + timedelta(hours=number // 3):%b %d %H:%M:%S} web1 sshd[7]: {message if number % 3 else number}"
        for number in range(120)
    ]
    folder = tmp_path / "log"
    folder.mkdir()
    parts = [lines[:40], lines[40:80], lines[80:]]

    def rotate(contents: list[list[str]]) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        for number, part in enumerate(reversed(contents)):
            path = written(folder, part, "auth.log" + (f".{number}" if number else ""))
            if number > 1:
                (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
                os.utime(folder / f"{path.name}.gz", (path.stat().st_mtime,) * 2)
                path.unlink()

    rotate([parts[0], parts[1][:17]])
    read(home, folder)
    rotate(parts)
    read(home, folder)
    rows, attempts = stored(home, "log_lines"), stored(home, "logins")
    assert (rows.height, attempts.height) == (120, 80)
    rotate([*parts, ["Mar  1 00:00:00 web1 sshd[7]: new"]])
    report = read(home, folder)
    assert {name: counts.added for name, counts in report.tables.items()} == {"log_lines": 1, "logins": 0}
    whole = Home(home.root.parent / "whole")
    read(whole, folder)
    assert stored(whole, "log_lines").drop("template").equals(stored(home, "log_lines").drop("template"))
    assert stored(whole, "logins").equals(stored(home, "logins"))


@pytest.mark.parametrize("size", [70, 400, 1 << 20])
def test_blocks_of_any_size_give_the_same_records(tmp_path: Path, size: int) -> None:
    lines = [f"Mar  1 10:00:{n:02} web1 sshd[7]: {'x' * n}" for n in range(50)]
    lines += [line for n in range(20) for line in (f"[Fri Mar 01 10:05:{n:02} 2024] [error] a{n}", f"#0 b{n}", "c")]
    path = single(written(tmp_path, lines))
    rows = pl.concat([part.rows for part in records(path, size)])
    assert rows.equals(pl.concat([part.rows for part in records(path)]))
    assert rows.height == 70
    assert rows["message"][-1] == "a19\n#0 b19\nc"


def test_years_are_of_the_file_and_go_back_at_new_year() -> None:
    def of(times: list[str], modified: datetime) -> list[int]:
        return years(seconds_of_year(pl.Series(times)), modified).to_list()

    january = datetime(2024, 1, 2, tzinfo=UTC)
    assert of(["Dec 30 00:00:00", "Jan  1 00:00:00"], january) == [2023, 2024]
    assert of(["Dec 30 00:00:00"], january) == [2023]
    assert of(["Nov 1 00:00:00", "Jan 1 00:00:00", "Dec 1 00:00:00", "Jan  1 00:00:00"], january) == [
        2022,
        2023,
        2023,
        2024,
    ]
    assert of(["Jan  1 00:00:01", "Dec 31 23:59:59", "Jan  1 00:00:02"], january) == [2024, 2023, 2024]
    assert of(["Mar  1 00:00:00", "Feb 28 23:59:59", "Mar  1 00:00:00"], january) == [2023] * 3
    assert of(["Feb 29 00:00:00", "Mar  1 00:00:00"], datetime(2026, 5, 1, tzinfo=UTC)) == [2024, 2024]
    assert of(["Jan  2 23:00:00"], january) == [2024]


def test_bad_lines_are_quarantined_and_the_rest_goes_on(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    good = b"Mar  1 10:05:00 web1 su: same\n"
    path.write_bytes(
        b"\0\0\0" + good + b"\xff\xfe broken\nwhat is this\n\n" + good + b"Mar  1 10:05:01 web1 su: Gr\xfc\xdfe"
    )
    os.utime(path, (datetime(2024, 3, 2, tzinfo=UTC).timestamp(),) * 2)
    counts = read(home, path).tables["log_lines"]
    assert (counts.added, counts.reasons) == (3, {"of no known log format": 2})
    assert stored(home, "log_lines")["message"].to_list() == ["same", "same", "Grüße"]


def test_files_without_logs_are_named(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    path = written(folder, ["shall I compare thee"], "poem.log")
    with pytest.raises(InputError, match="no line of a known log format"):
        read(home, path)
    written(folder, SERVER_SAMPLES["RFC 3164"], "syslog")
    (passed_over,) = read(home, path.parent).passed_over
    assert (passed_over.name, passed_over.why) == ("poem.log", "no line of a known log format")


def test_of_several_addresses_the_first_is_the_client(home: Home, tmp_path: Path) -> None:
    read(home, written(tmp_path, ['2001:db8::7, 10.0.0.1 - - [01/Mar/2024:10:05:00 +0000] "GET / HTTP/1.1" 200 5']))
    assert stored(home, "requests").select("host_id", "client_ip").rows() == [(None, "2001:db8::7")]


def test_lines_that_docker_wraps_are_read(home: Home, tmp_path: Path) -> None:
    (line,) = SAMPLES["common, combined or vhost_combined"][1:2]
    wrapped = {"log": f"{line}\n", "stream": "stdout", "time": "2024-03-01T10:05:00.1Z"}
    read(home, written(tmp_path, [json.dumps(wrapped, separators=(",", ":"))]))
    assert stored(home, "requests")["endpoint"].to_list() == ["POST /a"]


def test_the_repeated_message_of_old_syslogs_is_that_before_of_the_host(home: Home, tmp_path: Path) -> None:
    failed = "sshd[7]: Failed password for root from 1.2.3.4 port 1 ssh2"
    rest = [f"web1 {failed}", "web2 su: x", "web1 last message repeated 3 times", "web2 last message repeated 2 times"]
    read(home, written(tmp_path, [f"Mar  1 10:05:0{number} {text}" for number, text in enumerate(rest)]))
    assert (stored(home, "logins").height, stored(home, "log_lines").height) == (4, 4)


def test_a_damaged_file_does_not_stop_the_others(home: Home, tmp_path: Path) -> None:
    lines = [f"Mar  1 10:{n // 60:02}:{n % 60:02} web1 su: {n} {n * 7919}" for n in range(3_000)]
    packed = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.writestr("log/auth.log.2.gz", packed[: len(packed) // 2])
        archive.writestr("log/auth.log", "".join(f"{line}\n" for line in lines[-5:]))
    report = read(home, tmp_path / "logs.zip")
    assert [item.name for item in report.passed_over] == ["log/auth.log.2.gz"]
    assert 1_000 < stored(home, "log_lines").height < 2_000


def test_a_host_can_be_given(home: Home, tmp_path: Path) -> None:
    path = written(tmp_path, [SAMPLES["common, combined or vhost_combined"][1], *SERVER_SAMPLES["nginx error log"]])
    ingest(home, "logs", LOGS.batches(path, home, host="web7"))
    assert [stored(home, table)["host_id"].to_list() for table in ("requests", "log_lines")] == [["web7"]] * 2


@pytest.mark.parametrize(("system", "refused"), [("Apache", 0), ("OpenSSH", 0), ("Linux", 0)])
def test_loghub(home: Home, real_data: Path, system: str, refused: int) -> None:
    path = real_data / "loghub" / system / f"{system}_2k.log"
    if not path.is_file():
        pytest.skip(f"no {path}")
    counts = read(home, path).tables["log_lines"]
    assert (counts.added, counts.quarantined) == (2_000 - refused, refused)
    if system == "OpenSSH":
        text, attempts = path.read_text(), stored(home, "logins")
        repeated = sum(int(times) - 1 for times in re.findall(r"message repeated (\d+) times", text))
        assert attempts["success"].sum() == text.count("Accepted password")
        assert attempts.height == len(re.findall(r"(?:Failed|Accepted) \S+ for ", text)) + repeated
    assert [table.added for table in read(home, path).tables.values()] in ([0], [0, 0])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*SAMPLES, *SERVER_SAMPLES]), changes=mutations(longest=40))
def test_damaged_files_raise_input_errors_only(tmp_path: Path, name: str, changes: list[Mutation]) -> None:
    content = mutated("\n".join((SAMPLES | SERVER_SAMPLES)[name]).encode(), changes)
    path = tmp_path / "fuzzed.log"
    path.write_bytes(content)
    home = Home(tmp_path)
    try:
        for batch in LOGS.batches(path, home):
            assert not isinstance(batch, Batch) or batch.malformed["row"].null_count() == 0
    except InputError as error:
        assert error.found
