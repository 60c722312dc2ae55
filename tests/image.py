"""Container images without a container engine: the lines of a Dockerfile, performed in a folder that stands for ``/``.

What an engine would isolate, the kernel isolates here: a root file system that is read-only, a network that has nothing
but loopback, and the user of the image without any capability. Needs root and ``unshare``.
"""

import ctypes
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.environments import UV

NEW_NETWORK = 0x40000000
"""``CLONE_NEWNET`` of the kernel."""
SLIM = re.compile(
    r"lib(c|m|mvec|dl|rt|pthread|util|gcc_s|stdc\+\+|z|bz2|lzma|crypt|ssl|crypto|resolv|uuid|expat)\.so|ld-linux"
)
"""Libraries of the base image ``python:…-slim``: the C and C++ runtimes, and what Python and ``apt`` need."""
FIELDS = {"VOLUME": "volumes", "ENTRYPOINT": "entrypoint", "CMD": "command", "HEALTHCHECK": "health"}
"""Instruction → field of ``Image``, where a list is given."""
NOTHING: Mapping[str, Path] = MappingProxyType({})
SECONDS = 150
"""Most seconds until a server answers."""
ENTER = f"""\
set -eu
root=$1 user=$2 folder=$3 mounts=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
for name in bin lib lib64 usr; do mount --bind "/$name" "$root/$name"; done
mount --bind "$root/base" "$root/usr/local"
mount --bind {sys.base_prefix} "$root{sys.base_prefix}"
for name in dev proc; do mount --rbind "/$name" "$root/$name"; done
[ "$user" != 0 ] || exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
ip link set lo up
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for pair in $mounts; do mount --bind "${{pair%=*}}" "$root${{pair#*=}}"; done
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro "$root/usr/local"
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --bounding-set -all \\
  sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""
"""A shell script that runs a command in the image; as root, for the lines ``RUN``, it may write everywhere."""


def why_not() -> str:
    """Returns why images cannot be run here; empty if they can."""
    if os.geteuid() != 0:
        return "needs root, for a root file system of its own"
    probe = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, text=True, check=False)
    missing = [name for name in ("ip", "setpriv", "chroot") if shutil.which(name) is None]
    return probe.stderr.strip() or ", ".join(f"no {name}" for name in missing)


@dataclass
class Image:
    """What the lines of one stage of a Dockerfile make.

    Attributes:
        root: the folder that stands for ``/``; every user must be able to enter it.
        arguments: build arguments, such as ``BASE``.
        folder: the working folder.
        user: number of the user of the command.
        variables: environment variables.
        volumes: folders that may be written.
        command: the command that the image starts.
        health: the command that checks it.
        ports: ports that it says it listens on.
    """

    root: Path
    arguments: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0"
    variables: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)

    @property
    def python(self) -> Path:
        """The Python of the image, seen from outside."""
        return self.root / "base" / "bin" / "python"

    def build(self, context: Path, dockerfile: Path, stage: str = "") -> "Image":
        """Performs the lines of a stage; the last one if it has no name. An unknown instruction is an error."""
        for name in ("bin", "lib", "lib64", "usr", "dev", "proc", "tmp", "written", sys.base_prefix.lstrip("/")):
            (self.root / name).mkdir(parents=True)
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, self.root / "base"], check=True)
        (self.root / "tmp").chmod(0o1777)
        for line in _lines(dockerfile, stage):
            self._perform(line, context)
        return self

    def _perform(self, line: str, context: Path) -> None:
        instruction, _, rest = line.partition(" ")
        match instruction:
            case "ARG":
                name, _, default = rest.partition("=")
                self.arguments.setdefault(name, default)
            case "WORKDIR":
                self.folder = rest
                self._inside(rest).mkdir(parents=True, exist_ok=True)
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    self._copy(context, source, target)
            case "RUN":
                self._run_line(rest)
            case "ENV":
                self.variables |= dict(word.split("=", 1) for word in shlex.split(rest))
            case "USER":
                self.user = rest.partition(":")[0]
            case "VOLUME" | "ENTRYPOINT" | "CMD" | "HEALTHCHECK":
                setattr(self, FIELDS[instruction], json.loads(rest.removeprefix("CMD ")))
            case "EXPOSE":
                self.ports.append(rest)
            case "FROM" | "LABEL":
                pass
            case _:
                raise AssertionError(f"this test cannot perform {line!r}")

    def _run_line(self, rest: str) -> None:
        if rest.startswith("python -m pip install "):
            self._install([word for word in shlex.split(rest)[3:] if word != "--no-cache-dir"])
        elif "apt-get" not in rest:  # the system's packages are those of this machine
            self.run("sh", "-c", rest, user="0")

    def _inside(self, path: str) -> Path:
        return self.root / (path if path.startswith("/") else f"{self.folder}/{path}").lstrip("/")

    def _copy(self, context: Path, source: str, target: str) -> None:
        paths = list(context.glob(source))
        assert paths, f"COPY {source}: there is nothing"
        for path in paths:
            if path.is_dir():
                shutil.copytree(path, self._inside(target), dirs_exist_ok=True)
            else:
                shutil.copy(path, self._inside(target))

    def _install(self, words: list[str]) -> None:
        folder = self._inside(".")
        files = [str(path) for word in words if "*" in word for path in folder.glob(word)]
        words = [*[word for word in words if "*" not in word], *files]
        command = [UV, "pip", words[0], "--quiet", "--python", self.python, *words[1:]]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for script in (self.root / "base" / "bin").iterdir():  # as an installation inside would write them
            if script.is_file() and script.read_bytes().startswith(b"#!" + bytes(self.root)):
                script.write_bytes(script.read_bytes().replace(bytes(self.root / "base"), b"/usr/local", 1))

    def _call(self, command: Sequence[str], user: str, mounts: Mapping[str, Path], *new: str) -> list[str]:
        """Returns the command that runs another one in the image, with its volumes and what the caller mounts."""
        pairs = " ".join(f"{source}={place}" for place, source in {**self._volumes(), **mounts}.items())
        return [
            "unshare",
            "--mount",
            *new,
            "sh",
            "-c",
            ENTER,
            "enter",
            str(self.root),
            user,
            self.folder,
            pairs,
            *command,
        ]

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        """Nothing but what the image and its caller say, as in a container."""
        return {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", **self.variables, **variables}

    def run(
        self,
        *command: str,
        user: str = "",
        code: int = 0,
        mounts: Mapping[str, Path] = NOTHING,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, in the network of this thread; ``mounts`` as for ``started``."""
        done = subprocess.run(
            self._call(command, user or self.user, mounts),
            env=self._environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    @contextmanager
    def started(
        self, is_up: Callable[[], object], *, mounts: Mapping[str, Path] = NOTHING, **variables: str
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Runs the command of the image, in whose network this thread is meanwhile.

        Args:
            is_up: raises OSError while the process does not answer.
            mounts: folder in the image → folder of this machine that is mounted there, writable.
            variables: environment variables that the caller sets.
        """
        log = self.root / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                self._call([*self.entrypoint, *self.command], self.user, mounts, "--net"),
                env=self._environment(variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                with in_network_of(process.pid):
                    _wait(is_up, process, log)
                    yield process
            finally:
                process.terminate()
                process.wait(60)
        assert "Traceback" not in log.read_text(), log.read_text()

    def missing_libraries(self) -> dict[str, set[str]]:
        """Returns system library → packages that need it, of those that a slim image of Debian does not have."""
        missing: dict[str, set[str]] = {}
        packages = next((self.root / "base" / "lib").glob("python*/site-packages"))
        brought = {path.name for path in packages.rglob("*.so*")}
        for library in packages.rglob("*.so*"):
            output = subprocess.run(["ldd", library], capture_output=True, text=True, check=False).stdout
            for name in re.findall(r"^\s*(\S+) => (?:/|not found)", output, re.M):
                if name not in brought and not SLIM.match(name):
                    missing.setdefault(name, set()).add(library.relative_to(packages).parts[0])
        return missing

    def _volumes(self) -> dict[str, Path]:
        """Returns folder in the image → folder of its volume, which begins with what the image has there."""
        volumes = {place: self.root / "written" / place.lstrip("/") for place in self.volumes}
        for place, target in volumes.items():
            if not target.exists():
                source = self._inside(place)
                shutil.copytree(source, target)
                os.chown(target, source.stat().st_uid, source.stat().st_gid)
        return volumes


def _lines(dockerfile: Path, stage: str) -> Iterator[str]:
    """Yields the instructions of a stage, and of what comes before the first stage."""
    current: str | None = None
    for line in dockerfile.read_text().replace("\\\n", " ").splitlines():
        line = " ".join(line.split()) if not line.startswith("RUN") else line.strip()  # noqa: PLW2901
        if not line or line.startswith("#"):
            continue
        if line.startswith("FROM "):
            current = line.partition(" AS ")[2]
        if current is None or not stage or current == stage:
            yield line


@contextmanager
def in_network_of(pid: int) -> Iterator[None]:
    """Sockets that this thread opens meanwhile are in the network of another process."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    deadline = time.monotonic() + 10
    while os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/thread-self/ns/net"):  # noqa: PTH115
        assert time.monotonic() < deadline, "the process stays in the network of the machine"
        time.sleep(0.01)
    other = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        assert libc.setns(other, NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        assert libc.setns(own, NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        os.close(other)
        os.close(own)


def _wait(is_up: Callable[[], object], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            is_up()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return
