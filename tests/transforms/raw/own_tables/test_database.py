"""Queries of a real PostgreSQL become events: typed, streamed, continued by a cursor, also after an end half-way."""

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.own_tables import make_project, quarantined, stored
from tests.postgres import Postgres, running
from tests.processes import run_python
from transforms.raw.own_tables.request import TableRequest
from transforms.raw.own_tables.run import import_query
from transforms.raw.report import Report, TableReport

QUERY = "SELECT id, customer AS customer_id, item, cents, gift, at FROM orders"
CREATE = (
    "DROP TABLE IF EXISTS orders",
    "CREATE TABLE orders (id bigserial, customer text, item text, cents bigint, gift boolean, at timestamptz)",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running() as postgres:
        yield postgres


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("shop"), "own_database_shop")


@pytest.fixture
def shop(project: Path, tmp_path: Path, server: Postgres) -> Home:
    server.execute(*CREATE)
    return Home(tmp_path / "home", project_folder=project)


def run(home: Home, server: Postgres, **options: Any) -> tuple[TableReport, list[str]]:
    lines: list[str] = []
    report = import_query(home, request(server, **options), show=lines.append)
    assert isinstance(report, Report)
    return report.tables["orders"], lines


def request(server: Postgres, **options: Any) -> TableRequest:
    return TableRequest("orders", **{"sql": server.url, "query": QUERY, "time": "at", "cursor": "at", **options})


def add(server: Postgres, *rows: tuple[Any, ...]) -> None:
    values = ", ".join(f"('{customer}', '{at}', {cents})" for customer, at, cents in rows)
    server.execute(f"INSERT INTO orders (customer, at, cents) VALUES {values}")


def test_rows_are_stored_and_only_later_ones_read_next_time(shop: Home, server: Postgres) -> None:
    add(server, ("ann", "2026-01-05 12:00+00", 1), ("bob", "2026-01-05 14:00+01", 2), ("cat", "2026-01-04Z", 3))
    first, lines = run(shop, server)
    assert (first.read, first.added) == (3, 3)
    assert lines[0] == f"{server.url.replace('secret', '***')}: a query of PostgreSQL"
    assert [(row["customer_id"], row["cents"], row["event_timestamp"].hour) for row in stored(shop)] == [
        ("cat", 3, 0),
        ("ann", 1, 12),
        ("bob", 2, 13),
    ]
    # one with the time of the last, one later, and one earlier, which a cursor does not see
    add(server, ("dan", "2026-01-05 13:00+00", 4), ("eve", "2026-01-06", 5), ("old", "2026-01-01", 6))
    second, lines = run(shop, server)
    assert (second.read, second.added, second.known) == (3, 2, 1)
    assert lines[0].endswith("from at = 2026-01-05 13:00:00+00:00")
    third, _ = run(shop, server)
    assert (third.read, third.added) == (1, 0)
    assert [row["customer_id"] for row in stored(shop)] == ["cat", "ann", "bob", "dan", "eve"]


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("bigint", ["5", "9"], "10"),
        ("numeric(20, 2)", ["5.25", "9.5"], "10.75"),
        ("double precision", ["5.25", "9.5"], "10.75"),
        ("date", ["'2026-01-01'", "'2026-01-09'"], "'2026-01-10'"),
        ("timestamp", ["'2026-01-01'", "'2026-01-09 10:00:00.000001'"], "'2026-01-09 10:00:00.000002'"),
        ("text", ["'a''b'", "'c\"\\d'"], "'x'"),
        ("uuid", ["'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-00000000000a'"],
         "'00000000-0000-0000-0000-00000000000b'"),
    ],
)  # fmt: skip
def test_cursors_of_any_ordered_type(shop: Home, server: Postgres, column: str, first: list[str], second: str) -> None:
    server.execute(f"ALTER TABLE orders ADD COLUMN version {column}")
    insert = "INSERT INTO orders (customer, at, version) VALUES ('c', timestamptz '2026-01-0{0}Z', {1})"
    server.execute(*(insert.format(number, value) for number, value in enumerate([*reversed(first), "NULL"], 1)))
    query = "SELECT customer AS customer_id, at, version FROM orders;"
    assert run(shop, server, query=query, cursor="version")[0].added == 3
    server.execute(insert.format(9, second))
    report, _ = run(shop, server, query=query, cursor="version")
    assert (report.read, report.added) == (2, 1)


