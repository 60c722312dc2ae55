"""A release: what is in its artifacts, and that the command works from the wheel, outside the repository.

``make release`` also installs both with their dependencies, which needs a package index.
"""

import importlib.util
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from feature_repo.bill_of_materials.document import document
from feature_repo.bill_of_materials.packages import Package, installed
from feature_repo.home import REPOSITORY
from feature_repo.version import version
from tests.repository import PACKAGES

pytestmark = pytest.mark.journeys


@pytest.fixture(scope="module")
def release() -> ModuleType:
    specification = importlib.util.spec_from_file_location("release", REPOSITORY / "deploy" / "release.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def artifacts(release: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    before = leftovers()
    source, wheel = release.build(tmp_path_factory.mktemp("dist"))
    assert leftovers() == before
    return source, wheel


def leftovers() -> set[Path]:
    """What a build in the repository itself would leave there."""
    return {*REPOSITORY.glob("build/**/*"), *REPOSITORY.glob("*.egg-info/*"), *REPOSITORY.glob("dist/*")}


def tracked() -> set[str]:
    """Files of the packages that Git tracks."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", *PACKAGES]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name for name in names if (REPOSITORY / name).is_file()}


def test_the_wheel_has_every_file_of_the_packages_and_no_other(artifacts: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(artifacts[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == tracked()


def test_the_source_distribution_has_what_a_build_needs(artifacts: tuple[Path, Path]) -> None:
    with tarfile.open(artifacts[0]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert {*tracked(), "pyproject.toml", "README.md", "LICENSE"} <= names


def test_both_have_the_version(artifacts: tuple[Path, Path]) -> None:
    names = [path.name for path in artifacts]
    assert names == [f"refrain-{version()}.tar.gz", f"refrain-{version()}-py3-none-any.whl"]


def test_the_bill_is_the_one_of_the_command(
    release: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = "a" * 64

    def compile_lock(*arguments: str | Path) -> None:  # which needs a package index
        written = Path(arguments[arguments.index("-o") + 1])
        written.write_text(f"numpy==2.3.1 \\\n    --hash=sha256:{digest}\n")
        assert "--extra" in arguments

    monkeypatch.setattr(release, "_uv", compile_lock)
    bill = release.write_bill(tmp_path, Path(f"refrain-{version()}-py3-none-any.whl"))
    assert bill.name == f"refrain-{version()}.cdx.json"
    assert bill.read_text() == document(
        [Package("numpy", "2.3.1", *licence_of("numpy"), (digest,))], "refrain", version()
    )
    monkeypatch.setattr(release, "_uv", lambda *arguments: Path(arguments[arguments.index("-o") + 1]).touch())
    with pytest.raises(SystemExit, match="refrain bom"):
        release.write_bill(tmp_path, Path(f"refrain-{version()}-py3-none-any.whl"))


def licence_of(name: str) -> tuple[str, bool]:
    (package,) = (package for package in installed() if package.name == name)
    return package.licence, package.is_expression


def test_the_command_works_from_the_wheel(release: ModuleType, artifacts: tuple[Path, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(artifacts[1]) as wheel:
        wheel.extractall(tmp_path / "installed")
    path = f"{tmp_path / 'installed'}:{sysconfig.get_path('purelib')}"
    command = [sys.executable, "-m", "refrain"]
    release.check_command(command, tmp_path, version(), {"PYTHONPATH": path})
    with pytest.raises(SystemExit, match="99.9"):
        release.check_command(command, tmp_path, "99.9", {"PYTHONPATH": path})
