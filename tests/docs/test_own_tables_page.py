"""The example of docs/own_tables.md runs as it stands there, and prints what the page shows."""

import os
import re
import shlex
from pathlib import Path

from feature_repo.home import REPOSITORY, Home
from tests.own_tables import quarantined, stored
from tests.processes import run_python

PAGE = (REPOSITORY / "docs" / "own_tables.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def run(folder: Path, command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFRAIN_")}
    environment["PYTHONPATH"] = str(REPOSITORY)
    words = shlex.split(command)
    assert words[0] == "refrain"
    completed = run_python("-m", *words, environment=environment, folder=folder)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def test_the_example_runs(tmp_path: Path) -> None:
    (tmp_path / "shop_features.py").write_text(blocks("python")[0])
    project, section = blocks("toml")[:2]
    (tmp_path / "refrain.toml").write_text(project)
    (tmp_path / "orders.csv").write_text(blocks("csv")[0])
    home = Home(tmp_path / "data")
    look, store = (block.strip() for block in blocks("sh")[:2])
    assert run(tmp_path, look) == blocks("text")[0]
    assert not home.root.exists()
    assert re.search(r"orders +3 read +2 added .* 1 quarantined\n", run(tmp_path, store))
    assert [row["customer_id"] for row in stored(home)] == ["17", "18"]
    assert [reason for reason, _ in quarantined(home)] == ["cents: no decimal digits"]
    (tmp_path / "refrain.toml").write_text(project + section)
    again = run(tmp_path, "refrain import table orders.csv --as orders")
    assert re.search(r"orders +3 read +0 added .* 2 stored before", again)


def test_options_of_tables_belong_to_tables(tmp_path: Path) -> None:
    environment = {**os.environ, "REFRAIN_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    completed = run_python("-m", "transforms", "import", "lastfm", "x", "--as", "plays", environment=environment)
    assert completed.returncode == 1
    assert "options such as --as with the format table only" in completed.stderr
