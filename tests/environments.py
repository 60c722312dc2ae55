"""Environments with the wheel and one extra, outside the repository; for ``make test-extras``.

A command in such an environment has no variable of this process, its own empty folder as home and working folder, and
nothing of the repository on its path.
"""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES
from tests.servers import free_port

UV = Path(sys.executable).with_name("uv")
SECONDS = 170
"""Most seconds of one command."""


def build_wheel(folder: Path) -> Path:
    """Builds the wheel from a copy of the sources, so that nothing is left beside them and nothing old gets in."""
    source = folder / "source"
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet", "-w", ".."]
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True, timeout=SECONDS)
    (wheel,) = folder.glob("*.whl")
    return wheel


@dataclass
class Environment:
    """A virtual environment and a folder to work in.

    Attributes:
        folder: the virtual environment.
        work: home and working folder of the commands.
        installed: files of the environment after the last installation.
    """

    folder: Path
    work: Path
    installed: set[Path] = field(default_factory=set)

    @classmethod
    def make(cls, folder: Path) -> "Environment":
        """Makes an empty environment with the Python of this process."""
        environment = cls(folder / "environment", folder / "work")
        environment.work.mkdir(parents=True)
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment.folder], check=True)
        return environment

    def install(self, *requirements: str, folder: Path | None = None) -> None:
        """Installs requirements in the locked versions.

        Args:
            requirements: requirements or options of pip.
            folder: working folder; ``work`` if left out.
        """
        constraints = ["--constraint", str(REPOSITORY / "requirements.lock")]
        command = [UV, "pip", "install", "--quiet", "--python", self.python, *constraints, *requirements]
        where = folder or self.work
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        self.installed = self._files()

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "bin" / "python"

    @property
    def home(self) -> Path:
        """The data folder without ``REFRAIN_HOME``."""
        return self.work / ".local" / "share" / "refrain"

    def written(self) -> list[Path]:
        """Returns files that were written into the environment after the last installation, without compiled code."""
        return sorted(self._files() - self.installed)

    def _files(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"}

    def run(self, *command: str | Path, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the environment, such as ``refrain`` or ``python``, and checks its exit code."""
        done = subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]],
            cwd=self.work,
            env=self.variables(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def refrain(self, *arguments: str | Path, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs ``refrain``."""
        return self.run("refrain", *arguments, code=code, **variables)

    def variables(self, **variables: str) -> dict[str, str]:
        """Returns the environment variables of a command."""
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "FEAST_USAGE": "False"}
        path = f"{self.folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return {"HOME": str(self.work), "PATH": path, "LANG": "C.UTF-8", **quiet, **variables}

    @contextmanager
    def serving(
        self, *command: str | Path, folder: Path | None = None, **variables: str
    ) -> Iterator[tuple[str, float]]:
        """Runs a server; ``PORT`` in the command stands for a free port.

        Yields:
            Its address, and the moment of its start on the monotonic clock.
        """
        port = str(free_port())
        arguments = [str(part).replace("PORT", port) for part in command]
        log = self.work / f"server-{port}.log"
        with log.open("w") as output:
            started = time.monotonic()
            process = subprocess.Popen(
                [self.folder / "bin" / arguments[0], *arguments[1:]],
                cwd=folder or self.work,
                env=self.variables(**variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                _wait(f"http://127.0.0.1:{port}/health", process, log)
                yield f"http://127.0.0.1:{port}", started
            finally:
                process.terminate()
                process.wait(60)
        assert "Traceback" not in log.read_text(), log.read_text()

    def remove(self) -> None:
        """Stops the Redis of the data folder and removes everything."""
        self.refrain("redis", "stop")
        shutil.rmtree(self.folder)
        shutil.rmtree(self.work)


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Waits until a server answers."""
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except urllib.error.HTTPError:  # it answers
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        else:
            return


def copy_data(source: Path, target: Path, *, without: Sequence[str] = ()) -> None:
    """Copies a data folder whose Redis has stopped."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.sock", "*.pid", "start.lock", *without))
