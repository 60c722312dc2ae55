"""The clients: methods for the routes, the caller's key, and attempts until there is an answer or an error."""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from itertools import count
from types import TracebackType
from typing import Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar

import httpx2 as httpx
import msgspec

from refrain.client import calls
from refrain.client.calls import Call
from refrain.client.errors import ApiError, UnexpectedAnswer, Unreachable, error_of
from refrain.client.retries import Retries

P = ParamSpec("P")
Answer = TypeVar("Answer")
Token = str | Callable[[], str]
_LOST = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout, httpx.ProxyError)
"""Failures of a connection, after which another one may succeed. A slow answer is not among them."""


def _method(build: Callable[P, Call[Answer]]) -> Callable[["Callable[..., Any]"], Any]:
    """Gives a method the name, the text and the arguments of the function that makes its request."""

    def decorate(method: Callable[..., Any]) -> Any:
        wrapped = wraps(build)(method)
        signature = inspect.signature(build)
        client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        answer = getattr(signature.return_annotation, "__args__", (Any,))[0]
        wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[client, *signature.parameters.values()], return_annotation=answer
        )
        return wrapped

    return decorate


def _blocking(build: Callable[P, Call[Answer]]) -> Callable[Concatenate["Client", P], Answer]:
    @_method(build)
    def method(self: "Client", *args: P.args, **kwargs: P.kwargs) -> Answer:
        return self._send(build(*args, **kwargs))

    return method  # type: ignore[no-any-return]


def _awaited(build: Callable[P, Call[Answer]]) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, Answer]]:
    @_method(build)
    async def method(self: "AsyncClient", *args: P.args, **kwargs: P.kwargs) -> Answer:
        return await self._send(build(*args, **kwargs))

    return method  # type: ignore[no-any-return]


class _Settings:
    """What both clients have: the address, the caller's key, and when to send a request again.

    Args:
        url: address of the service.
        api_key: a key of the service, sent as ``X-API-Key``.
        token: a bearer token, or a function that returns one for each attempt.
        retries: number of retries.
        longest_wait: maximum seconds before a retry.

    Raises:
        ValueError: an argument is not valid.
    """

    def __init__(self, url: str, api_key: str | None, token: Token | None, retries: int, longest_wait: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"an address such as http://127.0.0.1:8000, not {url!r}")
        if api_key is not None and token is not None:
            raise ValueError("api_key or token, not both")
        self._url = url.rstrip("/")
        self._api_key, self._token = api_key, token
        self._retries = Retries(retries, longest_wait)

    def __repr__(self) -> str:
        access = "an API key" if self._api_key else "a token" if self._token else "no key"
        return f"{type(self).__name__}({self._url!r}, with {access})"

    def _request(self, call: Call[Answer]) -> dict[str, Any]:
        """Returns the arguments of httpx for a call."""
        headers = {"accept": "application/json", "user-agent": "refrain-client"}
        if call.body is not None:
            headers["content-type"] = call.content_type
        if self._api_key is not None:
            headers["x-api-key"] = self._api_key.strip()
        if self._token is not None:
            token = self._token if isinstance(self._token, str) else self._token()
            headers["authorization"] = f"Bearer {token.strip()}"
        return {"method": call.method, "url": self._url + call.path, "content": call.body, "headers": headers}

    def _pause(self, attempt: int, error: Exception) -> float:
        """Returns the seconds before the next attempt.

        Raises:
            ApiError: there is none; this is the error of the last one.
        """
        failure = error if isinstance(error, ApiError) else self._unreachable(error)
        pause = self._retries.pause(attempt, failure, is_lost=isinstance(error, _LOST))
        if pause is None:
            _raise(failure, error)
        return pause

    def _unreachable(self, error: Exception) -> Unreachable:
        is_late = isinstance(error, httpx.TimeoutException)
        reason = "no answer in time" if is_late else str(error) or type(error).__name__
        return Unreachable(
            title="Unreachable",
            detail=f"{self._url}: {reason}",
            next_command="refrain serve  (on the machine of this address; or give a longer timeout)",
        )


def _raise(failure: ApiError, error: Exception) -> NoReturn:
    if failure is error:
        raise failure
    raise failure from error


