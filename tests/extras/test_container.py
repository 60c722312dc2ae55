"""The container image: what its Dockerfile does, in an environment of its own, up to the server of its CMD."""

import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.environments import Environment, copy_data
from tests.extras.conftest import NOW, Make

pytestmark = pytest.mark.extras

DEPLOY = """
import sys
from pathlib import Path
from feature_repo.home import Home
from training.deployment import target

champions = {"recommendation": Path(sys.argv[1]).read_text()}
home = Home.from_env()
print(target(f"container:{sys.argv[2]}", home).deploy(home, champions))
"""


@dataclass
class Image:
    """What the lines of a Dockerfile make, below a folder that stands for ``/``.

    Attributes:
        root: the folder.
        environment: stands for the Python of the base image.
        variables: environment variables of the server.
        command: the command that starts it.
        health: the command that checks it.
    """

    root: Path
    environment: Environment
    working_folder: Path = Path()
    variables: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def build(self, context: Path) -> None:
        """Performs all lines; an instruction that is not known here is an error."""
        for line in (context / "Dockerfile").read_text().splitlines():
            instruction, _, rest = line.partition(" ")
            match instruction:
                case "WORKDIR":
                    self.working_folder = self._path(rest)
                    self.working_folder.mkdir(parents=True)
                case "COPY":
                    *sources, target = [word for word in rest.split() if not word.startswith("--")]
                    self._copy([context / source for source in sources], target)
                case "RUN" if rest.startswith("pip install"):
                    arguments = [word for word in shlex.split(rest)[2:] if word != "--no-cache-dir"]
                    self.environment.install(*arguments, folder=self.working_folder)
                case "ENV":
                    for name, value in (word.split("=", 1) for word in shlex.split(rest)):
                        self.variables[name] = str(self._path(value)) if value.startswith("/") else value
                case "CMD":
                    self.command = json.loads(rest)
                case "HEALTHCHECK":
                    self.health = json.loads(rest.removeprefix("CMD "))
                case "FROM" | "USER" | "EXPOSE" | "RUN":
                    assert instruction != "RUN" or rest.startswith("useradd "), line
                case _:
                    raise AssertionError(line)

    def _path(self, path: str) -> Path:
        return self.root / path.lstrip("/") if path.startswith("/") else self.working_folder / path

    def _copy(self, sources: list[Path], target: str) -> None:
        for source in sources:
            if source.is_dir():
                shutil.copytree(source, self._path(target), dirs_exist_ok=True)
            else:
                shutil.copy(source, self._path(target))


def test_the_image_serves(make: Make, trained: Path, tmp_path: Path) -> None:
    training = make("training")
    copy_data(trained, training.home)
    aliases = trained / "models" / "tenant=default" / "recommendation" / "aliases.json"
    context = tmp_path / "context"
    assert "docker build" in training.run("python", "-c", DEPLOY, aliases, context).stdout
    training.refrain("redis", "start")  # has the features; the image has none

    image = Image(tmp_path / "root", Environment.make(tmp_path / "python"))
    image.build(context)
    server = training.home / "redis" / "redis.sock"
    variables = {**image.variables, "REFRAIN_NOW": NOW, "REFRAIN_REDIS": f"unix_socket_path={server}"}
    created = image.environment.run(
        "python",
        "-m",
        "inference",
        "keys",
        "create",
        "web",
        "--role",
        "predict",
        PYTHONPATH=str(image.working_folder),
        **variables,
    )
    (key,) = [word for word in created.stdout.split() if word.startswith("rf_")]
    assert image.command[-4:] == ["--host", "0.0.0.0", "--port", "8000"]
    command = [*image.command[:-3], "127.0.0.1", "--port", "PORT"]  # loopback is all that a test may listen on
    with image.environment.serving(*command, folder=image.working_folder, **variables) as (address, _):
        port = address.rpartition(":")[2]
        health = [word.replace("8000", port) for word in image.health]
        subprocess.run([image.environment.python, *health[1:]], check=True, timeout=60)
        with httpx.Client(base_url=address, timeout=60, headers={"x-api-key": key}) as client:
            answer = client.post("/v1/recommendations", json={"user_id": "u000001"})
            assert (answer.status_code, answer.json()["known"]) == (200, True), answer.text
            assert client.post("/v1/text/analyze", json={"text": "a song"}).status_code == 200
            assert client.get("/").status_code == 200
            noise = client.post(
                "/v1/audio/analyze", content=b"RIFF", headers={"content-type": "application/octet-stream"}
            )
            assert noise.status_code == 422  # libsndfile is there, and does not know this
        assert httpx.post(f"{address}/v1/recommendations", json={"user_id": "u000001"}).status_code == 401
    shutil.rmtree(image.environment.folder)
