"""The code on docs/secure_aggregation.md runs: a coordinator and three silos, over HTTPS on this machine."""

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.home import REPOSITORY
from feature_repo.signing.public_keys import public_key_of
from tests.training.private.secure_aggregation.certificates import write_certificate

PAGE = (REPOSITORY / "docs" / "secure_aggregation.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def adapted(code: str, port: int, name: str) -> Callable[[Ed25519PrivateKey], dict[str, object]]:
    """A block as a function of the key of who runs it, with addresses of this machine; it returns its names."""
    changes = {
        "from feature_repo.signing.private_key import load_private_key\n": "",
        "load_private_key()": "private_key",
        "8443": str(port),
        "0.0.0.0": "127.0.0.1",
        "sums.example.org": "localhost",
        '"label_a"': f'"{name}"',
        "Home.from_env()": f'Home(Path("{name}"))',
    }
    for before, after in changes.items():
        code = code.replace(before, after)

    def run(private_key: Ed25519PrivateKey) -> dict[str, object]:
        names: dict[str, object] = {"private_key": private_key}
        exec(code, names)
        return names

    return run


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (roster,), (coordinator, silo) = blocks("toml"), blocks("python")
    parties = ("coordinator", "label_a", "label_b", "label_c")
    identities = {name: Ed25519PrivateKey.generate() for name in parties}
    for name in parties:
        roster = roster.replace(f'{name} = "ed25519:…"', f'{name} = "{public_key_of(identities[name])}"')
    (tmp_path / "roster.toml").write_text(roster)
    certificate, _ = write_certificate(tmp_path, "coordinator")
    (tmp_path / "authorities.pem").write_bytes(certificate.read_bytes())
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with ThreadPoolExecutor() as threads:
        silos = [threads.submit(adapted(silo, port, name), identities[name]) for name in parties[1:]]
        names = adapted(coordinator, port, "")(identities["coordinator"])
        results = [each.result(60) for each in silos]
    assert np.array_equal(names["counts"], [36, 0, 21])  # type: ignore[arg-type]
    assert all(np.array_equal(each["sums"], [36, 0, 21]) for each in results)  # type: ignore[arg-type]
