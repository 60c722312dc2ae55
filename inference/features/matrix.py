"""A matrix of features, gathered from regions of packed values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError
from feature_repo.packed.schema import Schema


@dataclass(frozen=True)
class Gather:
    """Numeric features of one view that lie in one region of its values, and where they go in a matrix.

    Attributes:
        view: its number.
        region: numpy type, offset in the value and width of the region.
        source: places in the region.
        nulls: their null bits.
        target: columns of the matrix.
        is_time: whether they are timestamps, which become seconds.
    """

    view: int
    region: tuple[str, int, int]
    source: slice | np.ndarray
    nulls: slice | np.ndarray
    target: slice | np.ndarray
    is_time: bool


@dataclass(frozen=True)
class Matrix:
    """The columns of a matrix: those that are stored, and those that are computed, with their places."""

    stored: list[Gather]
    computed: list[tuple[int, str]]


def matrix_of(
    names: tuple[str, ...],
    numeric: Sequence[str],
    stored: Mapping[str, tuple[int, str]],
    schemas: Sequence[Schema],
) -> Matrix:
    """How the matrix of some features is put together.

    Args:
        names: of the features, one for each column.
        numeric: the features of the service that are numbers.
        stored: feature → number of its view, and its name there; others are computed.
        schemas: of the views.

    Raises:
        InputError: one of them is no numeric feature of the service.
    """
    unknown = [name for name in names if name not in numeric]
    if unknown:
        raise InputError(
            expected=f"numeric features of the service: {list(numeric)}",
            found=f"{unknown}",
            next_command="python -m training run recommendation  (the model asks for another service)",
        )
    computed = [(place, name) for place, name in enumerate(names) if name not in stored]
    parts: dict[tuple, list[tuple[int, int, int]]] = {}
    for target, name in enumerate(names):
        if name not in stored:
            continue
        number, feature = stored[name]
        schema = schemas[number]
        place = schema.places[feature]
        is_time = schema.columns[schema.index[feature]].dtype == "UnixTimestamp"
        slot = (number, place.region, place.offset, is_time)
        parts.setdefault(slot, []).append((place.start, schema.index[feature], target))
    found = []
    for (number, region, offset, is_time), columns in parts.items():
        source, nulls, wanted = (list(column) for column in zip(*sorted(columns), strict=True))
        region_of = (region, offset, max(source) + 1)
        found.append(Gather(number, region_of, _compact(source), _compact(nulls), _compact(wanted), is_time))
    return Matrix(found, computed)


def _compact(places: list[int]) -> slice | np.ndarray:
    """A slice where they are in a row: reading one copies nothing."""
    first, last = places[0], places[-1]
    return slice(first, last + 1) if places == list(range(first, last + 1)) else np.array(places)
