"""Nothing that Refrain reads from a file can run code: readers of formats that do are not called anywhere."""

import ast
from collections.abc import Iterator

import pytest

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES

MODULES = {"cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "pickle", "shelve"}
"""Modules whose readers run code of what they read."""

BUILTINS = {"compile", "eval", "exec"}
"""Functions of Python that run text. Methods of networks, frames and patterns have these names, too, and are others."""
METHODS = {"exec_module", "full_load", "read_pickle", "to_pickle", "unsafe_load"}
"""Calls by their last name."""

EXCEPTIONS = {
    "transforms/data_contracts/safe_yaml.py": "yaml.load with a loader derived from SafeLoader",
}
"""Files with a reader that would be refused elsewhere, and why it is none that runs code."""


def executable_readers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields line and text of every use of a reader that may run code of the file."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, each.name) for each in names if each.name.partition(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in MODULES:
                yield node.lineno, module
            case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(value=owner, attr=name), keywords=keywords):
                settings = {each.arg: ast.unparse(each.value) for each in keywords}
                call = f"{ast.unparse(owner)}.{name}"
                if (
                    name in METHODS
                    or call in {"yaml.load", "mlflow.pyfunc.load_model"}
                    or settings.get("allow_pickle", "False") != "False"
                    or (call == "torch.load" and settings.get("weights_only") != "True")
                    or (name == "from_pretrained" and settings.get("trust_remote_code") != "False")
                ):
                    yield node.lineno, call


@pytest.mark.parametrize("package", [*PACKAGES, "deploy"])
def test_no_reader_runs_code_of_a_file(package: str) -> None:
    readers = [
        f"{path.relative_to(REPOSITORY)}:{line} {reader}"
        for path in sorted((REPOSITORY / package).rglob("*.py"))
        if str(path.relative_to(REPOSITORY)) not in EXCEPTIONS
        for line, reader in executable_readers(ast.parse(path.read_text()))
    ]
    assert not readers, "read data instead: JSON, npz, Arrow, ONNX:\n" + "\n".join(readers)


def test_every_exception_is_one() -> None:
    for file in EXCEPTIONS:
        assert list(executable_readers(ast.parse((REPOSITORY / file).read_text()))), f"{file} needs no exception"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import numpy as np; np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text)",
        "eval(path.read_text())",
        "exec(text)",
        "mlflow.pyfunc.load_model(uri)",
        "pandas.read_pickle(path)",
        "AutoModel.from_pretrained(path)",
        "AutoModel.from_pretrained(path, trust_remote_code=True)",
    ],
)
def test_the_check_sees_each(code: str) -> None:
    assert list(executable_readers(ast.parse(code)))


@pytest.mark.parametrize("code", ["network.eval()", "np.load(path)", "json.loads(text)", "pl.col('a').list.eval(x)"])
def test_the_check_passes_data(code: str) -> None:
    assert not list(executable_readers(ast.parse(code)))
