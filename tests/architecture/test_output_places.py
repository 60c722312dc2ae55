"""Each kind of output is escaped at one place: nothing else writes CSV, marks texts as HTML, or escapes by itself."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES

PLACES: dict[str, tuple[str, set[str]]] = {
    "CSV": (
        r"\.write_csv$|^csv\.(Dict)?[wW]riter$",
        {"feature_repo/output/csv_text.py", "refrain/scaffold/example.py"},
    ),
    "HTML": (r"^html\.escape$|^markupsafe\.escape$", {"transforms/pure/svg.py"}),
    "HTML that is not escaped": (r"^Markup$", {"inference/console/pages.py"}),
    "lines of a terminal": (
        r"^typer\.(echo|secho)$|^click\.(echo|secho)$|^print$",
        {"feature_repo/command_line.py", "inference/commands/keys.py"},  # which shows a new key on standard error
    ),
}
"""Kind of output → calls that belong to it, and the files that may have them. The scaffold writes its own example."""

WITH_JSON = re.compile(r"/commands/|console_output\.py|/report\.py|/sinks\.py|structure_file\.py|cards/write\.py")
"""Files whose JSON leaves; other JSON is Refrain's own, in the data folder."""
OWN_JSON = {"training/models/forecasting/report.py", "training/models/recommendation/report.py"}
"""Reports that show JSON as a text on a page."""


@cache
def calls(path: Path) -> tuple[tuple[int, str], ...]:
    """Lists line and name of every call by a plain or dotted name in a module."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return tuple((node.lineno, _name(node.func)) for node in nodes)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return f"{_name(function.value)}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            yield str(path.relative_to(REPOSITORY)), path


@pytest.mark.parametrize("kind", PLACES)
def test_each_kind_of_output_has_its_place(kind: str) -> None:
    pattern, places = PLACES[kind]
    uses = {
        name: lines
        for name, path in modules()
        if (lines := [line for line, call in calls(path) if re.search(pattern, call)])
    }
    assert set(uses) == places, f"{kind} belongs into feature_repo/output, or is used there no more: {uses}"


def test_json_that_leaves_has_no_numbers_that_json_does_not_have() -> None:
    uses = [
        f"{name}:{line}"
        for name, path in modules()
        if WITH_JSON.search(name) and name not in OWN_JSON
        for line, call in calls(path)
        if call == "json.dumps"
    ]
    assert not uses, f"use feature_repo.output.json_text.to_json: {uses}"


def test_templates_escape_everything() -> None:
    for path in (REPOSITORY / "inference" / "console").glob("*.html"):
        text = path.read_text()
        assert not re.search(r"\|\s*safe|autoescape|\{%-?\s*raw|<script|\son\w+=", text), path.name
        assert not re.search(r"<[^>{]*=\{\{", text), f"{path.name}: an attribute without quotes"


def test_pages_use_marked_html_for_what_refrain_drew() -> None:
    for name, path in modules():
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "Html(" in text else ():
            if isinstance(node, ast.Call) and _name(node.func) in ("svg.Html", "Html"):
                for part in ast.walk(node.args[0]):
                    if isinstance(part, ast.FormattedValue):
                        value = ast.unparse(part.value)
                        assert re.match(
                            r"svg\.escape\(|escape\(|_STYLES\[|_CLASS\[|style|css|\w+\.(status|verdict)$|'", value
                        ), f"{name}:{node.lineno} {value}"
