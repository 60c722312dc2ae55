"""Bounds on request bodies: their length by route, the time in which they arrive, and what all take in memory."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from feature_repo.homomorphic.wire import MAX_CONTEXT_BYTES
from inference.api.places import Place

MAX_BYTES = 1 << 20
"""Maximum bytes of a body."""
MAX_SOUND_BYTES, MAX_TEXTS_BYTES, MAX_FORM_BYTES, MAX_LOGIN_BYTES = 50_000_000, 4_000_000, 50_500_000, 10_000
"""Maximum bytes of a sound file, of texts, of a form of the console with a file, and of the form with a key."""
MAX_BYTES_BY_PATH = {
    "/v1/audio": MAX_SOUND_BYTES,
    "/v1/text": MAX_TEXTS_BYTES,
    "/v1/encrypted/contexts": MAX_CONTEXT_BYTES,
    "/console/sound": MAX_FORM_BYTES,
    "/console/anomalies": 3 * MAX_BYTES,  # observations as a text and as a file
    "/console": MAX_LOGIN_BYTES,
}
"""Exceptions by start of the path; the first that matches counts."""
ON_DISK = ("/v1/audio", "/console/sound", "/console/anomalies")
"""Starts of the paths whose bodies go to a temporary file."""
MAX_BYTES_AT_ONCE, MAX_BYTES_ON_DISK = 64_000_000, 256_000_000
"""Maximum bytes of the bodies that one process holds in memory, and on disk; further requests get status 503."""
RETRY = {"retry-after": "1"}
TIMEOUT_S = 10.0
"""Seconds within which a body must arrive; each megabyte received adds one second."""


def max_bytes(path: str) -> int:
    """Return the maximum number of bytes of a body."""
    return next((most for start, most in MAX_BYTES_BY_PATH.items() if path.startswith(start)), MAX_BYTES)


class Bodies:
    """The bytes of all bodies that one process holds, in memory and on disk."""

    def __init__(self) -> None:
        self._held = [0, 0]

    def hold(self, size: int, *, on_disk: bool) -> bool:
        """Add bytes, or take them away; False if there are more than are allowed."""
        self._held[on_disk] += size
        return self._held[on_disk] <= (MAX_BYTES_AT_ONCE, MAX_BYTES_ON_DISK)[on_disk]


class Body:
    """The body of one request, within bounds.

    Args:
        path: the path of the request.
        receive: the ASGI callable that gives its messages.
        bodies: all bodies of the process.
        place: the place of the request among those being answered; left while the client is waited for.
    """

    def __init__(self, path: str, receive: Receive, bodies: Bodies, place: Place) -> None:
        self._receive, self._bodies, self._place = receive, bodies, place
        self._most, self._is_on_disk = max_bytes(path), path.startswith(ON_DISK)
        self._length, self._ended = 0, False
        self._deadline = asyncio.get_running_loop().time() + TIMEOUT_S

    async def receive(self) -> Message:
        """Return the next message.

        Raises:
            HTTPException: 413 or 408, the body is too long or too slow; 503, too much is in memory, or too many
                requests are being answered.
        """
        if self._ended:  # the next message says that the client disconnected
            return await self._receive()
        self._place.leave()
        try:
            async with asyncio.timeout_at(self._deadline + self._length / 2**20):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(408, "the body did not arrive in time") from error
        size = len(message.get("body", b""))
        self._length += size
        self._ended = not message.get("more_body", False)
        has_room = self._bodies.hold(size, on_disk=self._is_on_disk)
        if self._length > self._most:
            raise HTTPException(413, f"the body is longer than {self._most:,} bytes")
        if not has_room:
            raise HTTPException(503, "too many long bodies are being received", RETRY)
        if self._ended and not self._place.take():
            raise HTTPException(503, "too many requests of this kind are being answered", RETRY)
        return message

    def release(self) -> None:
        """Note that the request is answered."""
        self._bodies.hold(-self._length, on_disk=self._is_on_disk)
        self._length = 0


async def read_body(request: Request) -> bytes:
    """Read the body of a request.

    Raises:
        HTTPException: 413, it is longer than ``max_bytes`` of its path; the rest of it is not read.
    """
    content = bytearray()
    async for piece in _pieces(request):
        content += piece
    return bytes(content)


@asynccontextmanager
async def body_on_disk(request: Request) -> AsyncIterator[Path]:
    """Write the body of a request to a temporary file, which is removed at the end of the block.

    Raises:
        HTTPException: 413, it is longer than ``max_bytes`` of its path; the rest of it is not read.
    """
    with tempfile.NamedTemporaryFile(prefix="refrain-body-") as file:
        async for piece in _pieces(request):
            file.write(piece)
        file.flush()
        yield Path(file.name)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    most, length = max_bytes(request.url.path), 0
    async for piece in request.stream():
        length += len(piece)
        if length > most:
            raise HTTPException(413, f"the body is longer than {most:,} bytes")
        yield piece
