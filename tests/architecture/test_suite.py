"""The suite itself: its slow files start first."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests import order


def test_slow_files_exist_and_are_listed_once() -> None:
    assert [file for file in order.SLOWEST if not (order.TESTS / file).is_file()] == []
    assert len(set(order.SLOWEST)) == len(order.SLOWEST)


def test_one_file_of_each_world_comes_first_and_slow_files_next() -> None:
    def item(file: str, *fixtures: str) -> Any:
        return SimpleNamespace(path=order.TESTS / file, fixturenames=fixtures)

    items = [
        item("a.py"),
        item(order.SLOWEST[1]),
        item("b.py", "telemetry", "world"),
        item("c.py", "world"),
        item("d.py", "telemetry"),
        item(order.SLOWEST[0]),
        item("b.py"),
    ]
    order.sort(items)
    files = [str(item.path.relative_to(Path(order.TESTS))) for item in items]
    assert files == ["b.py", "b.py", "d.py", *order.SLOWEST[:2], "a.py", "c.py"]
