"""A key-encryption key that a command prints, such as that of a password store."""

import shlex
import subprocess

from feature_repo.encryption.local_key import LocalKey
from feature_repo.encryption.provider import Provider, unusable

SECONDS = 10.0
"""How long a command may take."""


def open_command(place: str) -> LocalKey:
    """Runs the command, without a shell, and reads the key that it prints.

    Raises:
        EncryptionError: the command cannot be run, fails, takes too long, or prints no key.
    """
    expected = f"the key-encryption key from the command {place!r}"
    try:
        words = shlex.split(place)
        run = subprocess.run(words, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired as error:
        raise unusable(expected, f"no answer in {SECONDS:g} seconds", place) from error
    except (OSError, ValueError) as error:
        raise unusable(expected, str(error), place) from error
    if run.returncode:
        reason = (run.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1][:200]
        raise unusable(expected, f"exit code {run.returncode}: {reason}", place)
    return LocalKey.read(run.stdout.decode(errors="replace"), f"the command {place!r}")


PROVIDER = Provider("command", "command:COMMAND...", open_command)
