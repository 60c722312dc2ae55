"""On-demand functions: a row has the same result alone and among others."""

from typing import Any

import numpy as np

from feature_repo.contract import Contract
from feature_repo.on_demand import OnDemand
from feature_repo.on_demand_compute import column_of, type_of
from refrain.checking.difference import Difference, same

ROWS = 40
"""Rows of a batch."""

_MOMENT = 1_709_000_000
"""Seconds since 1970, around which generated times lie."""


def compare(contract: Contract, function: OnDemand, seed: int) -> Difference | None:
    """Compares the results of a function in a batch of generated rows with those of each row alone.

    Args:
        contract: the definitions, which declare the types of the inputs.
        function: the on-demand function.
        seed: seed of the random numbers.

    Returns:
        The first difference; None if there is none.
    """
    rng = np.random.default_rng(seed)
    types = {column: type_of(contract, function, column) for column in function.inputs.values()}
    rows = {column: [_value(rng, dtype) for _ in range(ROWS)] for column, dtype in types.items()}
    columns = {column: column_of(values, types[column]) for column, values in rows.items()}
    batch = function.compute(columns)
    if set(batch) != set(function.outputs):
        return Difference(
            "", {}, None, sorted(function.outputs), sorted(batch), "declared outputs", "outputs of the function"
        )
    for name, values in batch.items():
        if len(values) != ROWS:
            return Difference(name, {}, None, f"{ROWS} values", f"{len(values)}", "rows of the batch", "the function")
    for number in range(ROWS):
        alone = function.compute({column: values[number : number + 1] for column, values in columns.items()})
        for name in function.outputs:
            if not same(batch[name][number], alone[name][0]):
                inputs = {column: values[number] for column, values in rows.items()}
                return Difference(
                    name, inputs, None, alone[name][0], batch[name][number], "row alone", "row in a batch"
                )
    return None


def _value(rng: np.random.Generator, dtype: str) -> Any:
    """A value of a Feast type, or None."""
    if rng.random() < 0.15:
        return None
    if dtype.startswith("Array("):
        element = dtype.removeprefix("Array(").removesuffix(")")
        length = 3 if element.startswith("Float") else int(rng.integers(0, 4))  # vectors have one length
        return [_scalar(rng, element) for _ in range(length)]
    return _scalar(rng, dtype)


def _scalar(rng: np.random.Generator, dtype: str) -> Any:
    if dtype == "String":
        return str(rng.choice(["a", "b", "", "ü"]))
    if dtype == "Bool":
        return bool(rng.integers(2))
    if dtype == "UnixTimestamp":
        return float(_MOMENT + rng.integers(0, 10_000_000))
    if dtype.startswith("Int"):
        return int(rng.choice([0, 1, 2, 7, 1_000, _MOMENT]))
    return float(rng.choice([0.0, 0.5, 1.0, -1.0, 1e6]))
