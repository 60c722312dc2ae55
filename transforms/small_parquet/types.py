"""How the values of polars' types are stored in Parquet, and the schema of a frame.

https://github.com/apache/parquet-format/blob/master/LogicalTypes.md
"""

from typing import NamedTuple

import polars as pl

from transforms.small_parquet.thrift import BYTES, I32, LIST, STRUCT, TRUE, Field, fields_of, integer, sequence, sized
from transforms.small_parquet.thrift import struct as structure

BOOLEAN, _INT64, _DOUBLE, BYTE_ARRAY = 0, 2, 5, 6
"""Physical types."""

_OPTIONAL, _REPEATED = 1, 2


class Kind(NamedTuple):
    """How the values of a type are stored.

    Attributes:
        physical: the physical type.
        meaning: fields of the schema that say what the values mean.
        width: bytes of a value; 0 if it has no fixed number of bytes.
    """

    physical: int
    meaning: tuple[Field, ...] = ()
    width: int = 0


_UTC_MICROSECONDS = structure((1, TRUE, b""), (2, STRUCT, structure((2, STRUCT, structure()))))

_KINDS: dict[pl.DataType, Kind] = {
    pl.Boolean(): Kind(BOOLEAN),
    pl.Int64(): Kind(_INT64, width=8),
    pl.Float64(): Kind(_DOUBLE, width=8),
    # converted_type UTF8, logicalType STRING
    pl.String(): Kind(BYTE_ARRAY, ((6, I32, integer(0)), (10, STRUCT, structure((1, STRUCT, structure()))))),
    # converted_type TIMESTAMP_MICROS, logicalType TIMESTAMP
    pl.Datetime("us", "UTC"): Kind(
        _INT64, ((6, I32, integer(10)), (10, STRUCT, structure((8, STRUCT, _UTC_MICROSECONDS)))), width=8
    ),
}
_OF_LISTS = ((6, I32, integer(3)), (10, STRUCT, structure((3, STRUCT, structure()))))
"""converted_type LIST, logicalType LIST."""

_LIST_PATH = ("list", "element")


def kind_of(dtype: pl.DataType) -> Kind | None:
    """How values of a type, or the elements of lists of it, are stored; None if ``encode`` does not know the type."""
    return _KINDS.get(dtype.inner if isinstance(dtype, pl.List) else dtype)  # type: ignore[arg-type]


def path_of(name: str, dtype: pl.DataType) -> tuple[str, ...]:
    """The path of a column within the schema."""
    return (name, *_LIST_PATH) if isinstance(dtype, pl.List) else (name,)


def schema(rows: pl.DataFrame) -> bytes:
    """The first fields of the metadata of a file: the version of the format, and its columns."""
    elements = [structure((4, BYTES, sized(b"root")), (5, I32, integer(rows.width)))]
    for name, dtype in rows.schema.items():
        kind = kind_of(dtype)
        assert kind is not None, dtype
        leaf = name
        if isinstance(dtype, pl.List):
            group, leaf = _LIST_PATH
            elements += _group(name, _OPTIONAL, *_OF_LISTS), _group(group, _REPEATED)
        head = ((1, I32, integer(kind.physical)), (3, I32, integer(_OPTIONAL)), (4, BYTES, sized(leaf.encode())))
        elements.append(structure(*head, *kind.meaning))
    return fields_of((1, I32, integer(1)), (2, LIST, sequence(STRUCT, elements)))


def _group(name: str, repetition: int, *meaning: Field) -> bytes:
    """A column that has another one."""
    return structure((3, I32, integer(repetition)), (4, BYTES, sized(name.encode())), (5, I32, integer(1)), *meaning)
