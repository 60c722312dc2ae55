"""Signs and verifies the compiled manifest of a tenant, in a file beside it."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from feature_repo.errors import ManifestSignatureError
from feature_repo.home import Home
from feature_repo.signing.private_key import has_private_key
from feature_repo.signing.sign import sign
from feature_repo.signing.statement import LARGEST, Statement
from feature_repo.signing.trust import Trust
from feature_repo.signing.verify import verify
from feature_repo.whole_files import write_whole

TRIES, PAUSE = 5, 0.05
"""How often, and after how many seconds, a manifest is read again that does not fit its signature: of the two files,
one is written before the other."""


def signature_file(home: Home) -> Path:
    """Returns the file with the signature of the manifest."""
    return home.manifest.with_name(f"{home.manifest.name}.signature")


def sign_manifest(home: Home) -> None:
    """Signs the manifest as it is, if a key is set; else removes the signature of the one before.

    Raises:
        InputError: the key cannot be used.
    """
    if not has_private_key():
        signature_file(home).unlink(missing_ok=True)
        return
    digest = hashlib.sha256(home.manifest.read_bytes()).hexdigest()
    statement = sign("manifest", home.tenant, "manifest", files={home.manifest.name: digest})
    write_whole(signature_file(home), statement.to_bytes())


def read_signed_manifest(home: Home) -> bytes:
    """Reads the manifest, where keys are pinned only as it was signed, before it is parsed.

    Raises:
        ManifestSignatureError: it is not signed, by no pinned key, as of another tenant, has another content, or is
            older than one that was seen before.
        OSError: there is no manifest.
    """
    trust = Trust.load(home)
    content = home.manifest.read_bytes()
    if not trust.is_required:
        return content
    for left in reversed(range(TRIES)):
        try:
            _verify(content, home, trust)
            return content
        except ManifestSignatureError:
            if not left:
                raise
        time.sleep(PAUSE)
        content = home.manifest.read_bytes()
    raise AssertionError


def read_manifest_statement(home: Home) -> Statement | None:
    """Reads the signature of the manifest, and verifies nothing; None if there is none in its form."""
    try:
        return Statement.from_bytes(_read(signature_file(home)))
    except (OSError, ValueError):
        return None


def _verify(content: bytes, home: Home, trust: Trust) -> None:
    refuse = _refusal(home)
    try:
        signature = _read(signature_file(home))
    except FileNotFoundError:
        raise refuse("a signed manifest, as keys are pinned here", "no signature") from None
    except OSError as error:
        raise refuse("a signature that can be read", error.strerror or str(error)) from error
    statement = verify(
        signature, trust, refuse, kind="manifest", tenant=home.tenant, name="manifest", newest_of=str(home.root)
    )
    if statement.files != {home.manifest.name: hashlib.sha256(content).hexdigest()}:
        raise refuse("the manifest as it was signed", "another content")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _refusal(home: Home) -> Callable[[str, str], Exception]:
    return lambda expected, found: ManifestSignatureError(
        expected=expected,
        found=f"{found} ({home.manifest})",
        next_command="refrain signing sign --manifest  (where it was compiled, if it is as it should be)",
    )
