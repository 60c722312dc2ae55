"""Import rules between the packages, and packages that a serving process must not import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY, Home

FORBIDDEN_PACKAGES = (
    "feast",
    "pandas",
    "mlflow",
    "lightgbm",
    "sklearn",
    "polars",
    "pyarrow",
    "duckdb",
    "training",
)
PURE_PACKAGE = "transforms.pure"
"""The only part of transforms that serving may import: it uses no data frames."""


def test_imports_point_at_the_contract() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    completed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout


@pytest.mark.parametrize(
    "work",
    [
        "from inference import RecommendationEngine as E; assert E.load().recommend('u000007').known",
        "from fastapi.testclient import TestClient; from inference.api.app import create_app; "
        "assert TestClient(create_app()).post('/v1/recommendations', json={'user_id': 'u000007'}).json()['known']",
        "from inference import AnomalyDetector as A, Observation as O; from datetime import datetime, UTC; "
        "assert A().detect([O('h', datetime.now(UTC), {'cpu': 1})]).detections",
        "from inference import TextAnalyzer as T; assert T.load().analyze(['hello there'])[0].analysis.words == 2",
        "import io, numpy, soundfile; from inference import AudioAnalysisModel as M; wav = io.BytesIO(); "
        "soundfile.write(wav, numpy.ones(9_000) / 2, 8_000, format='WAV'); "
        "assert 'offset' in M.load().analyze(wav.getvalue()).marks",
    ],
    ids=["in process", "over HTTP", "detecting", "reading", "listening"],
)
def test_serving_imports_nothing_of_training(world: Home, work: str) -> None:
    script = (
        f"{work}; import sys; found = sorted(sys.modules); "
        f"print([name for name in {FORBIDDEN_PACKAGES} if name in found] + "
        f"[name for name in found if name.startswith('transforms.') and not name.startswith({PURE_PACKAGE!r})])"
    )
    environment = {**os.environ, "REFRAIN_HOME": str(world.root)}
    command = [sys.executable, "-c", script]
    completed = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.strip() == "[]"


def test_tests_shadow_no_package() -> None:
    assert not list((REPOSITORY / "tests").rglob("__init__.py"))


def test_the_lock_names_no_address() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index-url" not in lock
    assert "--hash=sha256:" in lock
