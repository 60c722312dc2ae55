"""Checks that the files of a bundle are those of its manifest, and that none can run code when it is read."""

import io
import pickletools
import warnings
import zipfile
from pathlib import PurePath

from feature_repo.bundle import MANIFEST, Bundle
from feature_repo.encryption.bundle_files import SEAL, SIGNATURE
from feature_repo.home import Home
from training.checks.broken import broken

EXECUTABLE = frozenset(
    (
        *(".bat", ".dll", ".exe", ".py", ".pyc", ".pyd", ".sh", ".so", ".whl"),
        *(".bin", ".ckpt", ".dill", ".h5", ".joblib", ".keras", ".pickle", ".pkl", ".pt", ".pth"),
    )
)
"""Suffixes of programs, and of formats of models whose usual reader runs code of the file."""


def files_are_whole(bundle: Bundle, home: Home) -> None:
    """Checks that every file is in the manifest with its digest, and is no pickle, in an archive neither."""
    digests = bundle.manifest["files"]
    about = (MANIFEST, SIGNATURE, SEAL)
    paths = {path.name: path for path in bundle.folder.iterdir() if path.name not in about}
    for file in sorted(set(digests) | set(paths)):
        if file not in digests or file not in paths:
            raise broken(bundle, f"the file {file}", "not in the manifest" if file in paths else "no such file")
        content = bundle.read(file)  # refuses another content
        if reason := runs_code(file, content):
            raise broken(bundle, "files that are data", f"{file} {reason}, which runs code when it is read")


def runs_code(name: str, content: bytes) -> str:
    """Returns how a file runs code when its usual reader opens it; empty if it is data.

    >>> runs_code("weights", b"(lp0\\n."), runs_code("model.pt", b""), runs_code("card.md", b"# A model")
    ('is a pickle', 'is of a format of programs (.pt)', '')
    """
    suffix = PurePath(name).suffix.lower()
    if suffix in EXECUTABLE:
        return f"is of a format of programs ({suffix})"
    if _is_pickle(content):
        return "is a pickle"
    if content[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.namelist():
                    if reason := runs_code(member, archive.read(member)):
                        return f"has the member {member}, which {reason}"
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
            return f"is an archive that cannot be looked into ({error})"
    return "is an array of Python objects" if content[:6] == b"\x93NUMPY" and b"'|O'" in content[:256] else ""


def _is_pickle(content: bytes) -> bool:
    """Whether the content is a program of pickle's machine, of any protocol, up to its end."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in bytes that are no pickle
            return sum(1 for _ in pickletools.genops(content)) > 1
    except Exception:  # of bytes that are no pickle, by whatever its parser stumbles over
        return False
