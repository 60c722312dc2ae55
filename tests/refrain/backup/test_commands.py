"""``refrain backup`` and the commands that docs/backups.md shows, on a project whose people are whole numbers."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from feature_repo import clock
from feature_repo.encryption.settings import KEY
from feature_repo.home import Home
from feature_repo.project import PROJECT
from inference.security.keys import FORGOTTEN, KeyRing
from refrain.cli import app
from tests.projects import outside_projects, write_project
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan

ZERO = datetime(2026, 4, 1, tzinfo=UTC)
FILES = {
    "refrain.toml": """
        name = "shop"
        definitions = ["backup_shop"]
        """,
    "backup_shop/__init__.py": """
        from feature_repo.windows import EventSource, Sum, WindowedTable

        orders = EventSource("orders", columns={"customer_id": "Int64", "cents": "Int64"}, key=("customer_id",))
        customer_orders = WindowedTable(
            name="customer_orders", about="Orders", source=orders, keys=("customer_id",), windows=("7d",),
            features={"cents": Sum("cents")},
        )
        """,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with outside_projects(monkeypatch):
        monkeypatch.setenv(PROJECT, str(write_project(tmp_path / "project", FILES)))
        monkeypatch.setenv("REFRAIN_HOME", str(tmp_path / "data"))
        monkeypatch.setenv(clock.NOW, (ZERO + timedelta(days=3)).isoformat())
        monkeypatch.delenv(KEY, raising=False)
        monkeypatch.chdir(tmp_path)
        home = Home.from_env()
        times = [ZERO + timedelta(hours=hour) for hour in range(4)]
        orders = {"customer_id": [17, 170, 17, 1], "cents": [1, 2, 3, 4], "event_timestamp": times}
        ingest(home, "test", [Batch("orders", pl.DataFrame(orders))])
        yield home


def _replaced(text: str, new: dict[str, str]) -> str:
    for old, instead in new.items():
        text = text.replace(old, instead)
    return text


def call(*words: str, code: int = 0) -> str:
    result: Result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_a_backup_from_its_making_to_its_restoration(home: Home, tmp_path: Path) -> None:
    failed = CliRunner().invoke(app, ["backup", "create", "a.backup"])
    assert failed.exit_code and "refrain encryption on" in failed.output
    call("encryption", "on", "--key", f"file:{tmp_path / 'kek'}", "--make-key")
    assert "4 rows and lines, 3 people" in call("backup", "create", "a.backup")
    assert json.loads(call("backup", "verify", "a.backup", "--json"))["people"] == 3
    call("person", "forget", "17", "--key", "customer_id", "--yes")
    assert "2 rows and lines left out, of 1 forgotten people" in call("backup", "verify", "a.backup")
    assert json.loads(call("backup", "create", "b.backup", "--json"))["left_out_rows"] == 0
    wrapped = home.encryption_keys.read_bytes()
    shutil.rmtree(home.root)
    home.encryption_keys.parent.mkdir(parents=True)
    home.encryption_keys.write_bytes(wrapped)
    output = call("backup", "restore", "a.backup")
    assert "2 rows and lines left out" in output and "refrain build" in output
    assert scan(home, "orders").collect()["customer_id"].sort().to_list() == [1, 170]
    call("build")
    output = call("person", "scan", "17", "--key", "customer_id")
    assert "0 places" in output and "not decoded" not in output
    assert "17 is forgotten, and no certificate is here" in call("person", "status", "17", "--key", "customer_id")
    assert not [path for path in (home.root / "raw").rglob("*.parquet") if path.read_bytes()[:4] != b"PARE"]
    assert "made plain" in call("encryption", "off", "--yes")


def test_an_api_key_of_a_forgotten_person_loses_its_name_and_is_not_lost(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = {"backup_shop": "named_shop", '"customer_id": "Int64"': '"customer_id": "String"'}
    texts = {_replaced(name, new): _replaced(text, new) for name, text in FILES.items()}
    shutil.rmtree(home.root)
    monkeypatch.setenv(PROJECT, str(write_project(tmp_path / "other", texts)))
    times = [ZERO + timedelta(hours=hour) for hour in range(2)]
    orders = {"customer_id": ["c000017", "c000018"], "cents": [1, 2], "event_timestamp": times}
    ingest(Home.from_env(), "test", [Batch("orders", pl.DataFrame(orders))])
    call("encryption", "on", "--key", f"file:{tmp_path / 'kek'}", "--make-key")
    call("keys", "create", "c000017", "--role", "predict")
    call("backup", "create", "a.backup")
    (before,) = KeyRing(home).all()
    call("person", "forget", "c000017", "--key", "customer_id", "--yes")
    (key,) = KeyRing(home).all()  # none would mean that nobody is asked for a key
    assert (before.name, key.name, key.state(key.created)) == ("c000017", FORGOTTEN, "revoked")
    wrapped = home.encryption_keys.read_bytes()
    shutil.rmtree(home.root)
    home.encryption_keys.parent.mkdir(parents=True)
    home.encryption_keys.write_bytes(wrapped)
    call("backup", "restore", "a.backup")
    (key,) = KeyRing(home).all()
    assert (key.name, key.state(key.created), key.digest) == (FORGOTTEN, "revoked", before.digest)


def test_the_help_says_what_a_backup_is() -> None:
    for command in ("create", "verify", "restore"):
        assert f"refrain backup {command}" in call("backup", command, "--help")
