"""Temporary files that live as long as the object that speaks for them."""

import shutil
import tempfile
import weakref
from pathlib import Path


class Staging:
    """A temporary folder, removed when nobody holds this object any more, or when Python ends.

    Args:
        parent: where it is made; the system's folder for temporary files if None.
    """

    def __init__(self, parent: str | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="refrain-", dir=parent))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
