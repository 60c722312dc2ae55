"""The code of functions without its comments, for digests of what they compute."""

import ast
import inspect
import io
import sys
import tokenize
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib.util import resolve_name
from types import ModuleType
from typing import Any


@cache
def code_of(function: Callable[..., Any], *packages: str) -> str:
    """Returns the code of a function's module and of the modules that it imports, without comments and docstrings.

    It is a text, the same in every version of Python.

    Args:
        function: the function; of a ``partial``, the function that it calls.
        packages: names of the packages whose modules count. Without any, only the function's own module does.

    >>> "Returns the code" in code_of(code_of), "def code_of" in code_of(code_of)
    (False, True)
    """
    while isinstance(function, partial):
        function = function.func
    names, pending = set[str](), {function.__module__}
    while pending:
        names |= pending
        imported = {name for module in pending for name in _imports(sys.modules[module])}
        pending = {name for name in imported - names if name in sys.modules and _is_inside(name, packages)}
    return "\n".join(_without_comments(_source(sys.modules[name])) for name in sorted(names))


def _source(module: ModuleType) -> str:
    """Returns the text of a module; empty for an empty file, and where there is none."""
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return ""


def _imports(module: ModuleType) -> Iterator[str]:
    """Yields what a module imports, by its full name: modules, and what it takes from them."""
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), module.__package__)
            yield from (source, *(f"{source}.{alias.name}" for alias in node.names))


def _is_inside(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def _without_comments(source: str) -> str:
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for first, last in _docstrings(ast.parse(source), lines):
        lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _docstrings(tree: ast.AST, lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yields the first and the last line of every text that is a statement of its own, on lines of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            first, last = node.lineno, node.end_lineno or node.lineno
            if lines[first - 1][: node.col_offset].strip() == "" == lines[last - 1][node.end_col_offset :].strip():
                yield first, last
