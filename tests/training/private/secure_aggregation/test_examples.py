"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil

from training.private import secure_aggregation


def test_examples_run() -> None:
    names = [f"{secure_aggregation.__name__}.{each.name}" for each in pkgutil.iter_modules(secure_aggregation.__path__)]
    results = {name: doctest.testmod(importlib.import_module(name)) for name in names}
    assert [name for name, result in results.items() if result.failed] == []
    assert sum(result.attempted > 0 for result in results.values()) >= 7
