"""The key that signs: a PEM file of its owner alone, the environment, or what a command prints.

``REFRAIN_SIGNING_KEY`` names the file, by default ``signing_key.pem`` in the user's configuration, outside of every
data folder. ``REFRAIN_SIGNING_KEY_PEM`` holds the key itself, ``REFRAIN_SIGNING_KEY_COMMAND`` a command that prints it,
such as one of a key store. Nothing is signed where there is none of these.
"""

import os
import shlex
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from feature_repo.errors import InputError
from feature_repo.extras import install_command

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE, PEM, COMMAND = "REFRAIN_SIGNING_KEY", "REFRAIN_SIGNING_KEY_PEM", "REFRAIN_SIGNING_KEY_COMMAND"
"""Environment variables."""

COMMAND_SECONDS = 60
"""Seconds that the command may take."""

NEXT = "refrain signing key  (or name one in REFRAIN_SIGNING_KEY)"


def key_file() -> Path:
    """Returns the file of the private key, whether it exists or not."""
    named = os.environ.get(FILE)
    return Path(named).expanduser() if named else Path(platformdirs.user_config_dir("refrain")) / "signing_key.pem"


def has_private_key() -> bool:
    """Whether a key is set. It is not read."""
    return bool(os.environ.get(FILE) or os.environ.get(PEM) or os.environ.get(COMMAND)) or key_file().is_file()


def load_private_key() -> "Ed25519PrivateKey":
    """Reads the key.

    Raises:
        InputError: there is none, it is no Ed25519 key in PEM, others may read its file, or the command fails.
        MissingExtra: the extra ``protection`` is not installed.
    """
    if pem := os.environ.get(PEM):
        return _parse(pem.encode(), PEM)
    if command := os.environ.get(COMMAND):
        return _parse(_printed_by(command), COMMAND)
    return _parse(_read(key_file()), str(key_file()))


def write_private_key(path: Path) -> "Ed25519PrivateKey":
    """Makes a key and writes it to a new file that its owner alone can read.

    Raises:
        InputError: the file exists, or cannot be written.
    """
    serialization, ed25519 = _cryptography()
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InputError(
            expected="no file, so that no key is lost",
            found=f"{path}",
            next_command=f"refrain signing key --out '{path.with_name('another_key.pem')}'",
        ) from error
    except OSError as error:
        raise InputError(
            expected=f"a file {path} that can be written",
            found=error.strerror or str(error),
            next_command="refrain signing key --out FILE",
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return key


def _read(path: Path) -> bytes:
    """Reads a file of which only its owner has rights; checked on the open file, not on its name."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise InputError(
                    expected=f"a signing key that its owner alone can read: {path} of mode 600",
                    found=f"mode {mode:o}",
                    next_command=f"chmod 600 '{path}'  (and a new key, if others could read it: refrain signing key)",
                )
            return file.read(1 << 16)
    except OSError as error:
        raise InputError(
            expected=f"a signing key in {path}", found=error.strerror or str(error), next_command=NEXT
        ) from error


def _printed_by(command: str) -> bytes:
    try:
        return subprocess.run(
            shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=COMMAND_SECONDS
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise InputError(
            expected=f"a signing key from the command of {COMMAND}",
            found=f"{type(error).__name__}"  # its text has the command line, which may hold a secret
            + (f" {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else ""),
            next_command=f"run the command of {COMMAND} by hand",
        ) from None


def _parse(content: bytes, place: str) -> "Ed25519PrivateKey":
    serialization, ed25519 = _cryptography()
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError) as error:  # its text may quote what it read
        problem = "one with a passphrase" if isinstance(error, TypeError) else "no PEM of a private key"
    else:
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key
        problem = f"a key of another kind ({type(key).__name__})"
    raise InputError(expected=f"an Ed25519 key in PEM, from {place}", found=problem, next_command=NEXT) from None


def _cryptography():  # type: ignore[no-untyped-def]
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise InputError(
            expected="cryptography, for signatures", found=str(error), next_command=install_command("protection")
        ) from error
    return serialization, ed25519
