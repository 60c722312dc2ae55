"""Telemetry on the stream: after the last event, the online values equal those of a batch run."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from feature_repo.events import Names, append
from feature_repo.home import Home
from feature_repo.packed.address import Address
from tests.live import assert_same, batch, online, server_of
from tests.music import EVENTS, WINDOWED
from transforms.batch.build import build
from transforms.raw.ingest import ingest
from transforms.raw.simulate.telemetry.run import _days
from transforms.raw.simulate.telemetry.schedule import TelemetrySize
from transforms.stream.batch_boundary import archive
from transforms.stream.log import Log
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

SIZE = TelemetrySize(hosts=1, endpoints=2, rate=0.4, accounts=12, masters=0, days=2, quiet_days=1, incidents=0)
KINDS = ("host_metrics", "requests", "logins")


@pytest.fixture(scope="module")
def events() -> list[tuple[int, str, bytes]]:
    """Time, kind and JSON of every event of a small service, in order of created time."""
    known_events = []
    for table_batch in _days(SIZE, seed=2):
        if table_batch.table in KINDS:
            names = [*EVENTS[table_batch.table].columns, "event_timestamp", "created_timestamp"]
            for row in table_batch.rows.select(name for name in names if name in table_batch.rows.columns).iter_rows(
                named=True
            ):
                known_at = int(row["created_timestamp"].timestamp() * 1e6)
                known_events.append((known_at, table_batch.table, json.dumps(row, default=datetime.isoformat).encode()))
    return sorted(known_events)


def test_live_tables_of_telemetry_equal_a_batch_run(home: Home, events: list[tuple[int, str, bytes]]) -> None:
    settings = Settings(follows="events", until_idle=True, batch=500, flood=10**6)
    names = Names(home.project)
    for start in range(0, len(events), 1_500):
        append(server_of(home), names, [(kind, event) for _, kind, event in events[start : start + 1_500]])
    report = Reader(home, Address.from_env(), Stream, settings, say=lambda text: None).run()
    assert report.counts["accepted"] == len(events)
    archive(home, Log(server_of(home), names))
    build(home)
    newest = max(json.loads(event)["event_timestamp"] for _, _, event in events)
    clock = int(datetime.fromisoformat(newest).astimezone(UTC).timestamp() * 1e6) + 1
    live = [table for table in WINDOWED.values() if table.is_live and table.source.name in KINDS]
    assert {table.name for table in live} >= {"host_health", "endpoint_performance", "client_activity"}
    for table in live:
        rows = online(home, table.name)
        assert rows, table.name
        assert_same(table, rows, batch(home, table.name, clock))


def test_a_batch_import_of_the_same_events_adds_nothing(home: Home) -> None:
    batches = [table_batch for table_batch in _days(SIZE, seed=2) if table_batch.table in KINDS]
    first = ingest(home, "first", batches)
    second = ingest(home, "again", batches)
    assert sum(table.added for table in first.tables.values()) == sum(
        table_batch.rows.height for table_batch in batches
    )
    assert sum(table.added for table in second.tables.values()) == 0
    assert pl.concat([table_batch.rows.select("event_timestamp") for table_batch in batches]).height > 3_000
