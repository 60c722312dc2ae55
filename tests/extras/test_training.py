"""The extra ``training``: a model is trained, passes its gates, is promoted, and its bundle names the package."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.extras


def test_a_model_is_trained_and_promoted(trained: Path) -> None:
    (bundles,) = trained.glob("models/tenant=default/recommendation")
    assert json.loads((bundles / "aliases.json").read_text())["champion"] == 1
    manifest = json.loads((bundles / "1" / "manifest.json").read_text())
    assert manifest["code_revision"] == "refrain 0.1.0"  # not the commit of a repository around the environment
    assert (bundles / "1" / "README.md").is_file()
