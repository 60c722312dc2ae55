"""The OpenAPI document: every operation has a name that generated clients can take for a method."""

import re

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from feature_repo.home import Home
from inference.api import errors
from inference.api.app import create_app
from inference.security.caller import ROLES
from inference.security.keys import KeyRing

OPERATIONS = {
    "GET /health": "check_health",
    "GET /live": "check_live",
    "GET /ready": "check_ready",
    "GET /metrics": "read_metrics",
    "GET /v1/encrypted/models": "list_encrypted_models",
    "GET /v1/experiments": "list_experiments",
    "GET /v1/models": "list_models",
    "POST /v1/anomalies/detect": "detect_anomalies",
    "POST /v1/audio/analyze": "analyze_audio",
    "POST /v1/encrypted/contexts": "send_encryption_keys",
    "POST /v1/encrypted/scores": "score_encrypted",
    "POST /v1/events": "send_events",
    "POST /v1/experiments/{name}/start": "start_experiment",
    "POST /v1/experiments/{name}/stop": "stop_experiment",
    "POST /v1/features/{service}": "look_up_features",
    "POST /v1/feedback": "send_feedback",
    "POST /v1/forecasts": "forecast",
    "POST /v1/forecasts/batch": "forecast_batch",
    "POST /v1/predictions/{model}": "predict",
    "POST /v1/recommendations": "recommend",
    "POST /v1/recommendations/batch": "recommend_batch",
    "POST /v1/text/analyze": "analyze_texts",
}
"""Names that clients rely on: they never change, and a new route gets a new one."""


def test_every_operation_has_a_name_of_its_own(in_world: Home) -> None:
    app = create_app(home=in_world)
    document = app.openapi()
    names = {
        f"{method.upper()} {path}": operation["operationId"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert names == OPERATIONS
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names.values())


def test_no_route_is_left_to_an_automatic_name(in_world: Home) -> None:
    routes = [route for route in create_app(home=in_world).routes if isinstance(route, APIRoute)]
    unnamed = [route.path for route in routes if route.include_in_schema and not route.operation_id]
    assert not unnamed, f"give operation_id to {unnamed}"


@pytest.mark.parametrize("name", sorted(OPERATIONS.values()))
def test_the_client_has_a_method_for_it(name: str) -> None:
    from refrain.client import AsyncClient, Client

    assert callable(getattr(Client, name))
    assert callable(getattr(AsyncClient, name))


def test_every_route_declares_what_is_answered_before_it_is_reached(in_world: Home) -> None:
    for path, operations in create_app(home=in_world).openapi()["paths"].items():
        for method, operation in operations.items():
            assert {"400", "421", "431"} <= set(operation["responses"]), (method, path)
            if path not in errors.OPEN_PATHS:
                assert {"401", "403", "413", "415", "429"} <= set(operation["responses"]), (method, path)


STRICT = {
    "/v1/recommendations": [{"explore": False}, {"explicit": 0}, {"count": "5"}, {"count": True}, {"diversity": "0.3"}],
    "/v1/text/analyze": [{"vectors": 0}, {"vectors": "true"}],
    "/v1/forecasts": [{"horizon": True}, {"horizon": "7"}],
    "/v1/feedback": [{"acts": [{"user_id": "u", "action": "rate", "rating": "5"}]}],
}


def test_a_value_of_another_type_is_refused(in_world: Home) -> None:
    app = create_app(home=in_world)
    with TestClient(app) as client:
        for path, changes in STRICT.items():
            example = _examples(app.openapi(), path)[0]
            for change in changes:
                response = client.post(path, json={**example, **change})
                assert response.status_code == 422, (path, change)
                assert "Input should be a valid" in response.json()["detail"]
        example = _examples(app.openapi(), "/v1/recommendations")[0]
        for moment in (0, "1e9", "noon", True):
            assert client.post("/v1/recommendations", json={**example, "context": {"at": moment}}).status_code == 422


def test_examples_are_answered_as_they_are(own_world: Home) -> None:
    """An answer, or what must be trained or declared first; all that the demo has is answered."""
    key, _ = KeyRing(own_world).create("all", ROLES)
    app, answered = create_app(home=own_world), []
    with TestClient(app, headers={"authorization": f"Bearer {key}"}) as client:
        for path, operations in app.openapi()["paths"].items():
            for method, operation in operations.items():
                place = path
                for parameter in operation.get("parameters", ()):
                    place = place.replace(f"{{{parameter['name']}}}", parameter["schema"]["examples"][0])
                for example in _examples(app.openapi(), path, method):
                    response = client.request(method, place, json=example)
                    if response.status_code in (200, 202):
                        answered.append(operation["operationId"])
                        assert not response.json().get("refused")
                    else:
                        problem = response.json()
                        assert problem["status"] in (404, 503), problem
                        steps = "refrain model|GET /v1/experiments|see /docs: POST /v1/encrypted"
                        assert re.match(steps, problem["next"]), problem
    assert {"recommend", "recommend_batch", "look_up_features", "send_events", "send_feedback", "analyze_texts"} <= set(
        answered
    )


def _examples(document: dict, path: str, method: str = "post") -> list[dict]:
    content = document["paths"][path][method].get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    examples = schema.get("examples", [])
    assert examples or "application/json" not in content, f"{path} has no example"
    return list(examples)
