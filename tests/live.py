"""What is online of windowed tables, and what the batch run says it should be."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from feature_repo.contract import contract_of
from feature_repo.definitions.events.plays import plays
from feature_repo.home import REPOSITORY, Home
from feature_repo.keys import key_value
from feature_repo.packed import entity_key
from feature_repo.packed.address import Address
from feature_repo.packed.decode import decode
from feature_repo.packed.schema import Schema
from feature_repo.packed.server import WRITE_TIMEOUT, Server, get, open_server
from feature_repo.windows import WindowedTable
from tests.oracles.windows import micros
from tests.windowed import same
from transforms import feature_tables
from transforms.stream.state.live_rows import LiveRows

Rows = dict[tuple[Any, ...], dict[str, Any]]


def server_of(home: Home) -> Server:
    return open_server(home, Address.from_env(), WRITE_TIMEOUT)


def online(home: Home, name: str) -> Rows:
    """Key → the row that readers find, its moment as ``at``."""
    table, server = contract_of(home).windowed[name], server_of(home)
    prefix, schema = entity_key.prefix(home.project, name), Schema.of(name, table.fields)
    names = sorted({key for part in server.scan(prefix + b"*") for key in part})
    block = decode(get(server, names), schema, lambda fingerprint: None)
    columns: dict[str, list[Any]] = {"at": [int(at) for at in block.event]}
    for column in schema.columns:
        values = block.numbers(column.name).tolist() if column.is_fixed else block.objects(column.name)
        gone = block.is_null(column.name)
        columns[column.name] = [None if null else plain(value) for value, null in zip(values, gone, strict=True)]
    keys = [
        dict(
            zip(
                sorted(table.keys),
                (part.decode() for part in entity_key.parts(one[len(prefix) : -1], len(table.keys))),
                strict=True,
            )
        )
        for one in names
    ]
    types = {key: table.enriched.feast_type(key) for key in table.keys}
    keys = [{name: key_value(part, str(types[name]), name) for name, part in key.items()} for key in keys]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {tuple(key[part] for part in table.keys): row for key, row in zip(keys, rows, strict=True)}


def plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def columns_of(rows: LiveRows) -> dict[str, pa.Array]:
    """Column → (n,) values of rows that were pushed."""
    count = len(rows.event)
    return {
        name: values.slice(place * count, count)
        for names, values in rows.columns.items()
        for place, name in enumerate(names)
    }


def batch(home: Home, name: str, clock: int) -> Rows:
    """Key → the newest row of the feature table up to a moment."""
    table = contract_of(home).windowed[name]
    rows = feature_tables.scan(home, name).collect().with_columns(at=pl.col("event_timestamp").dt.timestamp("us"))
    rows = rows.filter(pl.col("at") <= clock).sort("at", "created_timestamp")
    newest = rows.unique(list(table.keys), keep="last", maintain_order=True)
    found = {}
    for row in newest.iter_rows(named=True):
        del row["event_timestamp"], row["created_timestamp"]
        found[tuple(row.pop(key) for key in table.keys)] = row
    return found


def assert_same(table: WindowedTable, found: Rows, expected: Rows) -> None:
    assert found.keys() == expected.keys(), (
        table.name,
        sorted(found.keys() - expected.keys())[:3],
        sorted(expected.keys() - found.keys())[:3],
    )
    for key, row in expected.items():
        for field, value in row.items():
            assert same(found[key][field], value), (table.name, key, field, found[key][field], value)


def to_json_lines(rows: Iterable[dict[str, Any]]) -> list[bytes]:
    """Events as JSON."""
    names = ("event_timestamp", "created_timestamp", *plays.columns)
    return [
        json.dumps(
            {
                name: row[name].isoformat() if isinstance(row[name], datetime) else row[name]
                for name in names
                if row.get(name) is not None
            }
        ).encode()
        for row in rows
    ]


def clock_of(rows: Iterable[dict[str, Any]]) -> int:
    return max(micros(row["event_timestamp"]) for row in rows) + 1


def start_reader(home: Home, *arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """`refrain stream` in a process of its own."""
    call = [sys.executable, "-W", "ignore", "-m", "transforms", "stream", *arguments]
    environment = {**os.environ, "REFRAIN_HOME": str(home.root), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        call,
        cwd=Path(home.root).parent,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
