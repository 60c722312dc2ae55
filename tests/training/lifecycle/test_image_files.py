"""What is copied into the folder of a container image: requirements, and the definitions of a project."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from feature_repo.errors import StoreError
from feature_repo.home import REPOSITORY, Home
from training.deployment.container import EXTRAS, LOCK, build_context, image_name
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


def _pins(lock: str) -> dict[str, list[tuple[str, str]]]:
    """Package → version and marker of each of its lines in a lock file."""
    pins: dict[str, list[tuple[str, str]]] = {}
    for name, version, marker in re.findall(r"^([a-z0-9-]+)==([^ ;]+)(?: ; ([^\\\n]*))?", lock, re.M):
        pins.setdefault(name, []).append((version, marker.strip()))
    return pins


def test_the_lock_has_what_the_extras_need_and_a_hash_of_every_file() -> None:
    lock = LOCK.read_text()
    pins = _pins(lock)
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = [line for extra in EXTRAS for line in declared["optional-dependencies"][extra]]
    for requirement in map(Requirement, [*declared["dependencies"], *extras]):
        versions = [version for version, _ in pins[requirement.name]]
        assert versions, requirement
        assert all(requirement.specifier.contains(version) for version in versions), "run: make lock"
    assert not {"feast", "polars", "pandas", "lightgbm", "onnx"} & pins.keys()
    blocks = re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.M)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_image_has_the_versions_that_are_tested() -> None:
    tested: dict[str, set[str]] = {}
    for name in ("requirements.lock", "requirements-deep.lock"):
        for package, lines in _pins((REPOSITORY / name).read_text()).items():
            tested.setdefault(package, set()).update(version for version, _ in lines)
    image = {package: {version for version, _ in lines} for package, lines in _pins(LOCK.read_text()).items()}
    differing = {package for package, versions in image.items() if versions - tested.get(package, versions)}
    assert not differing, "run: make lock"


def test_the_name_of_an_image_is_that_of_its_content(shop: Home, tmp_path: Path) -> None:
    champions, folder = {"churn": '{"champion": 1}'}, tmp_path / "context"

    def name(registry: str = "") -> str:
        build_context(shop, champions, folder)
        return image_name(folder, registry)

    first = name()
    assert re.fullmatch(r"refrain:[0-9a-f]{12}", first)
    assert name() == first  # whenever it is built
    assert name("registry.example.org/music/") == f"registry.example.org/music/{first}"
    (folder / "inference" / "serve.py").write_text("changed = True\n")  # code
    names = {first, image_name(folder)}
    shop.manifest.write_text('{"refrain": "1"}')  # definitions
    names.add(name())
    champions["churn"] = '{"champion": 1, "shadow": 2}'  # champions
    names.add(name())
    assert len(names) == 4


def test_everybody_may_read_what_is_in_the_image(shop: Home, tmp_path: Path) -> None:
    shop.manifest.chmod(0o600)
    build_context(shop, {"churn": '{"champion": 1}'}, tmp_path / "context")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "context").rglob("*") if path.is_file()}
    assert modes == {0o644}


def test_a_project_comes_along(shop: Home, tmp_path: Path) -> None:
    context = tmp_path / "context"
    build_context(shop, {"churn": '{"champion": 1}'}, context)
    assert sorted(path.name for path in (context / "project").iterdir()) == ["image_shop_features", "refrain.toml"]
    lines = (context / "Dockerfile").read_text().splitlines()
    assert "COPY project /srv/project" in lines
    assert "ENV REFRAIN_PROJECT=/srv/project" in lines
    script = "from feature_repo.home import REPOSITORY, Home; from feature_repo.contract import contract_of; "
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
