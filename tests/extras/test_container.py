"""The container image: its Dockerfile performed, its command started as an engine would, every route asked."""

import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.environments import copy_data
from tests.extras.conftest import NOW, Make
from tests.image import Image, why_not
from tests.routes import requests

pytestmark = [pytest.mark.extras, pytest.mark.skipif(bool(why_not()), reason=why_not())]

DEPLOY = """
import sys
from pathlib import Path
from feature_repo.home import Home
from training.deployment import target

champions = {"recommendation": Path(sys.argv[1]).read_text()}
home = Home.from_env()
print(target(f"container:{sys.argv[2]}", home, "registry.example.org/music").deploy(home, champions))
"""
ROLES = ("--role", "predict", "--role", "send_events", "--role", "read_features", "--role", "metrics")
ADDRESS = "http://127.0.0.1:8000"
LOGGED = {"audit_log", "impressions", "lookups", "predictions"}
LOGS = dict.fromkeys(("REFRAIN_LOG_PREDICTIONS", "REFRAIN_LOG_LOOKUPS", "REFRAIN_LOG_IMPRESSIONS"), "1")
REDIS = "unix_socket_path=/redis/redis.sock"
DRAIN_SECONDS = 30


@dataclass(frozen=True)
class Built:
    """An image, the folder of its context, what ``deploy`` printed, an API key, and what the caller mounts."""

    image: Image
    context: Path
    message: str
    key: str
    mounts: dict[str, Path]


@pytest.fixture(scope="module")
def built(make: Make, trained: Path) -> Iterator[Built]:
    """The image of a folder that an installed Refrain wrote, beside the Redis that has its features."""
    training = make("training")
    copy_data(trained, training.home)
    # pytest's own folders are closed to other users, such as that of the image
    with tempfile.TemporaryDirectory(prefix="refrain-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        aliases = trained / "models" / "tenant=default" / "recommendation" / "aliases.json"
        message = training.run("python", "-c", DEPLOY, aliases, folder / "context").stdout
        image = Image(folder / "root").build(folder / "context", folder / "context" / "Dockerfile")
        training.refrain("redis", "start")
        (training.home / "redis" / "redis.sock").chmod(0o777)
        created = training.refrain("keys", "create", "web", *ROLES).stdout
        (key,) = [word for word in created.split() if word.startswith("rf_")]
        yield Built(image, folder / "context", message, key, mounted(image, training.home))


def mounted(image: Image, home: Path) -> dict[str, Path]:
    """Returns what is mounted into the image: the folder of the Redis with its features, and the digests of its keys.

    Both are for other users to read, as a network and a secret of Kubernetes would be.
    """
    (home / "redis" / "redis.sock").chmod(0o777)
    (image.root / "redis").mkdir()
    secret = image.root.with_name("security")
    shutil.copytree(home / "security", secret)
    for path in (secret, *secret.iterdir()):
        path.chmod(0o755)
    return {"/redis": home / "redis", "/srv/refrain/security": secret}


def test_the_context_is_locked_and_named(built: Built) -> None:
    lock = (built.context / "requirements.lock").read_text()
    assert lock.count("==") > 40
    assert lock.count("--hash=sha256:") > lock.count("==")
    assert "docker build -t registry.example.org/music/refrain:" in built.message
    assert not [path for path in built.context.rglob("*") if path.is_file() and path.stat().st_mode & 0o777 != 0o644]


def test_the_image_is_small_and_has_what_serving_needs(built: Built) -> None:
    image = built.image
    parts = {"packages": image.root / "base", "code": image.root / "app", "models": image.root / "srv"}
    sizes = {name: _megabytes(folder) for name, folder in parts.items()}
    print(f"\nMB beside the base image: {sizes}")
    assert sum(sizes.values()) < 450, sizes
    script = (
        "import importlib.util as u; print([n for n in ('feast', 'pandas', 'polars', 'training') if u.find_spec(n)])"
    )
    assert image.run("python", "-c", script).stdout.strip() == "[]"


def test_it_serves_read_only_as_its_own_user(built: Built) -> None:
    image, mounts = built.image, built.mounts
    assert (image.user, image.ports) == ("10001", ["8000"])
    image.run("sh", "-c", "touch /app/x /srv/refrain/x /srv/x 2> /tmp/why; grep -c 'Read-only' /tmp/why")
    no_keys = {"/redis": mounts["/redis"]}
    refused = image.run(*image.command, code=1, mounts=no_keys, REFRAIN_NOW=NOW, REFRAIN_REDIS=REDIS)
    assert "refrain keys create" in refused.stderr  # no key, and it listens beyond this machine
    with (
        image.started(answers, mounts=mounts, REFRAIN_NOW=NOW, REFRAIN_REDIS=REDIS, **LOGS) as process,
        httpx.Client(base_url=ADDRESS, timeout=60, headers={"x-api-key": built.key}) as client,
    ):
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t10001\t10001\t10001\t10001" in status
        assert "CapEff:\t0000000000000000" in status
        image.run(*image.health)
        ready = client.get("/ready")
        assert (ready.status_code, ready.json().get("models")) == (200, {"recommendation": "recommendation:1"}), (
            ready.text
        )
        statuses = _ask_everything(client)
        answered = {path for path, code in statuses.items() if code < 300}
        assert {"/v1/recommendations", "/v1/text/analyze", "/v1/audio/analyze", "/v1/features/listener_v1"} <= answered
        assert httpx.post(f"{ADDRESS}/v1/recommendations", json={"user_id": "u000001"}).status_code == 401
        left_out = re.findall(r'refrain_log_left_out_total\{log="(\w+)"\} (\S+)', client.get("/metrics").text)
        assert len(left_out) >= 5, left_out
        assert {count for _, count in left_out} == {"0.0"}, left_out  # every log has a folder that can be written
        started = time.monotonic()
    assert process.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM), process.returncode
    assert time.monotonic() - started < DRAIN_SECONDS
    written = image.root / "written" / "srv" / "refrain"
    assert {path.relative_to(written).parts[0] for path in written.rglob("*.jsonl")} >= LOGGED


def test_its_health_command_says_that_nothing_answers(built: Built) -> None:
    assert "refused" in built.image.run(*built.image.health, code=1).stderr


def test_it_needs_no_library_that_the_base_image_lacks(built: Built) -> None:
    missing = built.image.missing_libraries()
    assert not missing, missing


def answers() -> None:
    """Raises OSError while the server does not answer."""
    try:
        httpx.get(f"{ADDRESS}/live", timeout=5).raise_for_status()
    except httpx.TransportError as error:
        raise ConnectionError(str(error)) from error


def _ask_everything(client: httpx.Client) -> dict[str, int]:
    """Returns path → status of one request to every route; none may fail but where nothing is promoted."""
    statuses: dict[str, int] = {}
    for method, path, options in requests(client.get("/openapi.json").json()):
        response = client.request(method, path, **options)
        statuses[path] = response.status_code
        assert response.status_code < 500 or response.status_code == 503, (path, response.text)
        assert response.status_code != 503 or "promote" in response.json()["next"], (path, response.text)
    assert len(statuses) > 15
    return statuses


def _megabytes(folder: Path) -> int:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return round(sum(path.stat().st_size for path in files) / 1e6)
