"""What is copied into the folder of a container image: requirements, and the definitions of a project."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from feature_repo.errors import StoreError
from feature_repo.home import Home
from training.deployment.container import EXTRAS, build_context, requirements
from training.pipeline.lifecycle import _commands

DEFINITIONS = """
from refrain import Count, EventSource, WindowedTable

orders = EventSource("orders", columns={"customer_id": "String", "cents": "Int64"}, key=("customer_id",))
customer_orders = WindowedTable(
    "customer_orders", "Orders of one customer", orders, ("customer_id",), ("7d",), {"orders": Count()}
)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Home:
    """The data folder of a project with one kind of event, and one promoted model."""
    folder = tmp_path / "shop"
    (folder / "image_shop_features").mkdir(parents=True)
    (folder / "image_shop_features" / "__init__.py").write_text(DEFINITIONS)
    (folder / "customers.csv").write_text("not for an image")
    (folder / "refrain.toml").write_text('name = "shop"\ndefinitions = ["image_shop_features"]\n')
    home = Home(folder / "data", project_folder=folder).ensure()
    bundle = home.bundles("churn") / "1"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text(json.dumps({"files": {}}))
    home.manifest.write_text('{"refrain": "0"}')
    return home


def test_the_requirements_are_those_of_the_extras() -> None:
    parsed = [Requirement(line) for line in requirements()]
    names = {one.name for one in parsed}
    assert {"numpy", "fastapi", "soundfile", "tokenizers", "pyjwt"} <= names
    assert not {"feast", "polars", "pandas", "lightgbm"} & names
    assert all(one.marker is None and len(one.specifier) == 1 and "==" in str(one.specifier) for one in parsed)
    assert {Requirement(line).name for line in requirements([])} < names
    assert set(EXTRAS) == {"inference", "sound", "encoder", "oidc"}


def test_a_project_comes_along(shop: Home, tmp_path: Path) -> None:
    context = tmp_path / "context"
    build_context(shop, {"churn": '{"champion": 1}'}, context)
    assert sorted(path.name for path in (context / "project").iterdir()) == ["image_shop_features", "refrain.toml"]
    lines = (context / "Dockerfile").read_text().splitlines()
    assert "COPY project /srv/project" in lines
    assert "ENV REFRAIN_PROJECT=/srv/project" in lines
    script = "from feature_repo.home import Home; from feature_repo.contract import contract_of; "
    script += "home = Home.from_env(); print(home.project, *contract_of(home).windowed)"
    environment = {**os.environ, "PYTHONPATH": str(context), "REFRAIN_PROJECT": str(context / "project")}
    environment["REFRAIN_HOME"] = str(context / "home")
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, cwd=context, env=environment, capture_output=True, text=True, check=False)
    assert process.stdout.split() == ["shop_default", "customer_orders"], process.stderr


def test_without_a_project_nothing_of_one_is_copied(shop: Home, tmp_path: Path) -> None:
    context = tmp_path / "context"
    build_context(Home(shop.root), {"churn": '{"champion": 1}'}, context)
    assert not (context / "project").exists()
    assert "project" not in (context / "Dockerfile").read_text()


def test_commands_of_a_lifecycle_belong_to_its_project(shop: Home) -> None:
    with pytest.raises(StoreError, match=r"one of \['orders'\]"):
        _commands(shop, [["send", "absent", "--kind", "plays"]])
