"""The examples of docs/client.md run, in their order, against a real service."""

import re
import shutil
from collections.abc import Iterator

import pytest

from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server
from inference.security.caller import ROLES, Limits
from inference.security.keys import KeyRing
from refrain.client import Client
from tests.serving import serving

PAGE = (REPOSITORY / "docs" / "client.md").read_text()


@pytest.fixture(scope="module")
def service(world: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and key of a service on a copy of the small world."""
    folder = Home(tmp_path_factory.mktemp("page") / "world")
    shutil.copytree(world.root, folder.root, ignore=shutil.ignore_patterns("redis.*", "start.lock", "audit_log"))
    key, _ = KeyRing(folder).create("page", ROLES, limits=Limits(1_000.0, 1_000))
    with serving(folder) as (http, _):
        yield str(http.base_url), key
    redis_server.stop(folder)


def test_the_examples_run(service: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    url, key = service
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(blocks) > 5
    for block in blocks:
        exec(block.replace("http://127.0.0.1:8000", url).replace("rf_…", key), names)
    printed = capsys.readouterr().out
    assert "1 [(1, " in printed
    assert "no such model: 'no_such_model' → refrain model" in printed


def test_every_method_is_in_the_table() -> None:
    methods = {name for name in vars(Client) if not name.startswith("_")} - {"close"}
    assert set(re.findall(r"`(\w+)\(", PAGE.partition("| method |")[2].partition("\n\n")[0])) == methods
