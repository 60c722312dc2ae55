"""No project and no data folder but a test's own."""

from collections.abc import Iterator

import pytest

from feature_repo.project import PROJECT
from tests.projects import imports_undone


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (PROJECT, "REFRAIN_HOME", "REFRAIN_TENANT", "REFRAIN_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with imports_undone():
        yield
