"""Encodes Arrow columns as packed values, whole columns at a time."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.errors import InputError
from feature_repo.packed import checksum
from feature_repo.packed.key_columns import key_bytes
from feature_repo.packed.schema import CHECKSUM_BYTES, FIXED, HEADER, UNKNOWN_TIME, Column, Group, Schema

MOMENT = pa.timestamp("us", "UTC")
"""Arrow type of times, in packed values and in feature tables."""

ARROW = {
    "Float64": pa.float64(),
    "Int64": pa.int64(),
    "UnixTimestamp": MOMENT,
    "Float32": pa.float32(),
    "Int32": pa.int32(),
    "Bool": pa.bool_(),
}
"""Feast types of fixed width → Arrow types."""


Columns = Mapping[str, pa.Array] | Mapping[tuple[str, ...], pa.Array]
"""Columns by name, or several columns of one type by the tuple of their names."""

_EMPTY = pa.scalar(b"", pa.large_binary())
_ZERO = np.zeros(1, np.int64)


@cache
def arrow_type(column: Column) -> pa.DataType:
    """Returns the Arrow type to which a column is converted before packing."""
    scalar_type = column.element if column.element and column.kind != "message" else column.dtype
    is_text_column = column.kind in ("text", "texts")
    arrow_scalar = ARROW.get(scalar_type) or (pa.string() if is_text_column else pa.binary())
    return pa.list_(arrow_scalar) if column.element and column.kind != "message" else arrow_scalar


def encode(schema: Schema, columns: Columns, event: pa.Array, created: pa.Array | None) -> list[bytes]:
    """Packs rows.

    Args:
        schema: schema of the view.
        columns: name → (rows,) values; or tuple of names of columns of one type → (names × rows,) values, column by
            column, which is faster for few rows. A missing column is null in every row.
        event: (rows,) event times, without nulls.
        created: (rows,) created times; None if the view has none.

    Returns:
        (rows,) packed values.

    Raises:
        InputError: a value does not fit its type, a list has a missing element, or a vector has another length.
    """
    rows = len(event)
    if not rows:
        return []
    fixed = np.zeros((rows, schema.fixed_bytes), np.uint8)
    header = np.ndarray(rows, HEADER, fixed, 0, (schema.fixed_bytes,))
    header["tag"] = schema.tag
    header["event"] = microseconds(event)
    header["created"] = UNKNOWN_TIME if created is None else microseconds(created)
    is_null = np.zeros((rows, len(schema.columns)), bool)
    variable: list[pa.Array] = [_EMPTY] * len(schema.variable)
    ends = np.zeros((rows, len(variable)), np.int64)
    columns_by_names = {name if isinstance(name, tuple) else (name,): values for name, values in columns.items()}
    missing = set(schema.index).difference(*columns_by_names)
    for names, raw_values in [*columns_by_names.items(), *(((name,), pa.nulls(rows)) for name in missing)]:
        group = schema.group(names)
        if group is None:
            continue
        count, column = len(group.columns), group.columns[0]
        values = as_type(schema.view, column, raw_values)
        if values.null_count:
            is_null[:, group.nulls] = values.is_null().to_numpy(zero_copy_only=False).reshape(count, rows).T
        if column.is_fixed:
            _fill(schema, group, values, fixed)
        else:
            packed = _to_large_binary(_encode_variable(schema, column, values))
            ends[:, group.places] = _byte_lengths(packed).reshape(count, rows).T
            for column_index, place in enumerate(group.places):
                variable[place] = packed.slice(column_index * rows, rows)
    if variable:
        np.cumsum(ends, axis=1, out=ends)
        if ends.max() >= 1 << 32:
            raise _value_error(
                schema.view, schema.variable[-1], f"{ends.max()} bytes in one row", "less than 4 GiB in a row"
            )
        np.ndarray((rows, len(variable)), "<u4", fixed, schema.ends, (schema.fixed_bytes, 4))[:] = ends
    bits = np.packbits(is_null, axis=1, bitorder="little")
    fixed[:, schema.nulls : schema.nulls + bits.shape[1]] = bits
    if not variable:
        checksums = checksum.of_rows(fixed.view("<u4")).astype("<u4").view(np.uint8).reshape(rows, CHECKSUM_BYTES)
        return _rows_to_binary(np.hstack([fixed, checksums])).to_pylist()
    padding = -ends[:, -1] % checksum.WORD
    tail = padding + CHECKSUM_BYTES
    parts = (_rows_to_binary(fixed), *variable, _slice(tail, bytes(int(tail.sum()))))
    joined = pc.binary_join_element_wise(*parts, _EMPTY)
    words = np.frombuffer(joined.buffers()[2], "<u4")  # a new buffer without other references: safe to write to
    offsets = _offsets(joined) // checksum.WORD
    words[offsets[1:] - 1] = checksum.of_pieces(words, offsets[1:] - offsets[:-1])
    return joined.to_pylist()


def microseconds(times: pa.Array) -> np.ndarray:
    """Converts times to (rows,) microseconds since 1970, rounded down; null becomes ``UNKNOWN_TIME``."""
    timestamps = in_microseconds(times).view(pa.int64())
    return (timestamps.fill_null(UNKNOWN_TIME) if timestamps.null_count else timestamps).to_numpy(zero_copy_only=False)


def in_microseconds(times: pa.Array) -> pa.Array:
    """Casts times to microseconds, rounded down, also before 1970."""
    if pa.types.is_date(times.type):
        times = times.cast(pa.timestamp("s" if pa.types.is_date32(times.type) else "ms"))
    if not pa.types.is_timestamp(times.type) or times.type.unit == "us":
        return times
    if times.type.unit == "ns":
        times = pc.floor_temporal(times, unit="microsecond")
    return times.cast(pa.timestamp("us", times.type.tz))


def from_seconds(numbers: pa.Array) -> pa.Array:
    """Casts whole seconds since 1970 to ``MOMENT``; raises ``ArrowInvalid`` on overflow."""
    return pc.multiply_checked(numbers.cast(pa.int64()), 1_000_000).cast(MOMENT)


def as_type(view: str, column: Column, values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Casts values to their declared type. Floats may be rounded; every other change is an error.

    Args:
        view: name of the view, for messages.
        column: declaration of the column.
        values: (rows,) values of any type.

    Returns:
        (rows,) values of ``arrow_type(column)``. A missing element of a list of floats is NaN.

    Raises:
        InputError: a value does not fit, or its type cannot be converted (see ``converts``).
    """
    combined = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    target_type = arrow_type(column)
    if not converts(combined.type, column):
        raise _value_error(view, column, f"{combined.type}", f"values of type {column.dtype}")
    try:
        converted = (
            _cast_lists(combined, target_type)
            if pa.types.is_list(target_type)
            else _cast_scalars(combined, target_type)
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise _value_error(view, column, str(error).splitlines()[0], f"values of type {column.dtype}") from error
    pattern = _TEXT_PATTERNS.get(column.element or column.dtype)
    if pattern:
        _check_texts(view, column, converted.flatten() if column.element else converted, pattern)
    return converted


def converts(source_type: pa.DataType, column: Column) -> bool:
    """Whether a type can be converted to a column's declared type: numbers to numbers or texts, integers to times
    (seconds since 1970), texts to bytes, lists element by element. Texts do not convert to numbers, nor times to texts.
    """
    target_type = arrow_type(column)
    if is_list(source_type) and pa.types.is_list(target_type):
        return _scalar_converts(source_type.value_type, target_type.value_type)
    return _scalar_converts(source_type, target_type)


def is_list(dtype: pa.DataType) -> bool:
    """Whether a type is a list type of any kind."""
    return pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype)


