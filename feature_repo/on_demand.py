"""On-demand features, computed at the moment of the request from other features and from the request.

An ``OnDemand`` declares a pure numpy function with its inputs and outputs. Feast, the training SDK and the serving
process call the same function, so that all compute the same values. Imports no Feast.

Columns are arrays of one length n: numbers as float64 with NaN for missing, timestamps as float64 seconds since
1970 UTC, texts as object arrays with None for missing, vectors as (n, d) float32 with NaN rows for missing. Vectors
of several lengths are passed in one call per length, so that the result of a row does not depend on other rows.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

import numpy as np

from feature_repo.errors import InputError
from feature_repo.vectors import is_ragged, rows_by_length, vector_column

Columns = Mapping[str, np.ndarray]

MOMENT = "request_timestamp"
"""Request field with the moment of the request."""


@dataclass(frozen=True)
class OnDemand:
    """The declaration of one on-demand function.

    Attributes:
        name: name of the on-demand view.
        function: pure function from one array per argument to one array per output.
        inputs: argument name → ``view__feature``, or the plain name of a request field.
        outputs: output name → name of its Feast type.
        request: request field among the inputs → name of its Feast type (``String``, ``Float64`` or
            ``UnixTimestamp``). A field is given per request or per row. ``request_timestamp`` need not be declared.
        settings: further settings that affect the result, for the fingerprint of services.

    >>> def age(released: np.ndarray, request_timestamp: np.ndarray) -> dict[str, np.ndarray]:
    ...     return {"days": (request_timestamp - released) / 86_400}
    >>> inputs = {"released": "track_catalogue__released", "request_timestamp": "request_timestamp"}
    >>> declared = OnDemand("track_age", age, inputs, outputs={"days": "Float64"})
    >>> declared.compute({"track_catalogue__released": np.array([0.0]), "request_timestamp": np.array([86_400.0])})
    {'days': array([1.])}
    """

    name: str
    function: Callable[..., dict[str, np.ndarray]]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    request: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""

    @property
    def request_fields(self) -> dict[str, str]:
        """Request field among the inputs → name of its Feast type.

        Raises:
            InputError: a field has no type.
        """
        fields = {column for column in self.inputs.values() if "__" not in column}
        undeclared = sorted(fields - {MOMENT, *self.request})
        if undeclared:
            raise InputError(
                expected=f"a Feast type for the request field {undeclared[0]!r} of the on-demand function {self.name}",
                found=f"request={dict(self.request)}",
                next_command=f'declare request={{"{undeclared[0]}": "Float64"}}, or an input such as view__feature',
            )
        return {name: self.request.get(name, "UnixTimestamp") for name in sorted(fields)}

    @property
    def module(self) -> ModuleType:
        """Module of the function."""
        function = self.function.func if isinstance(self.function, partial) else self.function
        return sys.modules[function.__module__]

    @property
    def about(self) -> str:
        """Description in one line."""
        function = self.function.func if isinstance(self.function, partial) else self.function
        return (function.__doc__ or "").split("\n")[0]

    def compute(self, columns: Columns) -> dict[str, np.ndarray]:
        """Computes the outputs from columns named as the values of ``inputs``.

        Vectors of several lengths (``vector_column``) are computed in one call per length, so that the result of a
        row does not depend on other rows.
        """
        arguments = {argument: columns[column] for argument, column in self.inputs.items()}
        ragged = [values for values in arguments.values() if values.dtype == object and is_ragged(values)]
        if not ragged:
            return self.function(**arguments)
        outputs: dict[str, np.ndarray] = {}
        for rows in rows_by_length(ragged):
            part = {argument: values[rows] for argument, values in arguments.items()}
            part |= {name: vector_column(values) for name, values in part.items() if is_ragged(arguments[name])}
            for output, values in self.function(**part).items():
                outputs.setdefault(output, np.empty(len(ragged[0]), values.dtype))[rows] = values
        return outputs
