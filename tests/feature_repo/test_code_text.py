"""The code of functions for digests: comments do not count, code does, also that of modules which are imported."""

import importlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from feature_repo.code_text import code_of
from tests.projects import imports_undone, write_project

WHOLE = '''"""What it is."""
import json
from steps_of_a_test.parts import part

TEXT = """
# no comment
"""

def whole(x):
    """Says what it does.

    At length.
    """
    "and more"; y = part(x)  # why
    return {"#": y}
'''

MODULES = {
    "steps_of_a_test/__init__.py": "",
    "steps_of_a_test/limits.py": "LIMIT = 3  # the most\n",
    "steps_of_a_test/parts.py": "from . import limits\n\ndef part(x):\n    return min(x, limits.LIMIT)\n",
    "steps_of_a_test/whole.py": WHOLE,
}

SAME = {
    "the text of the module": ("whole.py", "What it is.", "What it was."),
    "the text of the function": ("whole.py", "At length.\n", "At\n    length.\n"),
    "a comment": ("whole.py", "# why", "# because"),
    "a comment of a constant": ("limits.py", "# the most", "# at most"),
    "an empty line": ("whole.py", "def whole", "\n\ndef whole"),
}
OTHER = {
    "code": ("whole.py", "part(x)", "part(x + 1)"),
    "a text that is a value": ("whole.py", "# no comment", "# another"),
    "a key": ("whole.py", '"#"', '"##"'),
    "a function that it calls": ("parts.py", "min(", "max("),
    "a constant of a module that it imports in turn": ("limits.py", "3", "4"),
}


@pytest.fixture
def undone() -> Iterator[None]:
    with imports_undone():
        yield


def code_with(folder: Path, *changes: tuple[str, str, str]) -> str:
    """Returns the code of ``whole`` with texts of its modules replaced."""
    files = dict(MODULES)
    for file, old, new in changes:
        text = files[f"steps_of_a_test/{file}"]
        files[f"steps_of_a_test/{file}"] = text.replace(old, new)
        assert text != files[f"steps_of_a_test/{file}"]
    write_project(folder, files)
    for name in [name for name in sys.modules if name.startswith("steps_of_a_test")]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    whole = importlib.import_module("steps_of_a_test.whole").whole
    assert code_of(partial(partial(whole), 3), "steps_of_a_test") == code_of(whole, "steps_of_a_test")
    return code_of(whole, "steps_of_a_test")


@pytest.mark.parametrize("change", [*SAME, *OTHER])
def test_only_code_counts(tmp_path: Path, undone: None, change: str) -> None:
    before = code_with(tmp_path / "before")
    after = code_with(tmp_path / "after", {**SAME, **OTHER}[change])
    assert (before == after) == (change in SAME)


def test_modules_of_other_packages_do_not_count(tmp_path: Path, undone: None) -> None:
    code_with(tmp_path)
    whole = sys.modules["steps_of_a_test.whole"].whole
    for packages in ([], ["steps"], ["json"]):
        assert "def whole" in code_of(whole, *packages)
        assert "def part" not in code_of(whole, *packages)
    assert "class JSONDecoder" in code_of(whole, "json")