def test_a_row_that_does_not_fit_is_no_place_to_continue_from(shop: Home, server: Postgres) -> None:
    add(server, ("ann", "2026-01-05Z", 1), ("bob", "2999-01-01Z", 2), ("cat", "infinity", 2))
    assert run(shop, server)[0].quarantined == 2
    add(server, ("dan", "2026-01-06Z", 4))
    assert run(shop, server)[0].added == 1
    assert [row["customer_id"] for row in stored(shop)] == ["ann", "dan"]
    reasons = {reason for reason, _ in quarantined(shop)}
    assert reasons == {"event_timestamp in the future", "event_timestamp: not between the years 1 and 9999"}


def test_a_numeric_cursor_in_the_future_is_no_place_either(shop: Home, server: Postgres) -> None:
    server.execute("INSERT INTO orders (customer, id) VALUES ('ann', 1767614400000), ('bob', 9767614400000)")
    options = {"query": "SELECT customer AS customer_id, id FROM orders", "time": "id", "cursor": "id"}
    assert run(shop, server, **options, time_format="ms")[0].quarantined == 1
    server.execute("INSERT INTO orders (customer, id) VALUES ('cat', 1767614400001)")
    assert run(shop, server, **options, time_format="ms")[0].added == 1


def test_types_of_postgresql(shop: Home, server: Postgres) -> None:
    query = """
        SELECT * FROM (VALUES
            (17.00::numeric, '5'::text, 1::int2, 7.00::numeric(9, 2), DATE '2026-01-05'),
            (18.00, NULL, 0, NULL, DATE '2026-01-06'),
            (19.00, 'x', 5, 7.5, DATE '2026-01-07')
        ) AS rows (customer_id, item, gift, cents, at)  -- of a comment
    """
    report, lines = run(shop, server, query=query)
    assert (report.added, report.quarantined) == (2, 1)
    assert [(row["customer_id"], row["item"], row["gift"], row["cents"]) for row in stored(shop)] == [
        ("17", "5", True, 7),
        ("18", None, False, None),
    ]
    assert any("decimal numbers" in line and "cents, Int64" in line for line in lines)
    server.execute("DROP TYPE IF EXISTS size", "CREATE TYPE size AS ENUM ('s', 'm')")
    uuid = "8d3b9a3e-5bd0-4a6b-b7ad-53d60f7f2c0d"
    query = f"SELECT '{uuid}'::uuid AS customer_id, 's'::size AS item, now() AS at UNION ALL SELECT NULL, 'm', now()"
    run(shop, server, query=query, cursor="")
    assert [(row["customer_id"], row["item"]) for row in stored(shop)][-1] == (uuid, "s")


def test_a_database_that_goes_away_leaves_what_was_read_and_the_next_run_continues(
    shop: Home, server: Postgres
) -> None:
    server.execute(
        "INSERT INTO orders (customer, at, item) SELECT 'c' || n, timestamptz '2026-01-01Z' + n / 3 * interval "
        "'1 second', repeat('x', 2000) FROM generate_series(1, 60000) AS n"
    )
    stopped = threading.Event()

    def stop_once(done: float, total: float, note: str = "") -> None:
        if not stopped.is_set():
            stopped.set()
            server.stop()

    with pytest.raises(InputError) as caught:
        import_query(shop, request(server), show=lambda line: None, progress=stop_once)
    server.start()
    assert "broke off" in caught.value.found
    assert "rows that could be read are stored" in caught.value.found
    count = len(stored(shop))
    assert 0 < count < 60_000
    report, lines = run(shop, server)
    assert "from at = " in lines[0]
    assert report.read < 60_000 - count + 4
    assert report.added == 60_000 - count
    rows = stored(shop)
    assert len({row["customer_id"] for row in rows}) == len(rows) == 60_000


