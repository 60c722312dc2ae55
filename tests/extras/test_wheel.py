"""The wheel has every file of the packages: code, pages, settings, markers of types."""

import zipfile
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES

pytestmark = pytest.mark.extras


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.startswith("refrain-")}
    files = {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"inference/console/base.html", "feature_repo/.feastignore", "refrain/py.typed"} <= files
    assert packed == files
