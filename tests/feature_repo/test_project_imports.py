"""Sections ``[imports.KIND]`` of a project's file are read, and checked with one clear error."""

from pathlib import Path

import pytest

from feature_repo.errors import InputError
from feature_repo.project import Project, TableImport


def load(folder: Path, toml: str) -> Project:
    (folder / "refrain.toml").write_text(f'name = "shop"\n{toml}')
    return Project.load(folder)


def test_sections_are_read(tmp_path: Path) -> None:
    toml = '[imports.orders]\ntime = "at"\ntime_format = "ms"\nmap = { customer_id = "customer" }\n[imports.visits]\n'
    project = load(tmp_path, toml)
    assert project.imports == {
        "orders": TableImport("at", "ms", {"customer_id": "customer"}),
        "visits": TableImport(),
    }
    assert isinstance(hash(project), int)
    assert load(tmp_path, "# nothing\n").imports == {}


@pytest.mark.parametrize(
    ("toml", "expected", "found"),
    [
        ('imports = "orders"', "imports as sections such as [imports.orders]", "'orders'"),
        ('[imports]\norders = "x"', "imports as sections", "{'orders': 'x'}"),
        ('[imports.orders]\ntimes = "at"', "time, time_format, map in [imports.orders]", "'times'"),
        ("[imports.orders]\ntime = 5", "time as a text in [imports.orders]", "5"),
        ('[imports.orders]\nmap = "x"', "map as columns such as", "'x'"),
        ("[imports.orders]\nmap = { a = 1 }", "map as columns such as", "{'a': 1}"),
    ],
)
def test_sections_are_checked(tmp_path: Path, toml: str, expected: str, found: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, toml)
    assert expected in caught.value.expected
    assert found in caught.value.found
    assert caught.value.next_command == f"correct {tmp_path / 'refrain.toml'}"
