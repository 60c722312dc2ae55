"""The two images of ``deploy/Dockerfile``, with the commands of ``deploy/compose.yaml`` on one shared data folder."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

from feature_repo.home import REPOSITORY
from tests.deploy.files import compose
from tests.extras.conftest import NOW, WORLD
from tests.extras.test_container import ADDRESS, REDIS, ROLES, answers
from tests.image import Image, why_not
from tests.servers import one_redis

pytestmark = [pytest.mark.extras, pytest.mark.skipif(bool(why_not()), reason=why_not())]

VARIABLES = {"REFRAIN_PROFILE": "redis", "REFRAIN_REDIS": REDIS, "REFRAIN_NOW": NOW}


@dataclass(frozen=True)
class Images:
    """Both images, and what is mounted into them: the data folder and the Redis."""

    serve: Image
    work: Image
    mounts: dict[str, Path]


@pytest.fixture(scope="module")
def images(wheel: Path) -> Iterator[Images]:
    with tempfile.TemporaryDirectory(prefix="refrain-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        context = folder / "context"
        for file in ("deploy/Dockerfile", "deploy/work.lock", "training/deployment/serving.lock"):
            (context / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / file, context / file)
        (context / "dist").mkdir()
        shutil.copy(wheel, context / "dist")
        built = {
            stage: Image(folder / stage).build(context, context / "deploy" / "Dockerfile", stage)
            for stage in ("serve", "work")
        }
        for place in ("redis", "data"):
            (folder / place).mkdir()
            (folder / place).chmod(0o777)
        for image in built.values():
            (image.root / "redis").mkdir()
        socket = {"unixsocket": str(folder / "redis" / "redis.sock"), "unixsocketperm": "777"}
        with one_redis(folder / "store", **socket):
            mounts = {"/srv/refrain": folder / "data", "/redis": folder / "redis"}
            yield Images(built["serve"], built["work"], mounts)


def run(images: Images, name: str, *words: str) -> str:
    """Runs a command of an image as the compose file would; returns its output."""
    image: Image = getattr(images, name)
    return image.run(*image.entrypoint, *words, mounts=images.mounts, **VARIABLES).stdout


def test_they_need_no_library_that_the_base_image_lacks(images: Images) -> None:
    assert not images.serve.missing_libraries()
    assert images.work.missing_libraries().keys() <= {"libgomp.so.1"}  # the line with apt-get installs it


def test_they_work_together_on_one_data_folder(images: Images) -> None:
    services = compose()["services"]
    run(images, "work", *services["apply"]["command"])  # first, on an empty folder
    run(images, "work", "simulate", *WORLD)
    run(images, "work", "build")
    run(images, "work", "materialize")
    run(images, "work", *services["stream"]["command"], "--until-idle")
    assert "no champion" in run(images, "work", "model", "retrain", "all")
    created = run(images, "serve", "keys", "create", "web", *ROLES)
    (key,) = [word for word in created.split() if word.startswith("rf_")]
    images.serve.command = services["serve"]["command"]
    with (
        images.serve.started(answers, mounts=images.mounts, **VARIABLES),
        httpx.Client(base_url=ADDRESS, timeout=60, headers={"x-api-key": key}) as client,
    ):
        assert client.get("/ready").status_code == 200
        body = {"keys": {"user_id": ["u000001", "nobody"]}}
        values = client.post("/v1/features/listener_v1", json=body).json()["values"]
        assert [value is None for value in values["user_history__distinct_tracks"]] == [False, True]
        for command in (images.serve.health, services["serve"]["healthcheck"]["test"][1:]):
            images.serve.run(*command)
