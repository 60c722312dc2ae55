"""Requests made up from the OpenAPI document: every answer is one that the document declares.

``make test-openapi`` sends 50,000; ``REFRAIN_OPENAPI_REQUESTS`` says how many.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.errors import SchemathesisError

from feature_repo.home import Home
from inference.api import errors
from inference.api.app import create_app
from inference.security.caller import ROLES, Limits
from inference.security.keys import KeyRing

REQUESTS = int(os.environ.get("REFRAIN_OPENAPI_REQUESTS", "300"))
KEY_HEADERS = ("authorization", "x-api-key")
SHARES = {"key": 0.8, "no key": 0.1, "wrong key": 0.1}
"""Caller → share of the requests."""
TURNS = 20
SEED = int(os.environ.get("REFRAIN_OPENAPI_SEED", "1"))
schemathesis.checks.load_all_checks()
CONFORMING = CHECKS.get_by_names(
    [f"{part}_conformance" for part in ("status_code", "content_type", "response_schema", "response_headers")]
)


@pytest.fixture
def headers(own_world: Home) -> dict[str, dict[str, str]]:
    """Headers of a caller with a key of all roles, of one without a key, and of one with a wrong key."""
    text, _ = KeyRing(own_world).create("all", ROLES, limits=Limits(1e9, 1_000_000_000))
    return {
        "key": {"authorization": f"Bearer {text}"},
        "no key": {},
        "wrong key": {"authorization": f"Bearer {text[:-2]}xx"},
    }


def _operations(app: Any) -> Iterator[Any]:
    for result in schemathesis.openapi.from_asgi(
        "/openapi.json", app, headers={"host": "localhost"}
    ).get_all_operations():
        yield result.ok()


def test_every_answer_is_declared(own_world: Home, headers: dict[str, dict[str, str]]) -> None:
    """Valid and invalid requests over all routes, with a key, without one and with a wrong one."""
    app = create_app(home=own_world, access="open")
    operations = list(_operations(app))
    app.state.access._closed = True
    statuses: dict[str, Counter[int]] = {caller: Counter() for caller in headers}
    total = 0
    for turn in range(
        TURNS
    ):  # a route without parameters has one valid request, so that a turn sends less than its share
        for operation in operations:
            for caller, header in headers.items():
                count = max(1, round((REQUESTS - total) * SHARES[caller] / len(operations) / 2))
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    send = _sender(operation, mode, count, caller, header, statuses[caller], SEED + turn)
                    try:
                        send()
                    except (SchemathesisError, Unsatisfiable):
                        if mode is GenerationMode.POSITIVE:
                            raise  # else there is nothing in this route that can be wrong
        total = sum(sum(counter.values()) for counter in statuses.values())
        if total >= REQUESTS:
            break
    print(f"{total:,} requests", {caller: dict(sorted(counter.items())) for caller, counter in statuses.items()})
    assert total >= REQUESTS
    assert statuses["key"][200] > 0
    assert statuses["key"][422] > 0


def _sender(
    operation: Any,
    mode: GenerationMode,
    count: int,
    caller: str,
    header: dict[str, str],
    statuses: Counter[int],
    number: int,
) -> Callable[[], None]:
    """Make a test of one route that sends requests of one caller, drawn with a seed."""

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        made_up = {name: value for name, value in (case.headers or {}).items() if name.lower() not in KEY_HEADERS}
        case.headers, case.cookies = {**made_up, **header}, {}
        response = case.call()
        statuses[response.status_code] += 1
        assert response.status_code != 500, (case.as_curl_command(), response.text[:300])
        if response.status_code == 405:  # a method that the document does not have
            return
        case.validate_response(response, checks=CONFORMING)
        if caller != "key" and operation.path not in errors.OPEN_PATHS:
            assert response.status_code in (400, 401, 403, 413, 415, 421), case.as_curl_command()
        if response.status_code >= 400:
            problem = json.loads(response.content)
            assert {"title", "status", "detail", "next"} <= set(problem)
            assert "Traceback" not in response.text

    return send
