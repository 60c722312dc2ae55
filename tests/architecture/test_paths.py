"""No call treats a path as a glob pattern, and no code formats a path into a URL by hand."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES

GLOB_FUNCTIONS = {"read_parquet", "scan_parquet", "read_csv", "scan_csv", "scan_ipc"}
"""Functions of polars that expand a path as a glob pattern unless ``glob=False``."""

CONTENT_FUNCTIONS = {"read_ipc", "read_parquet_schema", "read_ipc_schema", "read_ndjson"}
"""Functions of polars without a ``glob`` argument: they may read only from ``BytesIO``."""


def polars_calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            value = node.func.value
            if isinstance(value, ast.Name) and value.id == "pl":
                yield node


def source_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))


def test_polars_takes_no_path_as_a_pattern() -> None:
    violations = []
    for path in source_files():
        for call in polars_calls(path):
            name = call.func.attr  # type: ignore[attr-defined]
            arguments = {word.arg: word.value for word in call.keywords}
            is_literal = isinstance(arguments.get("glob"), ast.Constant) and arguments["glob"].value is False
            is_from_content = (
                bool(call.args) and isinstance(call.args[0], ast.Call) and "BytesIO" in ast.unparse(call.args[0])
            )
            if (name in GLOB_FUNCTIONS and not is_literal) or (name in CONTENT_FUNCTIONS and not is_from_content):
                violations.append(f"{path.relative_to(REPOSITORY)}:{call.lineno} {name}")
    assert not violations, violations


@pytest.mark.parametrize("scheme", ["sqlite:///{", "file://{"])
def test_no_address_is_made_by_hand(scheme: str) -> None:
    files = [str(path.relative_to(REPOSITORY)) for path in source_files() if f'f"{scheme}' in path.read_text()]
    # training/mlflow_paths.py compares with an address that MLflow wrote
    assert files == ["training/mlflow_paths.py"] * (scheme == "file://{")
