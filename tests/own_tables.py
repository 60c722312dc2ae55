"""A project with the events ``orders``, for tests of tables that a person brings."""

from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.home import Home

ORDERS = """
from feature_repo.windows import EventSource

orders = EventSource(
    "orders",
    columns={"customer_id": "String", "item": "String", "cents": "Int64", "gift": "Bool"},
    key=("customer_id",),
)
visits = EventSource("visits", columns={"visitor": "Int64", "page": "String"}, key=("visitor",))
"""


def make_project(folder: Path, package: str, toml: str = "") -> Path:
    """Writes a project whose package of definitions has the events ``orders`` and ``visits``.

    Args:
        folder: the project's folder.
        package: name of the package; a process imports a name from one folder only.
        toml: further lines of the project's file.
    """
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(ORDERS)
    (folder / "refrain.toml").write_text(f'name = "shop"\ndefinitions = ["{package}"]\n{toml}')
    return folder


def stored(home: Home, kind: str = "orders") -> list[dict[str, Any]]:
    """Returns the rows of a raw table, in the order of their times and keys."""
    files = sorted(home.raw(kind).rglob("*.parquet"))
    if not files:
        return []
    rows = pl.concat([pl.read_parquet(file, glob=False, hive_partitioning=False) for file in files])
    return rows.sort(rows.columns).to_dicts()


def quarantined(home: Home, kind: str = "orders") -> list[tuple[str, str]]:
    """Returns reason and row of every quarantined row, sorted."""
    files = sorted(home.quarantine(kind).rglob("*.parquet"))
    return sorted(row for file in files for row in pl.read_parquet(file, glob=False)["reason", "row"].rows())
