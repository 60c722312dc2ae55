"""Listening: a port in use, a strange host, and when the address is announced."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference import listen
from inference.serve import serve


def command(**changes: object) -> str:
    return f"again with {changes}"


def test_a_port_in_use_is_one_error_with_a_free_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as caught:
            serve(Home(tmp_path), port=port, access="open", workers=2)
    assert caught.value.found == f"port {port}, which another program listens on"
    words = caught.value.next_command.split()
    assert words[:2] == ["refrain", "serve"]
    assert words[4:] == ["--workers", "2", "--access", "open"]
    with socket.create_server(("127.0.0.1", int(words[3]))):
        pass  # the proposed port is free
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_of_another_machine_is_one_error(host: str) -> None:
    with pytest.raises(InputError, match="an address of this machine") as caught, listen.bound(host, 0, command):
        pass
    assert caught.value.next_command == "again with {'host': '127.0.0.1'}"


def test_a_port_is_taken_at_once_and_free_afterwards() -> None:
    with listen.bound("localhost", 0, command) as sockets:
        port = sockets[0].getsockname()[1]
        assert {listener.getsockname()[1] for listener in sockets} == {port}
        assert listen.url("localhost", sockets) == f"http://localhost:{port}"
        with pytest.raises(InputError, match="another program"), listen.bound("localhost", port, command):
            pass
    with listen.bound("localhost", port, command):
        pass


def test_the_address_is_announced_once_requests_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    answers: list[bytes] = []

    def ask(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            answers.append(client.recv(100))
        servers[0].should_exit = True

    def announce() -> None:
        assert servers[0].started
        threading.Thread(target=ask, args=(port,)).start()

    servers: list[Any] = []
    create = listen._Server.__init__
    monkeypatch.setattr(
        listen._Server, "__init__", lambda self, *words: (servers.append(self), create(self, *words))[1]
    )
    with listen.bound("127.0.0.1", 0, command) as sockets:
        port = sockets[0].getsockname()[1]
        listen.run(uvicorn.Config(application, lifespan="off", log_level="warning"), sockets, announce)
    assert answers[0].startswith(b"HTTP/1.1 204")
