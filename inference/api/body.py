"""Reads request bodies up to a maximum length."""

from fastapi import Request
from starlette.exceptions import HTTPException


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read the body of a request.

    Raises:
        HTTPException: 413, the body is longer than ``max_bytes``; the rest of it is not read.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise HTTPException(413, f"the body is longer than {max_bytes:,} bytes")
    return bytes(body)
