"""Paths are paths: no call takes one of a data folder or of a user as a pattern, or puts it into an address by hand."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES

GLOBBING = {"read_parquet", "scan_parquet", "read_csv", "scan_csv", "scan_ipc"}
"""Functions of polars that take a path as a pattern unless they are told not to."""

ALWAYS = {"read_ipc", "read_parquet_schema", "read_ipc_schema", "read_ndjson"}
"""Those that cannot be told, and those are for content alone."""


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            value = node.func.value
            if isinstance(value, ast.Name) and value.id == "pl":
                yield node


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))


def test_polars_takes_no_path_as_a_pattern() -> None:
    wrong = []
    for path in sources():
        for call in calls(path):
            name = call.func.attr  # type: ignore[attr-defined]
            told = {word.arg: word.value for word in call.keywords}
            is_literal = isinstance(told.get("glob"), ast.Constant) and told["glob"].value is False
            of_content = (
                bool(call.args) and isinstance(call.args[0], ast.Call) and "BytesIO" in ast.unparse(call.args[0])
            )
            if (name in GLOBBING and not is_literal) or (name in ALWAYS and not of_content):
                wrong.append(f"{path.relative_to(REPOSITORY)}:{call.lineno} {name}")
    assert not wrong, wrong


@pytest.mark.parametrize("scheme", ["sqlite:///{", "file://{"])
def test_no_address_is_made_by_hand(scheme: str) -> None:
    found = [str(path.relative_to(REPOSITORY)) for path in sources() if f'f"{scheme}' in path.read_text()]
    assert found == ["training/mlflow_paths.py"] * (scheme == "file://{")  # what MLflow has written, to be compared
