"""Environments of rivals: made once with pip from the locked versions, and kept in the cache folder."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LOCK = Path(__file__).with_name("rivals.lock")
"""Version of every package that a rival needs, and of those that these need."""
INSTALL_SECONDS = 1_200


class NotInstalled(Exception):
    """An environment could not be made; the message has the last lines of pip."""


def cache_folder() -> Path:
    """The folder of all environments: ``refrain/compare`` in ``XDG_CACHE_HOME``, or in ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "refrain" / "compare"


def environment(requirements: Sequence[str], cache: Path | None = None, lock: Path = LOCK) -> Path:
    """Makes an environment, or finds it; rivals of equal requirements share one.

    Args:
        requirements: names of packages, whose versions are in the lock.
        cache: folder of the environments.
        lock: constraints for pip.

    Returns:
        The Python of the environment.

    Raises:
        NotInstalled: pip failed; nothing is kept then.
    """
    named = "\n".join([*sorted(requirements), lock.read_text(), sys.version])
    folder = (cache or cache_folder()) / hashlib.sha256(named.encode()).hexdigest()[:16]
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:", "-c", str(lock), *requirements]
    try:
        for call in ([sys.executable, "-m", "venv", str(folder)], install):
            done = subprocess.run(call, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
            if done.returncode:
                lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
                raise NotInstalled("; ".join(lines[-2:]) or done.stderr.strip()[-300:])
    except subprocess.TimeoutExpired as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise NotInstalled(f"pip took more than {INSTALL_SECONDS:,} s") from error
    except NotInstalled:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / "complete").touch()
    return python
