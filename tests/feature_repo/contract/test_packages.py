"""Packages of definitions: those that cannot be imported, have another's name, extend music or are installed."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.project import Project
from tests.feature_repo.contract.packages import (
    WINDOWED,
    contract,
    package,
)
from tests.projects import imports_undone, write_project

IMPORTS = {
    "an error": ("import math\n\nx = math.sqrt(-1)\n", "views.py, line 3: ValueError"),
    "a syntax error": ("x = 1\ny = = 2\n", "views.py, line 2: SyntaxError"),
    "a module that is not installed": ("import no_such_module_anywhere\n", "views.py, line 1: ModuleNotFoundError"),
    "a circular import": ("from PACKAGE.other import x\n\ny = 1\n", "views.py, line 1: ImportError: .*circular"),
    "a long message": ("raise ValueError('x' * 5_000 + '\\n' * 50)\n", "views.py, line 1: ValueError: xxx"),
    "an exit": ("import sys\n\nsys.exit(3)\n", "views.py, line 3: SystemExit: 3"),
    "an invalid declaration": (
        "from feature_repo.windows import Count, EventSource, WindowedTable\n\n"
        'sales = EventSource("sales", columns={"till_id": "String"})\n'
        'till = WindowedTable("till", "Sales", sales, ("till",), ("1d",), {"sales": Count()})\n',
        "the key 'till' .which is not there., in .*views.py, line 4",
    ),
}


@pytest.mark.parametrize("case", IMPORTS)
def test_a_module_that_fails_is_named_with_its_line(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "failing_" + case.replace(" ", "_")
    text, message = IMPORTS[case]
    files = {
        "refrain.toml": f'name = "shop"\ndefinitions = ["{name}"]\n',
        f"{name}/__init__.py": "",
        f"{name}/views.py": text.replace("PACKAGE", name),
        f"{name}/other.py": f"from {name}.views import y\n\nx = 1\n",
    }
    with pytest.raises(InputError, match=message) as caught:
        contract(tmp_path, files, monkeypatch).feast_objects()
    assert str(tmp_path / name) in caught.value.found
    assert len(str(caught.value)) < 900
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere_definitions", "nowhere.deep", "a-b c", "", ".relative"])
def test_a_package_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    files = {"refrain.toml": f'name = "shop"\ndefinitions = ["{name}"]\n'}
    with pytest.raises(InputError, match="no such package") as caught:
        contract(tmp_path, files, monkeypatch).feast_objects()
    assert f"{tmp_path}/refrain.toml" in caught.value.next_command


@pytest.mark.parametrize("name", ["json", "sys", "feature_repo", "polars", "training"])
def test_a_package_with_the_name_of_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = set(sys.modules)
    files = {"refrain.toml": f'name = "shop"\ndefinitions = ["{name}"]\n', f"{name}/__init__.py": "x = 1\n"}
    with pytest.raises(InputError, match=f"a name for the package {tmp_path}/{name} that nothing else has"):
        contract(tmp_path, files, monkeypatch).events  # noqa: B018
    assert not {module for module in set(sys.modules) - before if module.startswith(f"{name}.")}


def test_names_of_music_are_taken_where_it_is_extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = WINDOWED.replace('"till_sales"', '"user_session"')
    files = {
        "refrain.toml": 'name = "shop"\ndefinitions = ["extending"]\nextends = ["music"]\n',
        "extending.py": text,
    }
    with pytest.raises(InputError, match="a second 'user_session' in extending; the first is in feature_repo"):
        contract(tmp_path, files, monkeypatch).feast_objects()
    files["refrain.toml"] = 'name = "shop"\ndefinitions = ["extending"]\n'
    os.utime(write_project(tmp_path, files) / "refrain.toml", ns=(1, 1))
    alone = Contract(Project.load(tmp_path))
    assert set(alone.views) == {"user_session"}
    files = {"refrain.toml": 'name = "shop"\ndefinitions = ["extending_too"]\nextends = ["music"]\n'}
    extended = contract(tmp_path / "too", {**files, "extending_too.py": WINDOWED}, monkeypatch)
    assert {"user_session", "till_sales"} <= set(extended.views)
    extended.feast_objects()


def test_installed_packages_add_definitions_and_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny installed distribution: modules, and the metadata that an installer writes."""
    site = tmp_path / "site"
    information = "site/kiosk_features-1.0.dist-info"
    points = "[refrain.definitions]\nkiosk = kiosk_features\n\n[refrain.models]\nkiosk = kiosk_models\n"
    write_project(
        tmp_path,
        {
            "site/kiosk_features/__init__.py": "",
            "site/kiosk_features/windowed.py": WINDOWED,
            "site/kiosk_features/events.py": "from kiosk_features.windowed import sales  # noqa: F401\n",
            "site/kiosk_models.py": "x = 1\n",
            f"{information}/METADATA": "Metadata-Version: 2.1\nName: kiosk-features\nVersion: 1.0\n",
            f"{information}/entry_points.txt": points,
        },
    )
    monkeypatch.syspath_prepend(str(site))
    own = contract(tmp_path / "shop", package("beside_installed", till=None, services=None), monkeypatch)
    assert set(own.views) == {"facts", "till_sales"}
    own.find(Project, "models")
    assert "kiosk_models" in sys.modules
    (site / "kiosk_features" / "views.py").write_text("raise ValueError('broken')\n")
    with pytest.raises(InputError, match="as the entry point kiosk of kiosk-features names it") as caught:
        Contract(own.project).feast_objects()
    assert f"{site}/kiosk_features/views.py, line 1" in caught.value.found
    (site / "kiosk_features" / "views.py").unlink()
    shutil.rmtree(site / "kiosk_features")
    with imports_undone():
        for name in [name for name in sys.modules if name.startswith("kiosk_features")]:
            del sys.modules[name]
        with pytest.raises(InputError, match="no such package") as caught:
            Contract(own.project).feast_objects()
    assert "pip install --force-reinstall kiosk-features" in caught.value.next_command
