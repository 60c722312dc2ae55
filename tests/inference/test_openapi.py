"""The OpenAPI document: every operation has a name that generated clients can take for a method."""

import re

import pytest
from fastapi.routing import APIRoute

from feature_repo.home import Home
from inference.api.app import create_app

OPERATIONS = {
    "GET /health": "check_health",
    "GET /live": "check_live",
    "GET /ready": "check_ready",
    "GET /metrics": "read_metrics",
    "GET /v1/experiments": "list_experiments",
    "GET /v1/models": "list_models",
    "POST /v1/anomalies/detect": "detect_anomalies",
    "POST /v1/audio/analyze": "analyze_audio",
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
