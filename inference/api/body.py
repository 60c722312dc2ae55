"""Bodies of requests, read no further than they may be long."""

from fastapi import Request
from starlette.exceptions import HTTPException


async def whole_body(request: Request, most: int) -> bytes:
    """The body.

    Raises:
        HTTPException: 413, it is longer than ``most`` bytes; the rest of it is not read.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise HTTPException(413, f"the body is longer than {most:,} bytes")
    return bytes(body)
