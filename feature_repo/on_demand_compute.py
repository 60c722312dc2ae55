"""Computes on-demand functions for Feast, on its lists of Python values."""

from datetime import datetime
from typing import Any

import numpy as np

from feature_repo.contract import Contract, contract_of
from feature_repo.home import Home
from feature_repo.on_demand import OnDemand
from feature_repo.vectors import objects, vector_column


def column_of(values: list[Any], dtype: str) -> np.ndarray:
    """Converts Feast's list of Python values (None for missing) to a column of ``on_demand``, by its declared type."""
    if dtype in ("String", "Array(String)"):
        return objects(values)
    if dtype.startswith("Array("):
        return vector_column(values)
    if dtype == "UnixTimestamp":
        values = [value.timestamp() if isinstance(value, datetime) else value for value in values]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def type_of(contract: Contract, function: OnDemand, column: str) -> str:
    """Returns Feast's name of the type of a request field or of ``view__feature``."""
    fields = function.request_fields
    if column in fields:
        return fields[column]
    view, _, feature = column.partition("__")
    return next(str(field.dtype) for field in contract.views[view].features if field.name == feature)


def compute(name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Computes an on-demand function on Feast's lists of Python values."""
    contract = contract_of(Home.from_env())
    function = contract.on_demand[name]
    columns = {
        column: column_of(inputs[column], type_of(contract, function, column)) for column in function.inputs.values()
    }
    outputs = {output: values.tolist() for output, values in function.compute(columns).items()}
    # Online, Feast 0.67 looks up full names if they are requested, and plain names otherwise.
    return outputs | {f"{name}__{output}": values for output, values in outputs.items()}
