"""What tests of serving share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.home import Home
from inference.experiments import running
from inference.security import keys
from tests import worlds


@pytest.fixture
def own_world(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """What serving reads of the small world, as a copy that a test may change: no events, tiles and feature tables."""
    yield from worlds.copied(world, Home(tmp_path / "world"), monkeypatch, "raw", "tiles", "features")


@pytest.fixture
def changes_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed keys and experiments are read at each request, and not once a second."""
    monkeypatch.setattr(running, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(keys, "CHECK_SECONDS", 0.0)