def _scalar_converts(source_type: pa.DataType, target_type: pa.DataType) -> bool:
    if pa.types.is_dictionary(source_type):
        source_type = source_type.value_type
    if source_type == target_type or pa.types.is_null(source_type):
        return True
    if pa.types.is_timestamp(target_type):
        return pa.types.is_timestamp(source_type) or pa.types.is_date(source_type) or pa.types.is_integer(source_type)
    if pa.types.is_string(target_type):
        return is_text(source_type) or _is_number(source_type) or pa.types.is_boolean(source_type)
    if pa.types.is_binary(target_type):
        return (
            is_text(source_type) or pa.types.is_large_binary(source_type) or pa.types.is_fixed_size_binary(source_type)
        )
    return (_is_number(target_type) or pa.types.is_boolean(target_type)) and (
        _is_number(source_type) or pa.types.is_boolean(source_type)
    )


def is_text(dtype: pa.DataType) -> bool:
    """Whether a type is a text type of any layout."""
    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype)


def _is_number(dtype: pa.DataType) -> bool:
    return pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)


def _cast_scalars(values: pa.Array, target_type: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    source_type = values.type
    if source_type == target_type:
        return values
    if pa.types.is_timestamp(target_type):
        if pa.types.is_integer(source_type):
            return from_seconds(values).cast(target_type)
        return in_microseconds(values).cast(target_type)
    if pa.types.is_floating(target_type):
        return values.cast(target_type, safe=False)
    if pa.types.is_boolean(target_type) and _is_number(source_type):
        is_neither_0_nor_1 = pc.invert(pc.is_in(values, pa.array([0, 1]).cast(source_type)))
        if pc.any(pc.and_(is_neither_0_nor_1, values.is_valid())).as_py():
            raise pa.ArrowInvalid(f"{values.filter(is_neither_0_nor_1).drop_null()[0].as_py()}")
    return values.cast(target_type)


def _cast_lists(lists: pa.Array, target_type: pa.DataType) -> pa.Array:
    """Casts the elements of lists; missing elements of float lists become NaN."""
    if pa.types.is_null(lists.type):
        return lists.cast(target_type)
    if pa.types.is_fixed_size_list(lists.type):
        lists = lists.cast(pa.list_(lists.type.value_type))
    is_float = pa.types.is_floating(target_type.value_type)
    if lists.type == target_type and not (is_float and lists.values.null_count):
        return lists
    elements = _cast_scalars(lists.flatten(), target_type.value_type)
    if is_float and elements.null_count:
        elements = elements.fill_null(np.nan)
    offsets = np.zeros(len(lists) + 1, np.int32)
    np.cumsum(pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), elements, mask=lists.is_null())