def _answer(call: Call[Answer], response: httpx.Response) -> Answer:
    """Reads a response.

    Raises:
        ApiError: it is no success, or not what the API answers.
    """
    if not response.is_success:
        raise error_of(response.status_code, response.content, response.headers)
    try:
        return call.read(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer(
            title="Unexpected answer",
            detail=f"{call.method} {response.url}: {error}",
            next_command="check the address and the version of the service: GET /openapi.json",
            status=response.status_code,
            request_id=response.headers.get("x-request-id", ""),
        ) from error


class Client(_Settings):
    """A client of the HTTP API. Safe to share between threads; use one for many requests.

    A request is sent again after a lost connection and after status 429, 502, 503 and 504, with growing pauses or after
    ``Retry-After``. That is safe for every route: events and acts count once.

    Args:
        url: address of the service.
        api_key: a key of the service (``refrain keys create``); None where access is open.
        token: a token of an identity provider, or a function that returns one; it is called for each attempt.
        timeout: seconds to wait for a connection, and for an answer.
        retries: maximum number of retries; 0 for none.
        longest_wait: maximum seconds to wait before one retry. If ``Retry-After`` is longer, the error is raised.
        transport: transport of httpx, for a proxy, certificates or another limit of connections.

    Raises:
        ValueError: an argument is not valid.

    >>> with Client("http://127.0.0.1:8000", api_key="rf_…") as client:                # doctest: +SKIP
    ...     client.recommend("u000042", count=5).items[0].title
    'Slow River'
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        token: Token | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        longest_wait: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(url, api_key, token, retries, longest_wait)
        self._http = httpx.Client(timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections.

        >>> Client().close()
        """
        self._http.close()

    def _send(self, call: Call[Answer]) -> Answer:
        for attempt in count():
            try:
                return _answer(call, self._http.request(**self._request(call)))
            except (ApiError, httpx.TransportError) as error:
                pause = self._pause(attempt, error)
            time.sleep(pause)
        raise AssertionError  # count() has no end

    look_up_features = _blocking(calls.look_up_features)
    predict = _blocking(calls.predict)
    recommend = _blocking(calls.recommend)
    recommend_batch = _blocking(calls.recommend_batch)
    forecast = _blocking(calls.forecast)
    forecast_batch = _blocking(calls.forecast_batch)
    send_events = _blocking(calls.send_events)
    send_feedback = _blocking(calls.send_feedback)
    analyze_texts = _blocking(calls.analyze_texts)
    analyze_audio = _blocking(calls.analyze_audio)
    detect_anomalies = _blocking(calls.detect_anomalies)
    list_encrypted_models = _blocking(calls.list_encrypted_models)
    send_encryption_keys = _blocking(calls.send_encryption_keys)
    score_encrypted = _blocking(calls.score_encrypted)
    list_experiments = _blocking(calls.list_experiments)
    start_experiment = _blocking(calls.start_experiment)
    stop_experiment = _blocking(calls.stop_experiment)
    list_models = _blocking(calls.list_models)
    check_health = _blocking(calls.check_health)
    check_live = _blocking(calls.check_live)
    check_ready = _blocking(calls.check_ready)
    read_metrics = _blocking(calls.read_metrics)


class AsyncClient(_Settings):
    """A client of the HTTP API for asyncio: the methods of ``Client``, to be awaited. Belongs to one event loop.

    Args:
        url: address of the service.
        api_key: a key of the service; None where access is open.
        token: a token of an identity provider, or a function that returns one at once.
        timeout: seconds to wait for a connection, and for an answer.
        retries: maximum number of retries; 0 for none.
        longest_wait: maximum seconds to wait before one retry.
        transport: transport of httpx, such as ``httpx2.ASGITransport(app)`` for an application in this process.

    Raises:
        ValueError: an argument is not valid.

    >>> async with AsyncClient("http://127.0.0.1:8000") as client:                     # doctest: +SKIP
    ...     answers = await asyncio.gather(*(client.recommend(user) for user in ("u000042", "u000007")))
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        token: Token | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        longest_wait: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(url, api_key, token, retries, longest_wait)
        self._http = httpx.AsyncClient(timeout=timeout, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections.

        >>> asyncio.run(AsyncClient().aclose())
        """
        await self._http.aclose()

    async def _send(self, call: Call[Answer]) -> Answer:
        for attempt in count():
            try:
                return _answer(call, await self._http.request(**self._request(call)))
            except (ApiError, httpx.TransportError) as error:
                pause = self._pause(attempt, error)
            await asyncio.sleep(pause)
        raise AssertionError  # count() has no end

    look_up_features = _awaited(calls.look_up_features)
    predict = _awaited(calls.predict)
    recommend = _awaited(calls.recommend)
    recommend_batch = _awaited(calls.recommend_batch)
    forecast = _awaited(calls.forecast)
    forecast_batch = _awaited(calls.forecast_batch)
    send_events = _awaited(calls.send_events)
    send_feedback = _awaited(calls.send_feedback)
    analyze_texts = _awaited(calls.analyze_texts)
    analyze_audio = _awaited(calls.analyze_audio)
    detect_anomalies = _awaited(calls.detect_anomalies)
    list_encrypted_models = _awaited(calls.list_encrypted_models)
    send_encryption_keys = _awaited(calls.send_encryption_keys)
    score_encrypted = _awaited(calls.score_encrypted)
    list_experiments = _awaited(calls.list_experiments)
    start_experiment = _awaited(calls.start_experiment)
    stop_experiment = _awaited(calls.stop_experiment)
    list_models = _awaited(calls.list_models)
    check_health = _awaited(calls.check_health)
    check_live = _awaited(calls.check_live)
    check_ready = _awaited(calls.check_ready)
    read_metrics = _awaited(calls.read_metrics)
