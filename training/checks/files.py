"""Checks that the files of a bundle are those of its manifest, and that none can run code when it is read."""

import hashlib

from feature_repo.bundle import MANIFEST, Bundle
from feature_repo.encryption.bundle_files import SEAL
from feature_repo.home import Home
from training.checks.broken import broken

PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of a pickle, for the protocols with a header."""


def files_are_whole(bundle: Bundle, home: Home) -> None:
    """Checks that every file is in the manifest with its digest, and is no pickle."""
    digests = bundle.manifest["files"]
    paths = {path.name: path for path in bundle.folder.iterdir() if path.name not in (MANIFEST, SEAL)}
    for file in sorted(set(digests) | set(paths)):
        if file not in digests or file not in paths:
            raise broken(bundle, f"the file {file}", "not in the manifest" if file in paths else "no such file")
        content = bundle.read(file)
        if hashlib.sha256(content).hexdigest() != digests[file]:
            raise broken(bundle, f"the file {file} as its manifest has it", "another content")
        if content.startswith(PICKLED):
            raise broken(bundle, "files that are data", f"{file} is a pickle, which runs code when it is read")
