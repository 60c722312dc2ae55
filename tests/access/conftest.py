"""What tests of access share."""

from collections.abc import Iterator

import pytest

from feature_repo.home import Home
from tests import worlds
from tests.access.restricted_music import restricted_project
from tests.inference.conftest import changes_seen_at_once

__all__ = ["changes_seen_at_once"]


@pytest.fixture(scope="module")
def home(world: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A copy of the small world with roles, for the tests of a file."""
    folder = tmp_path_factory.mktemp("restricted")
    with pytest.MonkeyPatch.context() as patch:
        for copy in worlds.copied(world, Home(folder / "world"), patch):
            yield restricted_project(folder / "project", copy, patch)
