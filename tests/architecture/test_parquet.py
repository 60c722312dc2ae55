"""Parquet is read and written by one module, which encrypts it where that is on."""

import ast
from pathlib import Path

from tests.repository import REPOSITORY

PACKAGES = ("feature_repo", "transforms", "training", "inference", "refrain")
THE_MODULE = REPOSITORY / "feature_repo" / "encryption" / "parquet_files.py"
CALLS = {
    *("read_parquet", "scan_parquet", "write_parquet", "sink_parquet", "read_parquet_schema", "read_parquet_metadata"),
    *("ParquetFile", "ParquetWriter", "ParquetDataset", "read_metadata", "write_to_dataset"),
}
OF_PQ = {"read_table", "write_table", "read_schema"}
"""Functions of ``pyarrow.parquet`` whose names others have, too."""


def uses(source: str) -> list[tuple[int, str]]:
    """Lines and names of calls that read or write Parquet by another way than the module's."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            is_pq = isinstance(node.value, ast.Name) and node.value.id == "pq" and node.attr in OF_PQ
            if node.attr in CALLS or is_pq:
                found.append((node.lineno, node.attr))
    return found


def test_no_other_module_reads_or_writes_parquet() -> None:
    others = [
        f"{path.relative_to(REPOSITORY)}:{line}: {name}"
        for package in PACKAGES
        for path in sorted((REPOSITORY / package).rglob("*.py"))
        if path != THE_MODULE
        for line, name in uses(path.read_text("utf-8"))
    ]
    assert not others, "use feature_repo.encryption.parquet_files"


def test_the_check_finds_such_calls() -> None:
    assert uses("pl.scan_parquet(path)\npq.write_table(rows, path)\nframe.write_parquet(path)") == [
        (1, "scan_parquet"),
        (2, "write_table"),
        (3, "write_parquet"),
    ]
    assert not uses("parquet_files.scan(path)\nwriter.write_table(rows)")
    assert uses(Path(THE_MODULE).read_text("utf-8"))
