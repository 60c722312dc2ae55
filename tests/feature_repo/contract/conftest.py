"""No project and no data folder but a test's own."""

from collections.abc import Iterator

import pytest

from tests.projects import outside_projects


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with outside_projects(monkeypatch):
        yield
