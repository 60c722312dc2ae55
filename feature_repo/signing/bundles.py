"""Signs and verifies the folder of a model bundle: all of its files, its name, version and tenant, and the time.

What is signed of a sealed file is its content, so that a bundle may be sealed and opened and its signature stays.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from feature_repo.encryption.bundle_files import SEAL, SIGNATURE, BundlePlace, read_file
from feature_repo.errors import SignatureError
from feature_repo.home import Home
from feature_repo.signing.private_key import has_private_key
from feature_repo.signing.sign import sign
from feature_repo.signing.statement import LARGEST, Statement
from feature_repo.signing.trust import Trust
from feature_repo.signing.verify import verify
from feature_repo.whole_files import write_whole


def sign_bundle(folder: Path, home: Home, name: str, version: int) -> Statement:
    """Signs all files that are in the folder of a bundle, and writes the signature beside them.

    Raises:
        InputError: the key cannot be used, or a file has a name that cannot be signed.
    """
    statement = sign("bundle", home.tenant, name, version, digests_of(folder, home, name, version))
    write_whole(folder / SIGNATURE, statement.to_bytes())
    return statement


def sign_again(folder: Path, home: Home, name: str, version: int) -> None:
    """Signs a bundle whose files were changed on purpose; without a key, removes its signature, which fits no more."""
    if has_private_key():
        sign_bundle(folder, home, name, version)
    else:
        (folder / SIGNATURE).unlink(missing_ok=True)


def verify_bundle(folder: Path, home: Home, name: str, version: str) -> Mapping[str, str] | None:
    """Verifies a bundle before anything of it is parsed: its signature, then the digest of every file.

    Args:
        folder: folder of the bundle.
        home: the data folder.
        name: name of the model that it has to be.
        version: version that it has to be.

    Returns:
        Name → SHA-256 of its files; None where no keys are pinned, and nothing is verified.

    Raises:
        SignatureError: it is not signed, by no pinned key, as another bundle, or a file is not as it was signed.
    """
    trust = Trust.load(home)
    if not trust.is_required:
        return None
    refuse = _refusal(folder, name, version)
    signed = _statement(folder, home, name, version, trust, refuse).files
    present = digests_of(folder, home, name, version, refuse)
    for file in sorted(set(signed) | set(present)):
        if file not in present:
            raise refuse(f"the file {file}, which was signed", "no such file")
        if file not in signed:
            raise refuse("no files but those that were signed", f"the file {file}")
        if present[file] != signed[file]:
            raise refuse(f"the file {file} as it was signed", "another content")
    return signed


def read_signed(folder: Path, file: str, home: Home, name: str, version: str) -> bytes:
    """Reads one file of a bundle; where keys are pinned, only as it was signed. Other files are not looked at.

    Raises:
        SignatureError: the bundle is not signed as it has to be, or the file has another content.
        OSError: the file cannot be read.
    """
    content, trust = (folder / file).read_bytes(), Trust.load(home)
    if trust.is_required:
        refuse = _refusal(folder, name, version)
        signed = _statement(folder, home, name, version, trust, refuse).files
        if signed.get(file) != hashlib.sha256(content).hexdigest():
            raise refuse(f"the file {file} as it was signed", "another content")
    return content


def read_statement(folder: Path) -> Statement | None:
    """Reads the signature of a bundle, and verifies nothing; None if there is none in its form."""
    try:
        return Statement.from_bytes(_read(folder / SIGNATURE))
    except (OSError, ValueError):
        return None


def digests_of(
    folder: Path,
    home: Home,
    name: str,
    version: str | int,
    refuse: Callable[[str, str], Exception] | None = None,
) -> dict[str, str]:
    """Returns name → SHA-256 of the content of every file in a folder, but the signature, and the seal of the manifest.

    Args:
        folder: folder of a bundle.
        home: the data folder.
        name: name of the model.
        version: version of the model.
        refuse: makes the error about something that is no plain file; if None, such things are left out.

    Raises:
        EncryptionError: a sealed file was changed, or its key is not there.
    """
    digests, place = dict[str, str](), BundlePlace.at(home, name, version)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in (SIGNATURE, SEAL):
                continue
            if entry.is_file(follow_symlinks=False):
                digests[entry.name] = hashlib.sha256(read_file(folder, entry.name, home, place)).hexdigest()
            elif refuse is not None:
                kind = "a link" if entry.is_symlink() else "a folder or a device"
                raise refuse("plain files alone", f"{kind} named {entry.name}")
    return digests


def _statement(
    folder: Path, home: Home, name: str, version: str, trust: Trust, refuse: Callable[[str, str], Exception]
) -> Statement:
    if not version.isdecimal():
        raise refuse("a version as a number", repr(version))
    try:
        content = _read(folder / SIGNATURE)
    except FileNotFoundError:
        problem = "no signature" if folder.is_dir() else "no such version"
        raise refuse("a signed bundle, as keys are pinned here", problem) from None
    except OSError as error:
        raise refuse("a signature that can be read", error.strerror or str(error)) from error
    return verify(content, trust, refuse, kind="bundle", tenant=home.tenant, name=name, version=int(version))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _refusal(folder: Path, name: str, version: str) -> Callable[[str, str], Exception]:
    return lambda expected, found: SignatureError(
        expected=f"{expected}, in {name}:{version}",
        found=f"{found} ({folder})",
        next_command=f"refrain signing sign {name}:{version}  (where it was trained, if it is as it should be)",
    )
