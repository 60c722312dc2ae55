"""``make release``: a source distribution, a wheel and a bill of materials in ``dist/``, checked where nothing else is.

Only files that Git tracks are built, from a copy, so that nothing of a working copy gets into a release and the build
leaves nothing behind. Both artifacts are then installed into fresh environments outside the repository, with their
default dependencies from the package index, and the command ``refrain`` has to work there.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EXTRAS = ("transforms", "text", "audio", "training", "inference", "oidc", "protection")
"""The extras whose locked packages are in the bill."""


def build(folder: Path) -> tuple[Path, Path]:
    """Builds the source distribution, and the wheel from it. Needs no network.

    Args:
        folder: where they are written.

    Returns:
        Paths of the source distribution and of the wheel.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "refrain")
        for name in _git("ls-files", "-z").split("\0"):
            if name and (REPOSITORY / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / name, copy / name)
        committed = {"SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct").strip()}  # equal sources, equal artifacts
        _uv("build", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(folder), copy, **committed)
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return source, wheel


def write_bill(folder: Path, wheel: Path) -> Path:
    """Writes the bill of materials beside a wheel: every package that its extras need, in the locked versions.

    ``refrain bom`` writes it, as in images.

    Returns:
        Path of the bill, CycloneDX as JSON.
    """
    target = folder / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    project, lock = REPOSITORY / "pyproject.toml", REPOSITORY / "requirements.lock"
    with tempfile.TemporaryDirectory() as scratch:
        packages = Path(scratch, "requirements.txt")
        extras = [word for extra in EXTRAS for word in ("--extra", extra)]
        options = ("--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url")
        _uv("pip", "compile", *options, *extras, "--constraint", lock, "-o", packages, project)
        _refrain("bom", "--lock", packages, "--out", target)
    return target


def check(artifact: Path, version: str) -> None:
    """Installs an artifact into a fresh environment outside the repository and runs ``refrain`` there.

    Raises:
        SystemExit: it cannot be installed, or the command does not work.
    """
    with tempfile.TemporaryDirectory() as scratch:
        environment = Path(scratch, "environment")
        _uv("venv", "--quiet", "--python", sys.executable, environment)
        _uv("pip", "install", "--quiet", "--python", environment / "bin" / "python", artifact)
        check_command([str(environment / "bin" / "refrain")], Path(scratch), version, {})


def check_command(command: list[str], folder: Path, version: str, variables: Mapping[str, str]) -> None:
    """Checks that ``refrain --version`` says the version and that ``refrain --help`` lists commands.

    Args:
        command: how ``refrain`` is started.
        folder: working folder, outside the repository.
        version: the version that it has to say.
        variables: further environment variables.

    Raises:
        SystemExit: it does not work.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("REFRAIN_", "PYTHON"))}
    for option, expected in (("--version", f"refrain {version}"), ("--help", "upgrade")):
        process = subprocess.run(
            [*command, option], cwd=folder, env={**own, **variables}, capture_output=True, text=True, check=False
        )
        if process.returncode or expected not in process.stdout:
            found = (process.stderr or process.stdout).strip()
            raise SystemExit(f"Expected  {expected!r} from refrain {option}\nFound     {found}")


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--changed", action="store_true", help="also where files differ from the last commit")
    arguments = parser.parse_args()
    if not arguments.changed and _git("status", "--porcelain"):
        raise SystemExit("Expected  a release of committed files\nFound     changes\nNext      git status")
    folder = REPOSITORY / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    source, wheel = build(folder)
    bill = write_bill(folder, wheel)
    for artifact in (source, wheel):
        check(artifact, wheel.name.split("-")[1])
    for path in (source, wheel, bill):
        print(f"{path.relative_to(REPOSITORY)}  {path.stat().st_size / 1e3:,.0f} kB")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", REPOSITORY, *arguments], capture_output=True, text=True, check=True).stdout


def _uv(*arguments: str | Path, **variables: str) -> None:
    """Runs uv of this environment.

    Raises:
        SystemExit: it fails; its output is in the message.
    """
    command = [Path(sys.executable).with_name("uv"), *arguments]
    process = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False, cwd=tempfile.gettempdir()
    )
    if process.returncode:
        raise SystemExit(f"uv {' '.join(map(str, arguments))}\n{process.stdout}{process.stderr}")


def _refrain(*arguments: str | Path) -> None:
    """Runs ``refrain`` of this repository.

    Raises:
        SystemExit: it fails; its output is in the message.
    """
    command = [sys.executable, "-m", "refrain", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if process.returncode:
        raise SystemExit(f"refrain {' '.join(map(str, arguments))}\n{process.stdout}{process.stderr}")


if __name__ == "__main__":
    main()
