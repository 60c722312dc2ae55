"""The files of a bundle are those of its manifest, and none can run code when it is read."""

import hashlib

from feature_repo.bundle import MANIFEST, Bundle
from feature_repo.home import Home
from training.checks.broken import broken

PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How a pickle of a protocol begins that has a header."""


def files_are_whole(bundle: Bundle, home: Home) -> None:
    """Every file is in the manifest with its digest, and is no pickle."""
    told = bundle.manifest["files"]
    found = {path.name: path for path in bundle.folder.iterdir() if path.name != MANIFEST}
    for file in sorted(set(told) | set(found)):
        if file not in told or file not in found:
            raise broken(bundle, f"the file {file}", "not in the manifest" if file in found else "no such file")
        content = found[file].read_bytes()
        if hashlib.sha256(content).hexdigest() != told[file]:
            raise broken(bundle, f"the file {file} as its manifest has it", "another content")
        if content.startswith(PICKLED):
            raise broken(bundle, "files that are data", f"{file} is a pickle, which runs code when it is read")