_TEXT_PATTERNS = {
    "Uuid": r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$",
    "TimeUuid": r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$",
    "Decimal": r"^(?i)[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?|s?nan[0-9]*)$",
}
"""Feast types stored as text → pattern of valid texts; readers could not convert others."""


def _check_texts(view: str, column: Column, texts: pa.Array, pattern: str) -> None:
    fits = pc.match_substring_regex(texts, pattern).fill_null(True)
    if len(texts) and not pc.all(fits).as_py():
        raise _value_error(
            view, column, repr(texts.filter(pc.invert(fits))[0].as_py()), f"values of type {column.dtype}"
        )


def _fill(schema: Schema, group: Group, values: pa.Array, fixed: np.ndarray) -> None:
    """Writes columns of fixed width to their positions in each row."""
    column, place, count = group.columns[0], schema.places[group.columns[0].name], len(group.columns)
    rows, width = len(fixed), np.dtype(place.region).itemsize
    target = np.ndarray((rows, group.width), place.region, fixed, place.offset, (schema.fixed_bytes, width))
    if column.kind == "number":
        target[:, group.places] = _to_numpy(values).reshape(count, rows).T
        return
    present = values.drop_null()
    lengths = pc.list_value_length(present)
    if len(present) and pc.any(pc.not_equal(lengths, column.length)).as_py():
        problem = f"one of length {pc.max(pc.if_else(pc.not_equal(lengths, column.length), lengths, None)).as_py()}"
        raise _value_error(schema.view, column, problem, f"vectors of length {column.length}")
    vectors = np.zeros((count * rows, column.length), place.region)
    vectors[values.is_valid().to_numpy(zero_copy_only=False)] = _to_numpy(present.flatten()).reshape(-1, column.length)
    for vector_index, start in enumerate(group.places):
        target[:, start : start + column.length] = vectors[vector_index * rows : (vector_index + 1) * rows]


def _to_numpy(values: pa.Array) -> np.ndarray:
    """Converts to numpy in the stored representation; null becomes 0."""
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    return values.fill_null(0).to_numpy(zero_copy_only=False) if values.null_count else values.to_numpy()


