"""The same definitions and the same SDK on the Spark profile give the same training set."""

import importlib.util
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.home import REPOSITORY, Home
from training.datasets import training_set

PULL = """
import sys, warnings
warnings.simplefilter("ignore")
from training.datasets import training_set
for name in ("always", "known"):
    pulled = training_set("recommendation_v1", sys.argv[1], as_known=name == "known")
    pulled.to_parquet(f"{sys.argv[2]}/{name}.parquet")
"""


@pytest.mark.interop
@pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="no PySpark: requirements-spark.lock")
@pytest.mark.skipif(shutil.which("java") is None, reason="no Java for Spark on the path")
def test_spark_equals_embedded(own_world: Home, world: Home, tmp_path: Path) -> None:
    moments = [datetime(2026, 1, day, 12 * (day % 2), tzinfo=UTC) for day in range(5, 33) if day < 32]
    spine = pl.DataFrame(
        {
            "user_id": [f"u{n % 160:06}" for n in range(600)],
            "track_id": [f"t{n % 410:06}" for n in range(600)],
            "artist_id": [f"a{n % 40:06}" for n in range(600)],
            "platform_id": ["default"] * 600,
            "event_timestamp": [moments[n % len(moments)] for n in range(600)],
            "label": range(600),
        }
    )
    spine.write_parquet(tmp_path / "spine.parquet")
    environment = {**os.environ, "REFRAIN_PROFILE": "spark", "REFRAIN_HOME": str(own_world.root)}
    for arguments in (
        ["-m", "feature_repo", "apply"],
        ["-c", PULL, str(tmp_path / "spine.parquet"), str(tmp_path)],
    ):
        arguments = [sys.executable, "-W", "ignore", *arguments]  # noqa: PLW2901
        process = subprocess.run(
            arguments, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stderr[-3000:]
    os.environ["REFRAIN_HOME"] = str(world.root)  # the fixture own_world restores the variable
    for name, as_known in (("always", False), ("known", True)):
        embedded = training_set("recommendation_v1", spine, home=world, as_known=as_known).to_polars()
        assert embedded["user_listening__plays_28d"].null_count() < 600
        assert_frame_equal(pl.read_parquet(tmp_path / f"{name}.parquet"), embedded, rel_tol=1e-9)
