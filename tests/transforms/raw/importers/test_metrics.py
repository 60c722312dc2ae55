"""Metrics: every format gives the series that its file holds, and the importer stores what is exact for a host."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.files.mutations import Mutation, mutated, mutations
from transforms.raw.files.members import PassedOver
from transforms.raw.importers.metrics import METRICS
from transforms.raw.ingest import ingest
from transforms.raw.metrics.format import Choice, Readings
from transforms.raw.metrics.read import choose, formats, read, series_names, summary
from transforms.raw.read import scan_events

START = datetime(2024, 3, 1, tzinfo=UTC)


def readings_of(path: Path, **choice: Any) -> Readings:
    (readings,) = read(path, Choice(**choice)).readings.values()
    return readings


def written(tmp_path: Path, name: str, content: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding=encoding)
    return path


def values(readings: Readings) -> dict[str, list[float | None]]:
    names = pl.concat_str("entity", "metric", separator=" ").alias("series")
    return dict(readings.points.group_by(names, maintain_order=True).agg("value").iter_rows())


def stored(home: Home) -> pl.DataFrame:
    return scan_events(home, "host_metrics").collect().sort("event_timestamp", "host_id")


def test_the_examples_are_read_as_expected(exports: Path) -> None:
    folder = exports / "metrics"
    for name, expected in json.loads((folder / "expected.json").read_text()).items():
        readings = readings_of(folder / name)
        observed = readings.observations
        counts = readings.records, readings.series.height, observed.height
        assert counts == tuple(expected[key] for key in ("records", "series", "observations")), name
        first, last = observed["time"].min(), observed["time"].max()
        assert [first, last] == [datetime.fromisoformat(expected[key]) for key in ("first", "last")], name
        refused = {why: count for why, count in readings.missing.items() if why != "empty"}
        assert refused == expected["refused"], name
        assert not readings.malformed, name
        if "restarts" in expected:
            assert f"{expected['restarts']} restart of the host" in readings.notes


def test_the_examples_have_the_values_of_their_making(exports: Path) -> None:
    """The same 36 measurements are in each file, in another form."""
    folder = exports / "metrics"
    exact = values(readings_of(folder / "csv" / "epoch_s.csv"))["epoch_s value"]
    forms: dict[str, tuple[str, Callable[[float], float], float]] = {
        "csv/semicolon.csv": ("semicolon value", lambda value: value - 1_000, 1e-9),
        "csv/epoch_us.csv": ("epoch_us value", float, 1e-9),
        "prometheus/query_range.json": ("web-1:9100 node_load1", float, 1e-9),
        "cloudwatch/get-metric-data.json": ("get-metric-data CPUUtilization", float, 1e-9),
        "collectd/web1.example.org/load/load-2024-03-01": ("web1.example.org load/load:shortterm", float, 1e-6),
        "sysstat/sadf_d.csv": ("web1 %user", float, 0.006),
        "sysstat/sadf_dh.csv": ("web1 %user", float, 0.006),
        "grafana/Load-data-2024-03-01 12_00_00.csv": (
            "Load-data-2024-03-01 12_00_00 cpu web-1",
            lambda value: value * 100,
            0.06,
        ),
    }
    for name, (series, restored, tolerance) in forms.items():
        found = values(readings_of(folder / name))[series]
        if name.startswith("cloudwatch"):
            found = found[::-1]
        pairs = [(restored(value), truth) for value, truth in zip(found, exact, strict=True) if value is not None]
        assert len(pairs) >= 35, name
        assert [value for value, _ in pairs] == pytest.approx([truth for _, truth in pairs], abs=tolerance), name


def test_sysstat_has_items_and_repeated_groups(tmp_path: Path) -> None:
    head = "# hostname;interval;timestamp;"
    path = written(
        tmp_path,
        "sar.csv",
        f"{head}IFACE;rxkB/s;txkB/s\nh;60;1709251200;eth0;1.50;2.00\nh;60;1709251200;lo;9.00;9.00\n"
        f"{head}kbmemfree;%memused\nh;60;1709251200;100;25,5\nh;60;1709251200;100\n",
    )
    readings = readings_of(path)
    assert values(readings) == {
        "h rxkB/s IFACE eth0": [1.5],
        "h txkB/s IFACE eth0": [2.0],
        "h rxkB/s IFACE lo": [9.0],
        "h txkB/s IFACE lo": [9.0],
        "h kbmemfree": [100.0],
        "h %memused": [25.5],
    }
    assert [row.reason for row in readings.malformed] == ["4 cells instead of 5"]
    path = written(tmp_path, "h.csv", f"{head}CPU;%idle[...];tps\nh;60;2024-03-01 00:00:00 UTC;-1;90;0;80;1;100;5\n")
    idle = {"h %idle": [90.0], "h %idle CPU 0": [80.0], "h %idle CPU 1": [100.0]}
    assert values(readings_of(path)) == idle | {"h tps": [5.0]}
    with pytest.raises(InputError, match="sadf -d"):
        read(written(tmp_path, "two.csv", f"{head}CPU;%idle[...];IFACE;rxkB/s[...]\n"))


def test_prometheus_names_series_by_their_labels(tmp_path: Path) -> None:
    series = [
        {"metric": {"__name__": "up", "instance": f"h:{port}", "job": job}, "value": [1709251200.5, value]}
        for port, job, value in ((1, "a", "1"), (2, "b", "+Inf"), (3, "b", "1e3"))
    ]
    answer = {"status": "success", "data": {"resultType": "vector", "result": series}}
    readings = readings_of(written(tmp_path, "a.json", json.dumps(answer)))
    assert values(readings) == {'h:1 up{job="a"}': [1.0], 'h:2 up{job="b"}': [None], 'h:3 up{job="b"}': [1000.0]}
    assert readings.missing == {"+Inf is no observation": 1}
    assert values(readings_of(written(tmp_path, "b.json", json.dumps(series[:1], indent=1)))) == {"h:1 up": [1.0]}
    lines = {"metric": {"__name__": "up"}, "values": [1, 2], "timestamps": [1709251200000, 1709251260000]}
    assert values(readings_of(written(tmp_path, "c.jsonl", json.dumps(lines)))) == {"c up": [1.0, 2.0]}
    with pytest.raises(InputError, match="an error of Prometheus: too many samples"):
        read(written(tmp_path, "d.json", '{"status":"error","errorType":"execution","error":"too many samples"}'))


def test_cloudwatch_statistics_and_labels(tmp_path: Path) -> None:
    point = {"Timestamp": "2024-03-01T00:00:00Z", "Average": 12.5, "Maximum": 40.0, "Unit": "Percent"}
    path = written(tmp_path, "s.json", json.dumps({"Label": "CPUUtilization", "Datapoints": [point, None]}, indent=4))
    readings = readings_of(path)
    assert values(readings) == {"s CPUUtilization Average": [12.5], "s CPUUtilization Maximum": [40.0]}
    assert len(readings.malformed) == 1
    result = {"Id": "a", "Label": "i-1 CPUUtilization", "Timestamps": [point["Timestamp"]], "Values": [1]}
    results = [result, result | {"Id": "b", "StatusCode": "PartialData"}, result | {"Values": []}]
    readings = readings_of(written(tmp_path, "d.json", json.dumps({"MetricDataResults": results})))
    assert values(readings) == {"i-1 CPUUtilization": [1.0], "i-1 CPUUtilization b": [1.0]}
    assert (readings.notes, len(readings.malformed)) == (["i-1 CPUUtilization b: PartialData, CloudWatch has more"], 1)


def test_tables_of_grafana_and_spreadsheets(tmp_path: Path) -> None:
    rows = "sep=;\nSeries;Time;Value\na;2024-03-01T00:00:00+01:00;1.5\nb;2024-03-01T00:00:00+01:00;null\n"
    readings = readings_of(written(tmp_path, "g.csv", rows))
    assert values(readings) == {"g a": [1.5], "g b": [None]}
    assert readings.points["time"][0] == START - timedelta(hours=1)
    path = written(tmp_path, "m.csv", "Date;Time;U/min\n13/02/2024;08:00:00;1.200,5\n03/03/2024;08:00:00;1.300,5\n")
    readings = readings_of(path)
    assert values(readings) == {"m U/min": [1200.5, 1300.5]}
    assert readings.points["time"].to_list()[1] == datetime(2024, 3, 3, 8, tzinfo=UTC)
    rows = "note\tgemessen\tm³/h\nx\t03.03.2024 08:00\t5\ny\t04.03.2024 08:00\tdefekt\n"
    path = written(tmp_path, "n.csv", rows, "cp1252")
    measurements = read(path)
    assert values(measurements.readings["n.csv"]) == {"n note": [None, None], "n m³/h": [5.0, None]}
    assert list(summary(measurements)) == ["n.csv: no number in 'note' ('x', 'y')"]
    assert [row.row for row in measurements.readings["n.csv"].malformed] == ["defekt"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            "time,value\n2024-03-01,up\n2024-03-02,x\n",
            "2 rows, of which no number could be read ('value': 'up', 'x')",
        ),
        ("time,value\n2024-03-01,\n", "1 rows, of which no number could be read (all values are empty)"),
        ("time,value\n03/04/2024,1\n", "does not show whether the day or the month comes first"),
        ("a,b\n1,2\n", "no time among 'a', 'b'"),
        ('{"endTime": "x"}', "no time among 'endTime'"),
        ("", "an empty file"),
    ],
)
def test_a_file_without_measurements_says_what_it_is(tmp_path: Path, content: str, found: str) -> None:
    with pytest.raises(InputError) as error:
        read(written(tmp_path, "a.csv", content))
    assert found in error.value.found


def test_one_decimal_mark_is_that_of_all_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "time;bytes;load\n2024-03-01;1.234;5,5\n2024-03-02;2.345;6,25\n")
    assert values(readings_of(path)) == {"a bytes": [1234.0, 2345.0], "a load": [5.5, 6.25]}
    path = written(tmp_path, "b.csv", "time;share;load\n2024-03-01;1.234;5.5\n2024-03-02;2.345;6.25\n")
    assert values(readings_of(path)) == {"b share": [1.234, 2.345], "b load": [5.5, 6.25]}


def test_absent_points_of_regular_series_are_said(tmp_path: Path) -> None:
    kept = [minute for minute in range(60) if minute not in (20, 21, 40)]
    rows = [f"{START + timedelta(minutes=minute)},{minute},{minute if minute != 30 else ''}" for minute in kept]
    path = written(tmp_path, "a.csv", "time,x,y\n" + "\n".join(rows))
    assert list(summary(read(path))) == [
        "a.csv: missing points: 1 empty",
        "a.csv: 3 points absent from a x, in steps of 60 s",
        "a.csv: 3 points absent from a y, in steps of 60 s",
    ]
    irregular = [f"{START + timedelta(minutes=minute**2)},{minute}" for minute in range(60)]
    assert not list(summary(read(written(tmp_path, "b.csv", "time,x\n" + "\n".join(irregular)))))


def test_series_are_chosen_and_folders_name_what_they_pass_over(tmp_path: Path) -> None:
    written(tmp_path, "a.csv", "time,x,y\n2024-03-01,1,2\n")
    written(tmp_path, "readme.txt", "a text\n")
    measurements = read(tmp_path)
    assert [item.name for item in measurements.passed_over] == ["readme.txt"]
    assert series_names(choose(measurements.points, ["y"])) == ["a y"]
    assert series_names(choose(measurements.points, ["a"])) == ["a x", "a y"]
    with pytest.raises(InputError, match="'z'; the series are 'a x', 'a y'"):
        choose(measurements.points, ["z"])


def test_what_is_exact_becomes_a_row_of_a_host(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "in"

    def answer(name: str, points: list[float], **labels: str) -> dict[str, Any]:
        pairs = [[1709251200 + 10 * number, str(value)] for number, value in enumerate(points)]
        return {"metric": {"__name__": name, "instance": "web1:9100", **labels}, "values": pairs}

    series = [
        answer("node_cpu_seconds_total", [100, 105, 115], cpu="0", mode="idle"),
        answer("node_cpu_seconds_total", [0, 10, 12], cpu="1", mode="idle"),
        answer("node_cpu_seconds_total", [0, 5, 9], cpu="0", mode="user"),
        answer("node_network_receive_bytes_total", [1000, 3000, 50], device="eth0"),
        answer("node_network_receive_bytes_total", [0, 1000, 2000], device="eth1"),
        answer("node_network_receive_bytes_total", [0, 9000, 9999], device="lo"),
        answer("node_load1", [1, 1, 1]),
    ]
    written(folder, "prometheus.json", json.dumps({"status": "success", "data": {"result": series}}))
    row = "web1;60;2024-03-01 00:00:10 UTC;25.50"
    written(folder, "sar.csv", f"# hostname;interval;timestamp;%memused\n{row}\nweb1;60;never;1\n")
    items = list(METRICS.batches(folder, home))
    passed_over = {item.name: item.why for item in items if isinstance(item, PassedOver)}
    assert list(passed_over.values()) == ["no exact column of host_metrics"]
    assert "node_load1" in next(iter(passed_over))
    assert 'mode="user"' in next(iter(passed_over))
    report = ingest(home, "metrics:in", items)
    columns = ["host_id", "cpu_permille", "memory_permille", "network_in", "disk_io"]
    assert stored(home).select(columns).rows() == [
        ("web1", 250, 255, 300, None),  # idle: 5 of 10 s and 10 of 10 s; 2,000 and 1,000 bytes in 10 s
        ("web1", 400, None, 100, None),  # idle: 10 and 2 of 10 s; the first counter began again
    ]
    assert report.tables["host_metrics"].quarantined == 1
    before = stored(home)
    ingest(home, "metrics:in", METRICS.batches(folder, home))
    assert stored(home).equals(before)


def test_a_prefix_then_the_whole_is_the_whole(tmp_path: Path) -> None:
    lines = ["timestamp,host_id,cpu_permille,mood"]
    lines += [f"{START + timedelta(minutes=minute)},h{minute % 2},{minute},good" for minute in range(20)]
    whole = written(tmp_path, "whole.csv", "\n".join(lines))
    prefix = written(tmp_path, "prefix.csv", "\n".join(lines[:8]))
    homes = [Home(tmp_path / "a"), Home(tmp_path / "b")]
    for home, paths in zip(homes, ([whole], [prefix, whole]), strict=True):
        for path in paths:
            ingest(home, f"metrics:{path.name}", METRICS.batches(path, home))
    assert stored(homes[0]).drop("created_timestamp").equals(stored(homes[1]).drop("created_timestamp"))
    assert stored(homes[0])["cpu_permille"].to_list() == list(range(20))


def test_the_host_of_a_file_that_names_none_can_be_given(tmp_path: Path) -> None:
    result = {"Id": "a", "Label": "CPUUtilization", "Timestamps": [str(START)], "Values": [12.34]}
    path = written(tmp_path, "d.json", json.dumps({"MetricDataResults": [result]}))
    (*_, batch) = METRICS.batches(path, Home(tmp_path), host="web7")
    assert not isinstance(batch, PassedOver)
    assert batch.rows.rows() == [("web7", START, 123)]
    with pytest.raises(InputError, match="node_load1: no exact column"):
        lines = {"metric": {"__name__": "node_load1"}, "value": [1709251200, "1"]}
        list(METRICS.batches(written(tmp_path, "p.json", json.dumps(lines)), Home(tmp_path)))


FILES = {
    "a.csv": b"time;cpu;net\n01.03.2024 00:00;1,5 %;3 KiB\n01.03.2024 00:05;2,5 %;\n",
    "b.csv": b"# hostname;interval;timestamp;CPU;%idle[...]\nh;60;1709251200;-1;9;0;8\n",
    "c.json": b'{"status":"success","data":{"result":[{"metric":{},"values":[[1709251200,"NaN"],[1e9,2]]}]}}',
    "d.json": b'{"MetricDataResults":[{"Id":"m","Timestamps":["2024-03-01T00:00:00Z"],"Values":[1.5]}]}',
    "e": b"epoch,rx,tx\n1709251200.000,1.5,nan\n",
    "f.jsonl": b'{"ts":1709251200,"host":"h","cpu":5}\n{"ts":1709251260,"host":"h","cpu":"6"}\n',
}


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(FILES)), changes=mutations(longest=12))
def test_damaged_bytes_are_readings_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[Mutation]
) -> None:
    path = tmp_path_factory.mktemp("metrics") / name
    path.write_bytes(mutated(FILES[name], changes))
    try:
        measurements = read(path)
        list(summary(measurements))
        for item in METRICS.batches(path, Home(path.parent)):
            assert item
    except InputError as error:
        assert error.found.encode()


def test_formats_are_found_by_their_type() -> None:
    names = [kind.name for kind in formats()]
    assert names[-2:] == ["JSON objects", "a table"]
    assert len(names) == 7
