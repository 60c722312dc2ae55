"""Plans matrices of numeric features that are gathered from held columns, or from regions of packed values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError
from feature_repo.packed.schema import Schema


@dataclass(frozen=True)
class Gather:
    """Numeric features in one region of a view's packed values, and their columns in a matrix.

    Attributes:
        dtype: numpy type of the region.
        region: offset in the packed value and width of the region.
        source: positions of the features in the region.
        nulls: null bits of the features.
        target: columns of the matrix.
        is_time: whether the features are timestamps, which become seconds.
    """

    dtype: np.dtype
    region: tuple[int, int]
    source: slice | np.ndarray
    nulls: slice | np.ndarray
    target: slice | np.ndarray
    is_time: bool


@dataclass(frozen=True)
class ViewGather:
    """Numeric features of one view, and their columns in a matrix.

    Attributes:
        view: index of the view.
        regions: the features by the region of the view's packed values in which they lie.
        source: positions of the features in a matrix of held columns.
        target: columns of the matrix.
    """

    view: int
    regions: list[Gather]
    source: slice | np.ndarray
    target: slice | np.ndarray


@dataclass(frozen=True)
class FunctionInputs:
    """The inputs of one on-demand function.

    Attributes:
        numbers: ``view__feature`` → column of the matrix of numeric inputs. Each function has columns of its own.
        others: the other inputs: stored vectors and texts, and fields of the request.
        views: indices of the views that the inputs are stored in.
    """

    numbers: dict[str, int]
    others: list[str]
    views: list[int]


@dataclass(frozen=True)
class Inputs:
    """The inputs of all on-demand functions; those that are stored numbers are columns of one matrix.

    Attributes:
        stored: the columns by view.
        width: number of columns.
        by_function: function → its inputs.
    """

    stored: list[ViewGather]
    width: int
    by_function: dict[str, FunctionInputs]


@dataclass(frozen=True)
class Matrix:
    """The columns of a matrix.

    Attributes:
        stored: stored features by view.
        computed: function → its outputs and their columns.
    """

    stored: list[ViewGather]
    computed: dict[str, list[tuple[str, int]]]


def matrix_of(
    names: tuple[str, ...],
    numeric: Sequence[str],
    stored: Mapping[str, tuple[int, str]],
    schemas: Sequence[Schema],
    held: Sequence[Sequence[str]],
) -> Matrix:
    """Plan the matrix of some features.

    Args:
        names: names of the features, one for each column.
        numeric: numeric features of the service.
        stored: stored feature → index of its view and its name there. Other features are computed on demand.
        schemas: schemas of the views.
        held: numeric features of each view, in the order of held columns.

    Raises:
        InputError: a name is not a numeric feature of the service.
    """
    unknown = [name for name in names if name not in numeric]
    if unknown:
        raise InputError(
            expected=f"numeric features of the service: {list(numeric)}",
            found=f"{unknown}",
            next_command="refrain model list  (the model asks for another service: train it again)",
        )
    computed: dict[str, list[tuple[str, int]]] = {}
    for target, name in enumerate(names):
        if name not in stored:
            function, _, output = name.partition("__")
            computed.setdefault(function, []).append((output, target))
    columns = [(*stored[name], target) for target, name in enumerate(names) if name in stored]
    return Matrix(gathers_of(columns, schemas, held), computed)


def gathers_of(
    columns: Sequence[tuple[int, str, int]], schemas: Sequence[Schema], held: Sequence[Sequence[str]]
) -> list[ViewGather]:
    """Plan the columns of a matrix that are stored features.

    Args:
        columns: index of the view, feature and column of the matrix.
        schemas: schemas of the views.
        held: features of each view, in the order of a matrix of held columns.
    """
    by_view: dict[int, list[tuple[str, int]]] = {}
    for number, feature, target in columns:
        by_view.setdefault(number, []).append((feature, target))
    gathers = []
    for number, features in by_view.items():
        places = sorted((held[number].index(feature), target) for feature, target in features)
        source, targets = (list(column) for column in zip(*places, strict=True))
        gathers.append(ViewGather(number, _regions(schemas[number], features), _compact(source), _compact(targets)))
    return gathers


def _regions(schema: Schema, features: Sequence[tuple[str, int]]) -> list[Gather]:
    """Group features, given with their columns of the matrix, by their regions of packed values."""
    parts: dict[tuple[str, int, bool], list[tuple[int, int, int]]] = {}
    for feature, target in features:
        place = schema.places[feature]
        is_time = schema.columns[schema.index[feature]].dtype == "UnixTimestamp"
        slot = (place.region, place.offset, is_time)
        parts.setdefault(slot, []).append((place.start, schema.index[feature], target))
    gathers = []
    for (region, offset, is_time), columns in parts.items():
        source, nulls, targets = (list(column) for column in zip(*sorted(columns), strict=True))
        region_of = (offset, max(source) + 1)
        gathers.append(
            Gather(np.dtype(region), region_of, _compact(source), _compact(nulls), _compact(targets), is_time)
        )
    return gathers


def _compact(places: list[int]) -> slice | np.ndarray:
    """Turn consecutive positions into a slice: reading a slice copies nothing."""
    first, last = places[0], places[-1]
    return slice(first, last + 1) if places == list(range(first, last + 1)) else np.array(places)
