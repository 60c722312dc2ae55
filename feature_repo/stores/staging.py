"""Temporary files whose lifetime is bound to an object."""

import shutil
import weakref

from feature_repo.temporary import make_folder


class Staging:
    """A temporary folder that is removed when this object is garbage-collected, or when Python exits.

    Args:
        parent: parent folder; the system's temporary folder if None.
    """

    def __init__(self, parent: str | None = None) -> None:
        self.folder = make_folder(parent)
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
