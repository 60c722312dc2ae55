"""The public names: documented with examples that run, and with arguments that are spelled out."""

import ast
import doctest
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import inference
import inference.features
import refrain
import refrain.client
import training.datasets
from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES

MODULES = (refrain, refrain.client, inference, inference.features, training.datasets)
EXPORTS = {
    f"{value.__module__}.{value.__qualname__}": value
    for module in MODULES
    for value in (getattr(module, name) for name in module.__all__)
}


@dataclass(frozen=True)
class Member:
    """A public method or property that Refrain defines, and the class that has it."""

    name: str
    function: FunctionType
    owner: type
    is_method: bool

    @property
    def text(self) -> str:
        """Its docstring, or that of the method that it replaces."""
        return inspect.getdoc(getattr(self.owner, self.name)) or ""


def _members(kind: type) -> Iterator[Member]:
    for name in dir(kind):
        owner = next(one for one in kind.__mro__ if name in vars(one))
        if name.startswith("_") or owner.__module__.partition(".")[0] not in PACKAGES:
            continue
        value = vars(owner)[name]
        parts = [getattr(value, attribute, None) for attribute in ("__func__", "fget", "func")]
        function = next((part for part in parts if part is not None), value)
        if isinstance(function, FunctionType):
            yield Member(name, function, owner, is_method=not isinstance(value, property | cached_property))


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_a_public_name_has_an_example(name: str) -> None:
    value = EXPORTS[name]
    text = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    assert text, f"{name} has no docstring"
    assert ">>>" in text, f"the docstring of {name} has no example"


@pytest.mark.parametrize("name", sorted(name for name, value in EXPORTS.items() if inspect.isclass(value)))
def test_methods_of_a_public_class_are_shown(name: str) -> None:
    """In an example of their own, or in one of the class or of the class that defines them."""
    members = list(_members(EXPORTS[name]))
    undocumented = [member.name for member in members if not member.text]
    assert not undocumented, f"{name}: no docstring of {undocumented}"
    unshown = [
        member.name
        for member in members
        if member.is_method
        and ">>>" not in member.text
        and f".{member.name}(" not in (EXPORTS[name].__doc__ or "") + (member.owner.__doc__ or "")
    ]
    assert not unshown, f"{name}: no example with {unshown}"


def test_the_examples_of_public_names_run() -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(verbose=False)
    output: list[str] = []
    count = 0
    for name, value in sorted(EXPORTS.items()):
        documented: dict[str, Any] = {name: value}
        if inspect.isclass(value):
            documented |= {f"{name}.{member.name}": member.function for member in _members(value)}
        for member_name, function in documented.items():
            module = sys.modules[inspect.unwrap(function).__module__]
            for test in finder.find(function, member_name, globs=vars(module).copy()):
                runner.run(test, out=output.append)
                count += sum(not example.options.get(doctest.SKIP) for example in test.examples)
    assert not runner.failures, "\n".join(output)
    assert count > 40


def _public_functions(tree: ast.AST, is_public: bool = True) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _public_functions(node, is_public and not node.name.startswith("_"))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_callable_by_all = not node.name.startswith("_") or node.name == "__init__"
            yield from [node] if is_public and is_callable_by_all else []


def _source_files() -> list[Path]:
    folders = ("inference", "refrain", "training")
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def test_public_options_are_typed() -> None:
    untyped = []
    for path in _source_files():
        for function in _public_functions(ast.parse(path.read_text())):
            options = function.args.kwarg
            if options is not None and options.arg != "_" and ast.unparse(options.annotation or options) == "Any":
                untyped.append(f"{path.relative_to(REPOSITORY)}:{function.lineno} {function.name}(**{options.arg})")
    assert not untyped, "spell the options out, or use a TypedDict with Unpack: " + ", ".join(untyped)
