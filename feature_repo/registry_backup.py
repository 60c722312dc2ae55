"""Keeps a registry as it was if a change of it fails: Feast commits object by object."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from feature_repo.home import Home

_SECONDS = 30.0
"""Seconds to wait for another process that reads the registry."""


@contextlib.contextmanager
def unchanged_on_failure(home: Home) -> Iterator[None]:
    """Restores the registry if the block raises; the caller holds ``contract_lock``."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "registry.db"
        existed = home.registry.is_file()
        if existed:
            _copy(home.registry, copy)
        try:
            yield
        except BaseException:
            if existed:
                _copy(copy, home.registry)
            else:
                for path in home.root.glob(f"{home.registry.name}*"):
                    path.unlink()
            raise


def _copy(source: Path, target: Path) -> None:
    """Copies a database in one transaction, also one that other connections have open."""
    with (
        contextlib.closing(sqlite3.connect(source, timeout=_SECONDS)) as origin,
        contextlib.closing(sqlite3.connect(target, timeout=_SECONDS)) as destination,
    ):
        origin.backup(destination)
