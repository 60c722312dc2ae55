"""What a kind of sealed files declares, and the migration of all kinds: plain files are sealed, or sealed ones opened.

Both directions may be killed and repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass

from feature_repo.command_line import Progress, silent
from feature_repo.discovery import definitions
from feature_repo.home import Home

_PACKAGE = "feature_repo.encryption.kinds"


@dataclass(frozen=True)
class FileKind:
    """A kind of files of a data folder.

    Attributes:
        name: its name, such as ``logs``.
        seal: seals the plain files of a tenant; returns their number.
        open: makes the sealed files of a tenant plain; returns their number.
    """

    name: str
    seal: Callable[[Home], int]
    open: Callable[[Home], int]


def seal_all(home: Home, progress: Progress = silent) -> dict[str, int]:
    """Seals the plain files of every kind.

    Returns:
        Kind → number of files that were sealed.

    Raises:
        EncryptionError: a key cannot be used.

    >>> sorted(definitions(_PACKAGE, FileKind))
    ['bundles', 'logs', 'people']
    """
    return _each(home, progress, lambda kind: kind.seal)


def open_all(home: Home, progress: Progress = silent) -> dict[str, int]:
    """Makes the sealed files of every kind plain; encryption is off, so that none is sealed again.

    Returns:
        Kind → number of files that were made plain.

    Raises:
        EncryptionError: a key cannot be used; the files that were made plain until then stay plain.
    """
    return _each(home, progress, lambda kind: kind.open)


def _each(home: Home, progress: Progress, work: Callable[[FileKind], Callable[[Home], int]]) -> dict[str, int]:
    counts, kinds = {}, definitions(_PACKAGE, FileKind)
    for number, (name, kind) in enumerate(kinds.items(), start=1):
        counts[name] = work(kind)(home)
        progress(number, len(kinds), name)
    return counts
