"""The examples of docs/encrypted_scoring.md run, in their order, against a real service with worker processes."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server
from inference import RecommendationEngine
from inference.security.keys import KeyRing
from tests.serving import serving

PAGE = (REPOSITORY / "docs" / "encrypted_scoring.md").read_text()


def test_the_examples_run(world: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = Home(tmp_path / "world")
    left_out = shutil.ignore_patterns("redis.*", "start.lock", "audit_log", "raw", "tiles", "features")
    shutil.copytree(world.root, own.root, ignore=left_out)
    key, _ = KeyRing(own).create("page", ["predict"])
    engine = RecommendationEngine.load(home=own)
    vectors = engine.catalogue.vectors("taste", np.arange(len(engine.catalogue)))
    best = engine.catalogue.track_ids[int(np.argmax(vectors @ vectors[3]))]
    names: dict[str, Any] = {"vector": vectors[3].tolist(), "fit": engine.bundle.manifest["extra"]["taste_fit"]}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(blocks) == 2
    try:
        with serving(own) as (http, _):
            for block in blocks:
                exec(block.replace("http://127.0.0.1:8000", str(http.base_url)).replace("rf_…", key), names)
            names["client"].close()
    finally:
        redis_server.stop(own)
    printed = capsys.readouterr().out
    assert printed.startswith(f"[('{best}', ")
    assert "recommendation tracks" in printed
