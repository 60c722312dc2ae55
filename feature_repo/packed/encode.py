"""Packed values from Arrow columns, whole columns at a time."""

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
"""What times are, in packed values as in tables."""

ARROW = {
    "Float64": pa.float64(),
    "Int64": pa.int64(),
    "UnixTimestamp": MOMENT,
    "Float32": pa.float32(),
    "Int32": pa.int32(),
    "Bool": pa.bool_(),
}
"""Arrow's types for those of Feast that have a fixed width."""


Columns = Mapping[str, pa.Array] | Mapping[tuple[str, ...], pa.Array]
"""By name, or by the names of several of one type."""

_EMPTY = pa.scalar(b"", pa.large_binary())
_ZERO = np.zeros(1, np.int64)


@cache
def arrow_type(column: Column) -> pa.DataType:
    """What a column is brought to before it is packed."""
    inner = column.element if column.element and column.kind != "message" else column.dtype
    texts = column.kind in ("text", "texts")
    one = ARROW.get(inner) or (pa.string() if texts else pa.binary())
    return pa.list_(one) if column.element and column.kind != "message" else one


def encode(schema: Schema, columns: Columns, event: pa.Array, created: pa.Array | None) -> list[bytes]:
    """Pack rows.

    Args:
        schema: of the view.
        columns: name → (rows,) values; or names of columns of one type → (names × rows,) values, column by column,
            which takes less time where rows are few. A column that is not there is null in every row.
        event: (rows,) event times, without nulls.
        created: (rows,) created times; None if the view has none.

    Returns:
        (rows,) packed values.

    Raises:
        InputError: a value does not fit its type, a list has a missing text in it, or a vector another length.
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
    given = {name if isinstance(name, tuple) else (name,): values for name, values in columns.items()}
    missing = set(schema.index).difference(*given)
    for names, told in [*given.items(), *(((name,), pa.nulls(rows)) for name in missing)]:
        group = schema.group(names)
        if group is None:
            continue
        count, column = len(group.columns), group.columns[0]
        values = as_type(schema.view, column, told)
        if values.null_count:
            is_null[:, group.nulls] = values.is_null().to_numpy(zero_copy_only=False).reshape(count, rows).T
        if column.is_fixed:
            _fill(schema, group, values, fixed)
        else:
            packed = _large(_bytes(schema, column, values))
            ends[:, group.places] = _lengths_of(packed).reshape(count, rows).T
            for number, place in enumerate(group.places):
                variable[place] = packed.slice(number * rows, rows)
    if variable:
        np.cumsum(ends, axis=1, out=ends)
        if ends.max() >= 1 << 32:
            raise _unfit(schema.view, schema.variable[-1], f"{ends.max()} bytes in one row", "less than 4 GiB in a row")
        np.ndarray((rows, len(variable)), "<u4", fixed, schema.ends, (schema.fixed_bytes, 4))[:] = ends
    bits = np.packbits(is_null, axis=1, bitorder="little")
    fixed[:, schema.nulls : schema.nulls + bits.shape[1]] = bits
    if not variable:
        sums = checksum.of_rows(fixed.view("<u4")).astype("<u4").view(np.uint8).reshape(rows, CHECKSUM_BYTES)
        return _fixed_size(np.hstack([fixed, sums])).to_pylist()
    padding = -ends[:, -1] % checksum.WORD
    tail = padding + CHECKSUM_BYTES
    parts = (_fixed_size(fixed), *variable, _sliced(tail, bytes(int(tail.sum()))))
    whole = pc.binary_join_element_wise(*parts, _EMPTY)
    words = np.frombuffer(whole.buffers()[2], "<u4")  # made just now and seen by nobody, so that it can be written to
    offsets = _offsets(whole) // checksum.WORD
    words[offsets[1:] - 1] = checksum.of_pieces(words, offsets[1:] - offsets[:-1])
    return whole.to_pylist()


def microseconds(times: pa.Array) -> np.ndarray:
    """(rows,) since 1970, rounded down; times without a zone are UTC, missing ones the lowest integer."""
    since = in_microseconds(times).view(pa.int64())
    return (since.fill_null(UNKNOWN_TIME) if since.null_count else since).to_numpy(zero_copy_only=False)


def in_microseconds(times: pa.Array) -> pa.Array:
    """Times in microseconds: the last one that is not after each, before 1970 as well."""
    if pa.types.is_date(times.type):
        times = times.cast(pa.timestamp("s" if pa.types.is_date32(times.type) else "ms"))
    if not pa.types.is_timestamp(times.type) or times.type.unit == "us":
        return times
    if times.type.unit == "ns":
        times = pc.floor_temporal(times, unit="microsecond")
    return times.cast(pa.timestamp("us", times.type.tz))


def from_seconds(numbers: pa.Array) -> pa.Array:
    """Whole seconds since 1970 as ``MOMENT``; an ``ArrowInvalid`` where one is beyond it."""
    return pc.multiply_checked(numbers.cast(pa.int64()), 1_000_000).cast(MOMENT)


def as_type(view: str, column: Column, values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Values in the type that a view declares for them; floats may be rounded, nothing else may change.

    Args:
        view: name, for messages.
        column: as it is declared.
        values: (rows,) of any type.

    Returns:
        (rows,) of ``arrow_type(column)``. A missing element of a list of floats is NaN.

    Raises:
        InputError: a value does not fit, or no value of that type does (see ``converts``).
    """
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    wanted = arrow_type(column)
    if not converts(whole.type, column):
        raise _unfit(view, column, f"{whole.type}", f"values of type {column.dtype}")
    try:
        converted = _lists_as(whole, wanted) if pa.types.is_list(wanted) else _scalars_as(whole, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise _unfit(view, column, str(error).splitlines()[0], f"values of type {column.dtype}") from error
    pattern = _TEXTS_OF.get(column.element or column.dtype)
    if pattern:
        _check_texts(view, column, converted.flatten() if column.element else converted, pattern)
    return converted


def converts(have: pa.DataType, column: Column) -> bool:
    """Whether values of a type can be had in a column's declared type: numbers as numbers or texts, whole numbers as
    times (seconds since 1970), texts as bytes, lists element by element. Texts are no numbers, and times no texts.
    """
    wanted = arrow_type(column)
    if is_list(have) and pa.types.is_list(wanted):
        return _scalar_converts(have.value_type, wanted.value_type)
    return _scalar_converts(have, wanted)


def is_list(dtype: pa.DataType) -> bool:
    """Whether it is a list of any size."""
    return pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype)


