"""Over HTTP: silos in processes of their own, one killed; strangers, lost connections, TLS."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.errors import InputError
from feature_repo.home import REPOSITORY, Home
from feature_repo.signing.private_key import write_private_key
from feature_repo.signing.public_keys import public_key_of
from tests.training.private.secure_aggregation import silo_process
from tests.training.private.secure_aggregation.certificates import write_certificate
from tests.training.private.secure_aggregation.rounds import IDENTITIES, NAMES, roster_of
from training.private.secure_aggregation import access
from training.private.secure_aggregation.channel import SiloChannel
from training.private.secure_aggregation.coordinator import Coordinator
from training.private.secure_aggregation.envelope import Phase
from training.private.secure_aggregation.errors import NothingPublished, RoundAborted, RoundRefused
from training.private.secure_aggregation.http_board import HttpBoard, connect
from training.private.secure_aggregation.roster import COORDINATOR
from training.private.secure_aggregation.server import serving

ROSTER = roster_of(3)
WORDS = np.arange(6, dtype=np.uint64)


@pytest.fixture
def coordinator() -> Coordinator:
    return Coordinator(ROSTER, IDENTITIES[COORDINATOR])


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def channel(url: str, name: str, folder: Path, timeout_s: float = 20.0) -> SiloChannel:
    return connect(url, name, IDENTITIES[name], ROSTER, Home(folder / name), timeout_s=timeout_s)


def board(url: str, name: str = NAMES[0], timeout_s: float = 5.0) -> HttpBoard:
    return HttpBoard(url, name, IDENTITIES[name], ROSTER, timeout_s=timeout_s)


def status_of(url: str, method: str, path: str, header: str = "", body: bytes | None = None) -> int:
    connection = http.client.HTTPConnection(str(urlsplit(url).hostname), urlsplit(url).port, timeout=10)
    try:
        connection.request(method, path, body, {access.HEADER: header} if header else {})
        return connection.getresponse().status
    finally:
        connection.close()


def test_silos_are_processes_and_one_is_killed(tmp_path: Path) -> None:
    silos = ("north", "south", "east", "west", "isle")
    identity = Ed25519PrivateKey.generate()
    keys = {name: public_key_of(write_private_key(tmp_path / name / "key.pem")) for name in silos}
    lines = [f'coordinator = "{public_key_of(identity)}"', "[silos]", *(f'{name} = "{keys[name]}"' for name in silos)]
    (tmp_path / "roster.toml").write_text("\n".join(lines))
    roster = silo_process.Roster.load(tmp_path / "roster.toml")
    coordinator = Coordinator(roster, identity)
    processes = {}
    with serving(coordinator) as url, ThreadPoolExecutor() as threads:
        try:
            for name in silos:
                module = silo_process.__name__
                command = [sys.executable, "-m", module, url, name, str(tmp_path / name), "mask" * (name == "isle")]
                environment = {**os.environ, "REFRAIN_SIGNING_KEY": str(tmp_path / name / "key.pem")}
                processes[name] = subprocess.Popen(
                    command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
                )
            assert [process.stdout and process.stdout.readline() for process in processes.values()] == ["ready\n"] * 5
            collected = threads.submit(
                coordinator.collect, "plays-1", 3_000, threshold=4, timeout_s=8, about={"catalogue": "9f02"}
            )
            killed = processes["isle"]
            assert killed.stdout and killed.stdout.readline() == "stopped\n"
            killed.send_signal(signal.SIGKILL)
            total = collected.result(60)
            coordinator.publish("plays-1", total.words.tobytes())
            outputs = {name: process.communicate(timeout=60)[0] for name, process in processes.items()}
        finally:
            for process in processes.values():
                process.kill()
    assert outputs == {**dict.fromkeys(silos, "submitted 24000\n"), "isle": ""}
    assert total.dropped == ("isle",) and total.silos == ("east", "north", "south", "west")
    assert (total.words == np.sum([silo_process.words_of(name) for name in total.silos], axis=0, dtype=np.uint64)).all()
    memories = [len(list(Home(tmp_path / name).joined_rounds.rglob("*"))) for name in silos]
    assert memories == [2] * 5  # a folder of the silo, and a file of the round


def test_strangers_neither_read_nor_write(coordinator: Coordinator) -> None:
    with serving(coordinator) as url, ThreadPoolExecutor(1) as threads:
        round_ = threads.submit(coordinator.collect, "plays-1", 6, threshold=2, timeout_s=2.0)
        for method, path in (
            ("GET", "/rounds/plays-1/advertise"),
            ("POST", "/rounds/plays-1"),
            ("GET", "/published/m"),
        ):
            stranger, silo = IDENTITIES[NAMES[7]], IDENTITIES[NAMES[0]]
            forged = access.sign_request(stranger, ROSTER, NAMES[0], method, path)
            unknown = access.sign_request(stranger, ROSTER, NAMES[7], method, path)
            elsewhere = access.sign_request(silo, ROSTER, NAMES[0], method, f"{path}x")
            for header in ("", "silo0", forged, unknown, elsewhere):
                assert status_of(url, method, path, header) == 401
        own = access.sign_request(IDENTITIES[NAMES[0]], ROSTER, NAMES[0], "POST", "/rounds/plays-1")
        assert status_of(url, "POST", "/rounds/plays-1", own, b"no message") == 409
        assert status_of(url, "POST", "/rounds/plays-1", own, bytes(100_000)) == 413
        other = access.sign_request(IDENTITIES[NAMES[0]], ROSTER, NAMES[0], "POST", "/rounds/plays-2")
        assert status_of(url, "POST", "/rounds/plays-2", other, bytes(100_000)) == 409
        absent = access.sign_request(IDENTITIES[NAMES[0]], ROSTER, NAMES[0], "GET", "/rounds/plays-1/elsewhere")
        assert status_of(url, "GET", "/rounds/plays-1/elsewhere", absent) == 404
        with pytest.raises(RoundAborted, match="0 silos in the phase advertise"):
            round_.result(60)


def test_a_request_counts_for_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    header = access.sign_request(IDENTITIES[NAMES[0]], ROSTER, NAMES[0], "GET", "/published/m")
    assert access.silo_of(header, ROSTER, "GET", "/published/m") == NAMES[0]
    assert access.silo_of(header, ROSTER, "POST", "/published/m") is None
    now = time.time()
    for later in (access.SKEW_S + 2, -access.SKEW_S - 2):
        monkeypatch.setattr(access.time, "time", lambda later=later: now + later)
        assert access.silo_of(header, ROSTER, "GET", "/published/m") is None


def test_a_coordinator_that_is_started_anew_knows_no_round(
    coordinator: Coordinator, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    with serving(coordinator) as url:
        with pytest.raises(RoundAborted, match="does not know the round any more"):
            board(url).message("plays-1", Phase.SHARE, 5)
        with pytest.raises(RoundAborted, match=r"no message of the phase advertise within 0.1 s"):
            board(url).message("plays-1", Phase.ADVERTISE, 0.1)
        with pytest.raises(NothingPublished, match=r"nothing within 0.1 s"):
            channel(url, NAMES[0], tmp_path).fetch("model", 0.1)
        submissions = [threads.submit(channel(url, name, tmp_path).submit, "plays-1", WORDS) for name in NAMES[:2]]
        with pytest.raises(RoundAborted, match="[0-2] silos in the phase advertise, 3 are needed"):
            coordinator.collect("plays-1", 6, threshold=3, timeout_s=1)
        for each in submissions:
            with pytest.raises(RoundAborted, match="[0-2] silos in the phase advertise, 3 are needed"):
                each.result(60)
        submissions = [threads.submit(channel(url, name, tmp_path).submit, "plays-2", WORDS) for name in NAMES[:3]]
        assert (coordinator.collect("plays-2", 6, threshold=3, timeout_s=20).words == 3 * WORDS).all()
    with pytest.raises(RoundAborted, match=r"at http://127.0.0.1:\d+ is not reached"):
        board(url, timeout_s=0.2).send("plays-2", b"message")


def test_what_is_published_is_the_coordinators(coordinator: Coordinator, tmp_path: Path) -> None:
    other = Coordinator(roster_of(3), IDENTITIES[COORDINATOR])
    other._identity = IDENTITIES[NAMES[5]]
    for each in (coordinator, other):
        each.publish("model", b"weights" * 100_000)
        with serving(each) as url:
            silo = channel(url, NAMES[0], tmp_path)
            if each is coordinator:
                assert silo.fetch("model", 5) == b"weights" * 100_000
                continue
            with pytest.raises(RoundRefused, match="model, signed by the coordinator"):
                silo.fetch("model", 5)


def test_over_tls_the_certificate_has_to_be_of_the_authorities(coordinator: Coordinator, tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path, "ours")
    others, _ = write_certificate(tmp_path, "others")
    coordinator.publish("model", b"weights")
    identity, home = IDENTITIES[NAMES[0]], Home(tmp_path / "home")
    with serving(coordinator, certificate=certificate, key=key) as address:
        url = address.replace("127.0.0.1", "localhost")
        assert url.startswith("https://localhost:")
        silo = connect(url, NAMES[0], identity, ROSTER, home, authorities=certificate)
        assert silo.fetch("model", 5) == b"weights"
        for authorities in (others, None):
            silo = connect(url, NAMES[0], identity, ROSTER, home, authorities=authorities)
            with pytest.raises(RoundAborted, match="is not the coordinator: "):
                silo.fetch("model", 5)


def test_addresses_and_certificates_that_cannot_be_used(coordinator: Coordinator, tmp_path: Path) -> None:
    identity, home = IDENTITIES[NAMES[0]], Home(tmp_path)
    for url in ("http://sums.example.org", "ftp://localhost", "localhost:8000", "", "http://[", "http://localhost:x"):
        with pytest.raises(InputError, match="the address of a coordinator"):
            connect(url, NAMES[0], identity, ROSTER, home)
    with pytest.raises(InputError, match="certificates in PEM"):
        connect("https://localhost", NAMES[0], identity, ROSTER, home, authorities=tmp_path / "absent.pem")
    with pytest.raises(RoundRefused, match="the private key of silo0 in the roster"):
        connect("http://localhost", NAMES[0], IDENTITIES[NAMES[1]], ROSTER, home)
    with pytest.raises(InputError, match=r"HTTPS on 0.0.0.0"), serving(coordinator, "0.0.0.0"):
        pass
    (tmp_path / "x.pem").write_text("no certificate")
    for certificate in ("absent.pem", "x.pem"):
        with (
            pytest.raises(InputError, match="a certificate in .*pem"),
            serving(coordinator, certificate=tmp_path / certificate, key=tmp_path / certificate),
        ):
            pass
    with (
        serving(coordinator) as url,
        pytest.raises(InputError, match="a free port"),
        serving(coordinator, port=int(url.rpartition(":")[2])),
    ):
        pass