def test_the_session_is_read_only(shop: Home, server: Postgres) -> None:
    add(server, ("ann", "2026-01-05", 1))
    with pytest.raises(InputError) as caught:
        run(shop, server, query="DELETE FROM orders RETURNING customer AS customer_id, at", cursor="")
    assert "read-only transaction" in caught.value.found
    assert run(shop, server, query=f"{QUERY} -- all of them", cursor="")[0].added == 1


def test_the_command_reads_a_query_and_continues(shop: Home, server: Postgres) -> None:
    add(server, ("ann", "2026-01-05", 1))
    places = {"REFRAIN_HOME": str(shop.root), "REFRAIN_PROJECT": str(shop.project_folder)}
    environment = {**os.environ, **places, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    options = ["--sql", server.url, "--query", QUERY, "--as", "orders", "--time", "at", "--cursor", "at"]
    for added in (1, 0):
        completed = run_python("-m", "refrain", "import", "table", *options, environment=environment, check=True)
        assert re.search(rf"orders +1 read +{added} added", completed.stdout)
    assert "secret" not in completed.stdout + completed.stderr


def test_look_stores_nothing(shop: Home, server: Postgres) -> None:
    add(server, ("ann", "2026-01-05", 1))
    lines: list[str] = []
    assert import_query(shop, request(server), show=lines.append, look=True) is None
    assert not shop.root.exists()
    assert any("event_timestamp (time)" in line for line in lines)


def test_no_later_rows_is_no_error(shop: Home, server: Postgres) -> None:
    add(server, ("ann", "2026-01-05", 1))
    run(shop, server)
    server.execute("DELETE FROM orders")
    report, lines = run(shop, server)
    assert report.read == 0
    assert "no rows" in lines[0]


def test_the_kept_value_is_of_one_query_and_holds_no_password(shop: Home, server: Postgres) -> None:
    add(server, ("ann", "2026-01-05Z", 1))
    run(shop, server)
    (file,) = shop.cursors("orders").iterdir()
    content = json.loads(file.read_text())
    assert content["value"] == "2026-01-05 00:00:00+00:00"
    assert "secret" not in file.read_text()
    add(server, ("old", "2026-01-01Z", 1))
    assert run(shop, server, query=f"{QUERY} WHERE true")[0].read == 2
    file.write_text("{")
    with pytest.raises(InputError) as caught:
        run(shop, server)
    assert f"rm {file}" in caught.value.next_command


@pytest.mark.parametrize(
    ("options", "expected", "found"),
    [
        ({"sql": "mysql://ann:secret@db/shop"}, "address of PostgreSQL", "mysql://ann:***@db/shop"),
        ({"sql": "postgresql://ann:secret@127.0.0.1:1/shop"}, "an answer of postgresql://ann:***@", "127.0.0.1"),
        ({"query": "SELECT * FROM absent"}, "an answer of", 'relation "absent" does not exist'),
        ({"query": "SELECT 1 AS a, 2 AS a", "cursor": ""}, "a name of its own", "'a'"),
        ({"cursor": "changed"}, "an answer of", 'column "changed" does not exist'),
        ({"kind": "sales"}, "a kind of events", "'sales'"),
        ({}, "rows in", "none"),
    ],
)
def test_one_clear_error_and_nothing_is_stored(
    shop: Home, server: Postgres, options: dict[str, Any], expected: str, found: str
) -> None:
    with pytest.raises(InputError) as caught:
        import_query(shop, TableRequest(**{**vars(request(server)), **options}), show=lambda line: None)
    error = caught.value
    assert expected in error.expected
    assert found in error.found
    assert "secret" not in str(error)
    assert not shop.root.exists()


def test_a_request_is_a_file_or_a_query() -> None:
    TableRequest("orders", Path("x.csv")).check()
    TableRequest("orders", sql="postgresql://db", query="SELECT 1").check()
    wrong: list[dict[str, Any]] = [{}, {"sql": "x"}, {"query": "x"}, {"path": Path("x"), "cursor": "at"}]
    for options in wrong:
        with pytest.raises(InputError):
            TableRequest("orders", **options).check()
