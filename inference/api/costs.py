"""What requests cost, in units of about ten milliseconds of a core, as one recommendation takes.

``access`` takes one unit of each request from the caller's bucket; routes whose work grows with the request charge the
rest before they do it (``benchmarks/serving_costs.py`` measures them).
"""

from anyio import from_thread
from fastapi import Request
from starlette.exceptions import HTTPException

from inference.api.errors import retry_after

CHARACTERS, SAMPLES, VALUES, OBSERVATIONS, ROTATIONS = 1_000, 40_000, 5_000, 20, 8
"""Characters of texts, samples of all channels of sounds, features of all rows, observations, and rotations of
encrypted vectors, of one unit."""


async def charge(request: Request, units: int, what: str) -> None:
    """Charge the cost of a request to the caller's limits, before the work is done.

    What costs more than the burst passes when the bucket is full; the bucket is then in debt.

    Args:
        request: the HTTP request, one unit of which was charged already.
        units: cost of the whole request.
        what: what costs so much, for the message.

    Raises:
        HTTPException: 429, the rate limit or quota of the key is exceeded.
    """
    state = request.scope.get("state", {})
    caller, state["cost"] = state.get("caller"), units
    if caller is None or caller.limits is None or units <= 1:
        return
    limiter = request.app.state.access.limiter
    verdict = await limiter.take(caller, units - 1, least=min(units - 1, caller.limits.burst - 1))
    if not verdict.allowed:
        limit = f"daily quota ({caller.limits.per_day:,})" if verdict.reason == "quota" else "rate limit"
        detail = f"{what} cost as much as {units:,} requests: the {limit} of this key is exceeded"
        raise HTTPException(429, detail, retry_after(verdict.wait))


def charge_in_thread(request: Request, units: int, what: str) -> None:
    """The same for routes that run in a thread."""
    from_thread.run(charge, request, units, what)


async def charge_afterwards(request: Request, units: int) -> None:
    """Charge work that was done: it cost more than was to be seen before."""
    state = request.scope.get("state", {})
    caller, state["cost"] = state.get("caller"), state.get("cost", 1) + max(units, 0)
    if caller is not None and units > 0:
        await request.app.state.access.limiter.add(caller, units)


def units_of(count: int, of_one_unit: int) -> int:
    """Return the units of a number of things, at least one.

    >>> units_of(0, 1_000), units_of(1_000, 1_000), units_of(1_001, 1_000)
    (1, 1, 2)
    """
    return max(1, -(-count // of_one_unit))
