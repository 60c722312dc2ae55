"""Examples of exports, made by the program beside the real data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of each format, and in it ``expected.json``: what a correct reader finds."""
    data = Path(os.environ.get("REFRAIN_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    program = data.parent / "exports" / "make_exports.py"
    if not program.is_file():
        pytest.skip(f"no {program}; set REFRAIN_TEST_DATA to the folder beside it")
    folder = tmp_path_factory.mktemp("exports")
    subprocess.run([sys.executable, str(program), str(folder)], check=True, capture_output=True)
    return folder
