"""Feast's on-demand views of the contract's on-demand functions, so that plain Feast computes them too."""

from collections.abc import Mapping
from typing import Any

from feast import FeatureView, Field, RequestSource
from feast.on_demand_feature_view import OnDemandFeatureView

from feature_repo.errors import InputError
from feature_repo.feast_types import feast_type
from feature_repo.on_demand import OnDemand


def _transformation(name: str) -> tuple[Any, str]:
    """Returns the function that Feast stores in its registry, and the source text from which Feast rebuilds it."""
    text = (
        "def transform(inputs):\n"
        "    from feature_repo.on_demand_compute import compute\n\n"
        f"    return compute({name!r}, inputs)\n"
    )

    def transform(inputs: dict[str, Any]) -> dict[str, Any]:
        from importlib import import_module

        return import_module("feature_repo.on_demand_compute").compute(name, inputs)

    return transform, text


def on_demand_view(function: OnDemand, views: Mapping[str, FeatureView]) -> OnDemandFeatureView:
    """Builds Feast's view of an on-demand function.

    Args:
        function: its declaration.
        views: all views with rows of their own, by name.

    Raises:
        InputError: an input is not a feature of any of them.
    """
    name = function.name
    inputs = {_view_of(function, column, views) for column in function.inputs.values() if "__" in column}
    request_schema = [Field(name=field, dtype=feast_type(dtype)) for field, dtype in function.request_fields.items()]
    transform, text = _transformation(name)
    request_sources = [RequestSource(name=f"{name}_request", schema=request_schema)] if request_schema else []
    return OnDemandFeatureView(
        name=name,
        sources=[*(views[view] for view in sorted(inputs)), *request_sources],
        schema=[Field(name=output, dtype=feast_type(dtype)) for output, dtype in function.outputs.items()],
        udf=transform,
        udf_string=text,
        mode="python",
        description=function.about,
    )


def _view_of(function: OnDemand, column: str, views: Mapping[str, FeatureView]) -> str:
    view, _, feature = column.partition("__")
    if view not in views or feature not in {field.name for field in views[view].features}:
        raise InputError(
            expected=f"inputs of the on-demand function {function.name} as view__feature",
            found=f"{column!r}, which no view has",
            next_command=f"correct the inputs in {function.module.__name__}, then: refrain apply",
        )
    return view