def _encode_variable(schema: Schema, column: Column, values: pa.Array) -> pa.Array:
    """Encodes a variable-length column as (rows,) binary; empty for null."""
    if column.kind in ("text", "blob", "message"):
        return values.cast(pa.binary()).fill_null(b"")
    lengths, elements = _list_data(values)
    if elements.null_count:
        raise _value_error(schema.view, column, "a list with a missing element", "lists without missing elements")
    if column.kind == "numbers":
        element_dtype = np.dtype(FIXED[column.element or ""])
        return _slice(lengths * element_dtype.itemsize, _to_numpy(elements).astype(element_dtype, copy=False).tobytes())
    ends, texts = _text_data(elements)
    list_ends = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=list_ends[1:])
    list_offsets = np.concatenate([_ZERO, ends])[list_ends]
    data = _binary_array(list_offsets, texts)
    list_starts = np.repeat(list_offsets[:-1], lengths)
    element_ends = _slice(lengths * 4, (ends - list_starts).astype("<u4").tobytes())
    counts = _rows_to_binary(lengths.astype("<u4").view(np.uint8).reshape(-1, 4))
    joined = pc.binary_join_element_wise(counts, element_ends, data, _EMPTY)
    return pc.if_else(values.is_valid(), joined, _EMPTY) if values.null_count else joined


def _byte_lengths(values: pa.Array) -> np.ndarray:
    """Returns the (rows,) lengths of texts or blobs in bytes."""
    offsets = _offsets(values)
    return offsets[1:] - offsets[:-1]


def _offsets(values: pa.Array) -> np.ndarray:
    """Returns the (rows + 1,) offsets of texts or blobs."""
    width = np.int64 if pa.types.is_large_binary(values.type) or pa.types.is_large_string(values.type) else np.int32
    return np.frombuffer(values.buffers()[1], width)[values.offset : values.offset + len(values) + 1].astype(np.int64)


def _list_data(values: pa.ListArray) -> tuple[np.ndarray, pa.Array]:
    """Returns the (rows,) lengths of lists, 0 for null, and the concatenated elements."""
    if values.null_count:
        lengths = pc.list_value_length(values).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        return lengths, values.flatten()
    offsets = values.offsets.to_numpy().astype(np.int64)
    elements = values.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))  # without a copy; ``flatten`` copies
    return offsets[1:] - offsets[:-1], elements


def _text_data(values: pa.Array) -> tuple[np.ndarray, pa.Buffer | bytes]:
    """Returns the end offset of each text or blob, and the concatenated bytes; null is not allowed."""
    if not len(values):
        return np.zeros(0, np.int64), b""
    offsets, data = _offsets(values), values.buffers()[2]
    ends = offsets[1:] - offsets[0]
    return ends, data.slice(int(offsets[0]), int(ends[-1])) if data is not None else b""


def _slice(sizes: np.ndarray, data: bytes | memoryview | pa.Buffer) -> pa.Array:
    """Slices a buffer into pieces of given sizes."""
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return _binary_array(offsets, data)


def _binary_array(offsets: np.ndarray, data: bytes | memoryview | pa.Buffer) -> pa.Array:
    buffer = data if isinstance(data, pa.Buffer) else pa.py_buffer(data)
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), buffer])


def _rows_to_binary(rows: np.ndarray) -> pa.Array:
    """Converts a (rows, width) byte matrix to (rows,) binary."""
    return _binary_array(np.arange(len(rows) + 1) * rows.shape[1], np.ascontiguousarray(rows).data)


def _to_large_binary(values: pa.Array) -> pa.Array:
    return values if pa.types.is_large_binary(values.type) else values.cast(pa.large_binary())


def _value_error(view: str, column: Column, found: str, expected: str) -> InputError:
    return InputError(
        expected=f"{expected} in {view}:{column.name}",
        found=found,
        next_command="fix the table's column, or its type in the view, then: refrain apply",
    )


def names(prefix: bytes, keys: Mapping[str, tuple[str, pa.Array | pa.ChunkedArray]]) -> pa.Array:
    """Builds the (rows,) full names of packed values, null where a key is null; see ``entity_key``.

    Args:
        prefix: name prefix of project and view.
        keys: join key → Feast's name of its type, and its (rows,) values; empty for a view without keys.

    Raises:
        InputError: a value cannot be converted to its key's type (``feature_repo.keys``).
    """
    parts: list[pa.Array | pa.Scalar] = [pa.scalar(prefix, pa.large_binary())]
    for place, (key, (dtype, values)) in enumerate(sorted(keys.items())):
        raw = key_bytes(values, dtype, key)
        if place < len(keys) - 1:
            parts += [_to_large_binary(pc.binary_length(raw).cast(pa.string())), pa.scalar(b":", pa.large_binary())]
        parts.append(raw)
    parts += [pa.scalar(b"}", pa.large_binary()), _EMPTY]
    return pc.binary_join_element_wise(*parts)
