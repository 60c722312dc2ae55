"""Contexts of clients on disk, for all processes of a server: bounded in number and size, and forgotten within an hour.

A context is public: nothing can be decrypted by it. A file is named by the digests of its owner and of what was
sent, so that nobody computes with the context of somebody else.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from inference.forecast.forecaster import UnknownKey

SECONDS = 3_600.0
"""Seconds for which a context is kept."""
MAX_OF_OWNER, MAX_CONTEXTS = 4, 64
"""Maximum number of contexts of one owner, and of all; beyond it the oldest one goes."""


class Contexts:
    """The contexts of one tenant. Safe to share between threads and processes.

    Args:
        home: the data folder.
        clock: returns seconds since 1970 UTC.

    >>> contexts = Contexts(home)                                            # doctest: +SKIP
    >>> contexts.put("ann", digest, accept_context(content))                 # doctest: +SKIP
    """

    def __init__(self, home: Home, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._clock = home.encryption_contexts, clock

    def put(self, owner: str, digest: str, context: bytes) -> None:
        """Keep a context.

        Args:
            owner: whose it is.
            digest: SHA-256 of what the owner sent.
            context: the context that was accepted.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._file(owner, digest)
        self._make_room(file)
        write_whole(file, context, is_secret=True)

    def get(self, owner: str, digest: str) -> bytes:
        """Return a context.

        Raises:
            UnknownKey: the owner has sent no such context lately.
        """
        file = self._file(owner, digest)
        try:
            if file.stat().st_mtime > self._clock() - SECONDS:
                return file.read_bytes()
        except OSError:
            pass
        raise UnknownKey(
            expected="a context that was sent within the hour with this key",
            found="none; it may have been forgotten",
            next_command="see /docs: POST /v1/encrypted/contexts",
        )

    def _file(self, owner: str, digest: str) -> Path:
        whose = hashlib.sha256(owner.encode()).hexdigest()[:16]
        return self._folder / f"{whose}-{hashlib.sha256(digest.encode()).hexdigest()}.context"

    def _make_room(self, file: Path) -> None:
        """Remove contexts that are too old, and the oldest ones beyond the maximum, before another one is written."""
        sent = []
        for other in self._folder.glob("*.context"):
            try:
                sent.append((other.stat().st_mtime, other))
            except FileNotFoundError:  # another process has removed it
                continue
        sent = sorted(pair for pair in sent if pair[1] != file)
        own = [other for _, other in sent if other.name[:17] == file.name[:17]]
        gone = {other for at, other in sent if at <= self._clock() - SECONDS}
        gone.update(own[: max(len(own) - MAX_OF_OWNER + 1, 0)])
        rest = [other for _, other in sent if other not in gone]
        gone.update(rest[: max(len(rest) - MAX_CONTEXTS + 1, 0)])
        for other in gone:
            other.unlink(missing_ok=True)
