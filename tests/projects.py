"""Projects that a test writes: a folder with ``refrain.toml`` and modules of definitions."""

import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from feature_repo.project import PROJECT


def write_project(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes the files of a project, by their paths in its folder; returns the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


def music_with_purposes(folder: Path, purposes: Mapping[str, str]) -> Path:
    """Writes the project of the bundled definitions that asks for consent to some purposes; returns the folder."""
    lines = "".join(f'{name} = "{rule}"\n' for name, rule in purposes.items())
    return write_project(folder, {"refrain.toml": f'name = "refrain"\nextends = ["music"]\n\n[purposes]\n{lines}'})


@contextmanager
def imports_undone() -> Iterator[None]:
    """Forgets the modules that are imported inside, and the folders that are added to the search path."""
    modules, path = set(sys.modules), list(sys.path)
    try:
        yield
    finally:
        for name in set(sys.modules) - modules:
            if _is_temporary(name):
                del sys.modules[name]
        sys.path[:] = path


@contextmanager
def outside_projects(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """No project and no data folder but those that are named inside; what is imported inside is forgotten."""
    for name in (PROJECT, "REFRAIN_HOME", "REFRAIN_TENANT", "REFRAIN_PROFILE"):
        patch.delenv(name, raising=False)
    with imports_undone():
        yield


def _is_temporary(name: str) -> bool:
    spec = getattr(sys.modules[name], "__spec__", None)
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    return any("/pytest-of-" in place for place in places)