def _scalar_converts(have: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_dictionary(have):
        have = have.value_type
    if have == wanted or pa.types.is_null(have):
        return True
    if pa.types.is_timestamp(wanted):
        return pa.types.is_timestamp(have) or pa.types.is_date(have) or pa.types.is_integer(have)
    if pa.types.is_string(wanted):
        return is_text(have) or _is_number(have) or pa.types.is_boolean(have)
    if pa.types.is_binary(wanted):
        return is_text(have) or pa.types.is_large_binary(have) or pa.types.is_fixed_size_binary(have)
    return (_is_number(wanted) or pa.types.is_boolean(wanted)) and (_is_number(have) or pa.types.is_boolean(have))


def is_text(dtype: pa.DataType) -> bool:
    """Whether it is text, however it lies in memory."""
    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype)


def _is_number(dtype: pa.DataType) -> bool:
    return pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)


def _scalars_as(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    have = values.type
    if have == wanted:
        return values
    if pa.types.is_timestamp(wanted):
        if pa.types.is_integer(have):
            return from_seconds(values).cast(wanted)
        return in_microseconds(values).cast(wanted)
    if pa.types.is_floating(wanted):
        return values.cast(wanted, safe=False)
    if pa.types.is_boolean(wanted) and _is_number(have):
        other = pc.invert(pc.is_in(values, pa.array([0, 1]).cast(have)))
        if pc.any(pc.and_(other, values.is_valid())).as_py():
            raise pa.ArrowInvalid(f"{values.filter(other).drop_null()[0].as_py()}")
    return values.cast(wanted)


def _lists_as(lists: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Lists whose elements are of another type, or of floats of which one is missing."""
    if pa.types.is_null(lists.type):
        return lists.cast(wanted)
    if pa.types.is_fixed_size_list(lists.type):
        lists = lists.cast(pa.list_(lists.type.value_type))
    is_float = pa.types.is_floating(wanted.value_type)
    if lists.type == wanted and not (is_float and lists.values.null_count):
        return lists
    elements = _scalars_as(lists.flatten(), wanted.value_type)
    if is_float and elements.null_count:
        elements = elements.fill_null(np.nan)
    offsets = np.zeros(len(lists) + 1, np.int32)
    np.cumsum(pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), elements, mask=lists.is_null())


_TEXTS_OF = {
    "Uuid": r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$",
    "TimeUuid": r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$",
    "Decimal": r"^(?i)[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?|s?nan[0-9]*)$",
}
"""Feast types that are kept as text → what such a text looks like; no reader could make a value of another one."""


def _check_texts(view: str, column: Column, texts: pa.Array, pattern: str) -> None:
    fits = pc.match_substring_regex(texts, pattern).fill_null(True)
    if len(texts) and not pc.all(fits).as_py():
        raise _unfit(view, column, repr(texts.filter(pc.invert(fits))[0].as_py()), f"values of type {column.dtype}")


def _fill(schema: Schema, group: Group, values: pa.Array, fixed: np.ndarray) -> None:
    """Write columns of fixed width to their places in each row."""
    column, place, count = group.columns[0], schema.places[group.columns[0].name], len(group.columns)
    rows, width = len(fixed), np.dtype(place.region).itemsize
    target = np.ndarray((rows, group.width), place.region, fixed, place.offset, (schema.fixed_bytes, width))
    if column.kind == "number":
        target[:, group.places] = _numbers(values).reshape(count, rows).T
        return
    present = values.drop_null()
    lengths = pc.list_value_length(present)
    if len(present) and pc.any(pc.not_equal(lengths, column.length)).as_py():
        found = f"one of length {pc.max(pc.if_else(pc.not_equal(lengths, column.length), lengths, None)).as_py()}"
        raise _unfit(schema.view, column, found, f"vectors of length {column.length}")
    vectors = np.zeros((count * rows, column.length), place.region)
    vectors[values.is_valid().to_numpy(zero_copy_only=False)] = _numbers(present.flatten()).reshape(-1, column.length)
    for number, start in enumerate(group.places):
        target[:, start : start + column.length] = vectors[number * rows : (number + 1) * rows]


def _numbers(values: pa.Array) -> np.ndarray:
    """As they lie in a value; missing ones are 0, in lists of floats NaN."""
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    return values.fill_null(0).to_numpy(zero_copy_only=False) if values.null_count else values.to_numpy()


def _bytes(schema: Schema, column: Column, values: pa.Array) -> pa.Array:
    """(rows,) binary: what a column of any length keeps of each row; nothing for a missing one."""
    if column.kind in ("text", "blob", "message"):
        return values.cast(pa.binary()).fill_null(b"")
    lengths, inside = _lists(values)
    if inside.null_count:
        raise _unfit(schema.view, column, "a list with a missing element", "lists without missing elements")
    if column.kind == "numbers":
        dtype = np.dtype(FIXED[column.element or ""])
        return _sliced(lengths * dtype.itemsize, _numbers(inside).astype(dtype, copy=False).tobytes())
    ends, texts = _texts(inside)
    rows_end = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=rows_end[1:])
    cuts = np.concatenate([_ZERO, ends])[rows_end]
    data = _cut(cuts, texts)
    starts = np.repeat(cuts[:-1], lengths)
    heads = _sliced(lengths * 4, (ends - starts).astype("<u4").tobytes())
    counts = _fixed_size(lengths.astype("<u4").view(np.uint8).reshape(-1, 4))
    joined = pc.binary_join_element_wise(counts, heads, data, _EMPTY)
    return pc.if_else(values.is_valid(), joined, _EMPTY) if values.null_count else joined


def _lengths_of(values: pa.Array) -> np.ndarray:
    """(rows,) bytes of texts or blobs, none missing."""
    offsets = _offsets(values)
    return offsets[1:] - offsets[:-1]


def _offsets(values: pa.Array) -> np.ndarray:
    """(rows + 1,) where each text or blob begins, and where the last one ends."""
    width = np.int64 if pa.types.is_large_binary(values.type) or pa.types.is_large_string(values.type) else np.int32
    return np.frombuffer(values.buffers()[1], width)[values.offset : values.offset + len(values) + 1].astype(np.int64)


def _lists(values: pa.ListArray) -> tuple[np.ndarray, pa.Array]:
    """(rows,) elements of each list, 0 for a missing one; and all of them, one after the other."""
    if values.null_count:
        lengths = pc.list_value_length(values).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        return lengths, values.flatten()
    offsets = values.offsets.to_numpy().astype(np.int64)
    inside = values.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))  # as they lie; ``flatten`` copies
    return offsets[1:] - offsets[:-1], inside


def _texts(values: pa.Array) -> tuple[np.ndarray, pa.Buffer | bytes]:
    """Where each text or blob ends, and all of them one after the other; without missing ones."""
    if not len(values):
        return np.zeros(0, np.int64), b""
    offsets, data = _offsets(values), values.buffers()[2]
    ends = offsets[1:] - offsets[0]
    return ends, data.slice(int(offsets[0]), int(ends[-1])) if data is not None else b""


def _sliced(sizes: np.ndarray, data: bytes | memoryview | pa.Buffer) -> pa.Array:
    """One buffer cut into pieces."""
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return _cut(offsets, data)


def _cut(offsets: np.ndarray, data: bytes | memoryview | pa.Buffer) -> pa.Array:
    buffer = data if isinstance(data, pa.Buffer) else pa.py_buffer(data)
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), buffer])


def _fixed_size(rows: np.ndarray) -> pa.Array:
    """(rows, width) bytes as binary."""
    return _cut(np.arange(len(rows) + 1) * rows.shape[1], np.ascontiguousarray(rows).data)


def _large(values: pa.Array) -> pa.Array:
    return values if pa.types.is_large_binary(values.type) else values.cast(pa.large_binary())


def _unfit(view: str, column: Column, found: str, expected: str) -> InputError:
    return InputError(
        expected=f"{expected} in {view}:{column.name}",
        found=found,
        next_command="mend the table's column, or its type in feature_repo/views, then: python -m feature_repo apply",
    )


def names(prefix: bytes, keys: Mapping[str, tuple[str, pa.Array | pa.ChunkedArray]]) -> pa.Array:
    """(rows,) full names of packed values, null where a key is null; see ``entity_key``.

    Args:
        prefix: of project and view.
        keys: join key → Feast's name of its type, and its (rows,) values; none for a view without keys.

    Raises:
        InputError: a value cannot be a key of its type (``feature_repo.keys``).
    """
    parts: list[pa.Array | pa.Scalar] = [pa.scalar(prefix, pa.large_binary())]
    for place, (key, (dtype, values)) in enumerate(sorted(keys.items())):
        raw = key_bytes(values, dtype, key)
        if place < len(keys) - 1:
            parts += [_large(pc.binary_length(raw).cast(pa.string())), pa.scalar(b":", pa.large_binary())]
        parts.append(raw)
    parts += [pa.scalar(b"}", pa.large_binary()), _EMPTY]
    return pc.binary_join_element_wise(*parts)
