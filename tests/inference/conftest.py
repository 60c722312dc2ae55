"""What tests of serving share."""

import pytest

from inference.experiments import running
from inference.security import keys


@pytest.fixture
def changes_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed keys and experiments are read at each request, and not once a second."""
    monkeypatch.setattr(running, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(keys, "CHECK_SECONDS", 0.0)
