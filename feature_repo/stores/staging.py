"""Temporary files that live as long as the object that speaks for them."""

import shutil
import weakref

from feature_repo.temporary import make_folder


class Staging:
    """A temporary folder, removed when nobody holds this object any more, or when Python ends.

    Args:
        parent: where it is made; the system's folder for temporary files if None.
    """

    def __init__(self, parent: str | None = None) -> None:
        self.folder = make_folder(parent)
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
