"""Names are nouns of what they hold: no participle or pronoun names a value."""

import ast
from collections.abc import Iterator

import pytest

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES

BANNED = {"told", "asked", "came", "mine", "some", "theirs", "ours"}


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yields every name that a module binds, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


@pytest.mark.parametrize("package", [*PACKAGES, "tests", "benchmarks"])
def test_names_say_what_they_hold(package: str) -> None:
    banned = [
        f"{path.relative_to(REPOSITORY)}:{line} {name}"
        for path in sorted((REPOSITORY / package).rglob("*.py"))
        for name, line in bound_names(ast.parse(path.read_text()))
        if name.strip("_").lower() in BANNED
    ]
    assert not banned, "rename to nouns of what they hold, STYLE in CONTRIBUTING.md:\n" + "\n".join(banned)
