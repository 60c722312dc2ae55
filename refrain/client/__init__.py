"""A client of the HTTP API: typed methods for all routes, for threads and for asyncio.

- Takes: the address of a service, and a key or a token.
- Returns: typed answers (``answers``), or errors with the next command (``errors``).
- Promises: needs httpx and msgspec alone and imports no other part of Refrain than the names of the extras; a request
  that is repeated counts once. ``encryption`` alone needs more: TenSEAL, and ``feature_repo.homomorphic``.

``calls`` makes the requests of the routes, ``requests`` has the types of their arguments, ``retries`` the pauses,
``encryption`` the keys of scores that the service cannot read.

>>> from refrain.client import Client
>>> Client("http://127.0.0.1:8000").recommend("u000042", count=5).items           # doctest: +SKIP
"""

from feature_repo.extras import explained

with explained():
    from refrain.client.client import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
