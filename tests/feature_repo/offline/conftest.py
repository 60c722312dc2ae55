"""The offline store of Refrain that the tests of a folder share."""

import pytest

from tests.feature_repo.offline.engines import Engine, open_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine("ours", tmp_path_factory.mktemp("ours"))
