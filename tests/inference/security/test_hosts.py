"""The names under which a server may be asked."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.api.app import create_app, from_env
from inference.api.hosts import HOST_NAMES, Hosts, names_of


@pytest.mark.parametrize(
    ("header", "is_accepted"),
    [
        (b"localhost", True),
        (b"LOCALHOST:8000", True),
        (b"localhost.", True),
        (b"127.0.0.1:8000", True),
        (b"[::1]:8000", True),
        (b"10.0.0.7", True),
        (b"music.example:443", True),
        (b"music.example.evil.example", False),
        (b"evil.example", False),
        (b"", False),
        (b"127.0.0.1.evil.example", False),
        (b"[::1", True),
        (b"\xff", False),
    ],
)
def test_names_and_addresses(header: bytes, is_accepted: bool) -> None:
    hosts = Hosts(names_of("127.0.0.1", ["music.example"]).split())
    assert hosts.accepts(header) == is_accepted


def test_every_name_where_somebody_else_checks_it() -> None:
    assert Hosts(["localhost", "*"]).accepts(b"evil.example")
    assert Hosts(None).accepts(b"evil.example")


@pytest.mark.parametrize("name", ["https://music.example", "music.example:443", "a b"])
def test_a_name_is_a_name_alone(name: str) -> None:
    with pytest.raises(InputError, match="without a port"):
        names_of("127.0.0.1", [name])


@pytest.fixture
def client(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.delenv(HOST_NAMES, raising=False)
    with TestClient(from_env(), base_url="http://localhost") as test_client:
        yield test_client


def test_a_foreign_name_reads_nothing(client: TestClient) -> None:
    """As with DNS rebinding: a page whose name points at this machine."""
    body = {"keys": {"user_id": ["u000007"]}}
    assert client.post("/v1/features/listener_v1", json=body).status_code == 200
    response = client.post("/v1/features/listener_v1", json=body, headers={"host": "evil.example"})
    assert (response.status_code, response.headers["content-type"]) == (421, "application/problem+json")
    assert response.json()["next"] == "refrain serve --host-name NAME"
    assert client.get("/health", headers={"host": "evil.example"}).status_code == 421


def test_no_redirection_repeats_a_name(in_world: Home) -> None:
    with TestClient(create_app(home=in_world, hosts=["*"])) as anybody:
        response = anybody.get("/v1/models/", headers={"host": "evil.example"}, follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (307, "/v1/models")
        response = anybody.post("/console/logout", headers={"host": "evil.example"}, follow_redirects=False)
        assert response.headers["location"] == "/console/login"
