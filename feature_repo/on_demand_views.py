"""Feast on-demand views of the functions in ``feature_repo.on_demand``, so that plain Feast computes them too."""

from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
from feast import Field, RequestSource
from feast.on_demand_feature_view import OnDemandFeatureView

from feature_repo.feast_types import feast_type
from feature_repo.on_demand import ON_DEMAND, REQUEST_FIELDS, OnDemand
from feature_repo.vectors import objects, vector_column
from feature_repo.views import FEATURE_TABLES


def _column(values: list[Any], dtype: str) -> np.ndarray:
    """Converts Feast's list of Python values (None for missing) to a column of ``on_demand``, by its declared type."""
    if dtype in ("String", "Array(String)"):
        return objects(values)
    if dtype.startswith("Array("):
        return vector_column(values)
    if dtype == "UnixTimestamp":
        values = [value.timestamp() if isinstance(value, datetime) else value for value in values]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@cache
def _type_of(column: str) -> str:
    """Returns Feast's name of the type of a request field or of ``view__feature``."""
    if column in REQUEST_FIELDS:
        return REQUEST_FIELDS[column]
    view, _, feature = column.partition("__")
    return next(str(field.dtype) for field in FEATURE_TABLES[view].features if field.name == feature)


def compute(name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Computes an on-demand function on Feast's lists of Python values."""
    definition = ON_DEMAND[name]
    columns = {column: _column(inputs[column], _type_of(column)) for column in definition.inputs.values()}
    outputs = {output: values.tolist() for output, values in definition.compute(columns).items()}
    # Online, Feast 0.67 looks up full names if they are requested, and plain names otherwise.
    return outputs | {f"{name}__{output}": values for output, values in outputs.items()}


def _transformation(name: str) -> tuple[Any, str]:
    """Returns the function that Feast stores in its registry, and the source text from which Feast rebuilds it."""
    text = (
        "def transform(inputs):\n"
        "    from feature_repo.on_demand_views import compute\n\n"
        f"    return compute({name!r}, inputs)\n"
    )

    def transform(inputs: dict[str, Any]) -> dict[str, Any]:
        from feature_repo.on_demand_views import compute

        return compute(name, inputs)

    return transform, text


def _view(name: str, definition: OnDemand) -> OnDemandFeatureView:
    tables = {column.split("__")[0] for column in definition.inputs.values() if "__" in column}
    request_schema = [
        Field(name=field, dtype=feast_type(dtype))
        for field, dtype in REQUEST_FIELDS.items()
        if field in definition.inputs.values()
    ]
    transform, text = _transformation(name)
    request_sources = [RequestSource(name=f"{name}_request", schema=request_schema)] if request_schema else []
    return OnDemandFeatureView(
        name=name,
        sources=[*(FEATURE_TABLES[table] for table in sorted(tables)), *request_sources],
        schema=[Field(name=output, dtype=feast_type(dtype)) for output, dtype in definition.outputs.items()],
        udf=transform,
        udf_string=text,
        mode="python",
        description=definition.about,
    )


ON_DEMAND_VIEWS = {name: _view(name, definition) for name, definition in ON_DEMAND.items()}
