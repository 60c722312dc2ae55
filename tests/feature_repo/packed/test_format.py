"""Packed values round-trip, in Refrain's reader and in a naive reader of the documented format; damage is refused."""

import json
import math
import struct
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError, StoreError
from feature_repo.home import REPOSITORY
from feature_repo.packed import checksum
from feature_repo.packed.decode import Block, Mixed, decode
from feature_repo.packed.encode import arrow_type, encode
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from tests.oracles import packed_value

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.floats(width=32)
VALUES_OF_TYPE: dict[str, st.SearchStrategy] = {
    "Int32": st.integers(-(2**31), 2**31 - 1),
    "Int64": INT64,
    "Float32": FLOAT32,
    "Float64": st.floats(),
    "Bool": st.booleans(),
    "UnixTimestamp": INT64,
    "String": st.text() | st.just("é" * 5000),
    "Json": st.just('{"a": [1, 2]}'),
    "Uuid": st.uuids().map(str),
    "TimeUuid": st.uuids().map(str),
    "Decimal": st.decimals(allow_nan=False).map(str),
    "Bytes": st.binary(),
    "PdfBytes": st.binary(),
    "ImageBytes": st.binary(),
    "Map": st.binary(),
}
TYPES = {
    **{(name, 0): strategy for name, strategy in VALUES_OF_TYPE.items()},
    **{(f"Array({name})", 0): st.lists(VALUES_OF_TYPE[name], max_size=5) for name in VALUES_OF_TYPE if name != "Map"},
    **{(f"Set({name})", 0): st.lists(VALUES_OF_TYPE[name], max_size=5) for name in ("Int64", "String")},
    ("Array(Float32)", 3): st.lists(FLOAT32, min_size=3, max_size=3),
    ("Array(Float64)", 2): st.lists(st.floats(), min_size=2, max_size=2),
}


def arrow(schema: Schema, name: str, values: list[Any]) -> pa.Array:
    """Returns the values of one column as an Arrow array; timestamps are given in microseconds."""
    dtype = arrow_type(schema.columns[schema.index[name]])
    if pa.types.is_timestamp(dtype):
        return pa.array(values, pa.int64()).cast(dtype)
    if pa.types.is_list(dtype) and pa.types.is_timestamp(dtype.value_type):
        return pa.array(values, pa.list_(pa.int64())).cast(dtype)
    return pa.array(values, dtype)


def pack(schema: Schema, rows: list[dict[str, Any]], events: list[int], created: list[int | None]) -> list[bytes]:
    columns = {name: arrow(schema, name, [row[name] for row in rows]) for name in schema.index}
    moments = pa.array(events, pa.int64()).cast(pa.timestamp("us", "UTC"))
    return encode(schema, columns, moments, pa.array(created, pa.int64()).cast(pa.timestamp("us", "UTC")))


def column_values(block: Block | Mixed, name: str) -> list[Any]:
    """Returns the values of a column as Python objects."""
    column = block.schema.columns[block.schema.index[name]]
    if not column.is_fixed:
        return [value.tolist() if isinstance(value, np.ndarray) else value for value in block.objects(name)]
    values = block.numbers(name).tolist()
    return [None if is_null else value for value, is_null in zip(values, block.is_null(name), strict=True)]


def equal_values(actual: Any, expected: Any) -> bool:
    if isinstance(expected, list) and isinstance(actual, list):
        return len(actual) == len(expected) and all(map(equal_values, actual, expected))
    if isinstance(expected, float) and isinstance(actual, float):
        return actual == expected or (math.isnan(actual) and math.isnan(expected))
    return type(actual) is type(expected) and actual == expected


@st.composite
def tables(draw: st.DrawFn) -> tuple[Schema, list[dict[str, Any]], list[int], list[int | None]]:
    kinds = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=0, max_size=12))
    names = draw(st.lists(st.text(min_size=1), min_size=len(kinds), max_size=len(kinds), unique=True))
    schema = Schema.of("v", [(name, *kind) for name, kind in zip(names, kinds, strict=True)])
    row = st.fixed_dictionaries({name: st.none() | TYPES[kind] for name, kind in zip(names, kinds, strict=True)})
    rows = draw(st.lists(row, min_size=1, max_size=12))
    times = st.integers(-(2**62), 2**62)
    events = draw(st.lists(times, min_size=len(rows), max_size=len(rows)))
    return schema, rows, events, draw(st.lists(st.none() | times, min_size=len(rows), max_size=len(rows)))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.data())
def test_what_was_packed_is_what_is_read(table: Any, data: st.DataObject) -> None:
    schema, rows, events, created = table
    values = pack(schema, rows, events, created)
    for value, row, event, created_time in zip(values, rows, events, created, strict=True):
        read_event, read_created, columns = packed_value.read(value, schema.text)
        assert (read_event, read_created) == (event, created_time)
        assert columns.keys() == row.keys()
        assert all(equal_values(columns[name], row[name]) for name in row), (columns, row)
    missing_rows = data.draw(st.sets(st.integers(0, len(rows) - 1)))
    block = decode([None if i in missing_rows else packed for i, packed in enumerate(values)], schema, lambda _: None)
    assert block.event.tolist() == [UNKNOWN_TIME if i in missing_rows else event for i, event in enumerate(events)]
    for name in schema.index:
        expected = [None if i in missing_rows else row[name] for i, row in enumerate(rows)]
        assert equal_values(column_values(block, name), expected), name
        assert block.is_null(name).tolist() == [value is None for value in expected]


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_type_alone(kind: tuple[str, int]) -> None:
    schema = Schema.of("v", [("x", *kind)])

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.none() | TYPES[kind], min_size=1, max_size=20))
    def check(values: list[Any]) -> None:
        packed = pack(schema, [{"x": value} for value in values], [1] * len(values), [None] * len(values))
        assert equal_values(column_values(decode(packed, schema, lambda _: None), "x"), values)
        assert all(
            equal_values(packed_value.read(raw, schema.text)[2]["x"], x) for raw, x in zip(packed, values, strict=True)
        )

    check()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.data())
def test_damaged_bytes_are_refused(table: Any, data: st.DataObject) -> None:
    schema, rows, events, created = table
    values: list[bytes | None] = list(pack(schema, rows, events, created))
    damaged_row = data.draw(st.integers(0, len(values) - 1))
    raw = bytearray(values[damaged_row] or b"")
    damage = data.draw(st.sampled_from(["flip", "cut", "grow", "noise"]))
    if damage == "flip":
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    elif damage == "cut":
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    elif damage == "grow":
        raw += data.draw(st.binary(min_size=1))
    else:
        raw = bytearray(data.draw(st.binary(max_size=200).filter(lambda noise: noise != values[damaged_row])))
    values[damaged_row] = bytes(raw)
    with pytest.raises(StoreError, match="packed values of the view v.*next: refrain materialize"):
        decode(values, schema, lambda _: None)


@given(st.binary(max_size=64).map(lambda raw: raw + bytes(-len(raw) % 4)), st.integers(0, 3))
def test_bytes_with_a_right_checksum_never_crash_the_reader(body: bytes, tail: int) -> None:
    schema = Schema.of("v", [("a", "Int64"), ("b", "String"), ("c", "Array(String)"), ("d", "Array(Int64)")])
    for start in (b"", struct.pack("<Qqq", schema.tag, 1, 1)):
        raw = start + body + bytes(4 * tail)
        if raw:
            value = raw + struct.pack("<I", packed_value.checksum(raw))
            try:
                block = decode([value], schema, lambda _: None)
                for name in ("b", "c", "d"):
                    block.objects(name)
            except StoreError:
                continue


def test_the_documented_values_are_what_we_write_and_read() -> None:
    vectors = json.loads((REPOSITORY / "docs" / "packed_format_vectors.json").read_text())
    assert len(vectors) >= 4
    for vector in vectors:
        raw = bytes.fromhex(vector["value"])
        schema = Schema.from_text("v", vector["schema"])
        assert schema.text == vector["schema"]
        assert (
            f"{schema.fingerprint:08x}" == vector["fingerprint"] == f"{packed_value.fingerprint(vector['schema']):08x}"
        )
        event, created, values = packed_value.read(raw, vector["schema"])
        assert {"event": event, "created": created, "columns": values} == vector["means"]
        block = decode([raw], schema, lambda _: None)
        assert {name: column_values(block, name)[0] for name in schema.index} == values
        columns = {name: arrow(schema, name, [values[name]]) for name in schema.index}
        moment = pa.array([event], pa.int64()).cast(pa.timestamp("us", "UTC"))
        created_times = None if created is None else pa.array([created], pa.int64()).cast(pa.timestamp("us", "UTC"))
        assert encode(schema, columns, moment, created_times) == [raw]


def test_equal_checksums_however_they_are_computed() -> None:
    generator = np.random.default_rng(5)
    for count in (1, 2, 15, 40, 79, 80, 300):
        body = generator.integers(0, 2**32, count, np.uint32)
        words = np.append(body, checksum.of_rows(body[None])[0])
        assert words[-1] == packed_value.checksum(body.tobytes())
        assert words[-1] == checksum.of_pieces(words, np.array([count + 1]))[0]
        assert checksum.are_sound(words.tobytes() * 2, 2)
        words[0] ^= 1
        assert not checksum.are_sound(words.tobytes() * 2, 2)


def test_old_values_are_served_in_their_old_form_until_new_ones_arrive() -> None:
    old = Schema.of("v", [("plays", "Int32"), ("name", "String"), ("share", "Float32"), ("kind", "String")])
    new = Schema.of(
        "v", [("name", "String"), ("added", "Float64"), ("plays", "Int64"), ("kind", "Int64"), ("share", "Float64")]
    )
    old_values = pack(old, [{"plays": 7, "name": "a", "share": 0.5, "kind": "x"}], [10], [None])
    new_values = pack(new, [{"plays": 8, "name": "b", "share": 0.25, "kind": 3, "added": 1.0}], [20], [None])
    find_schema = {old.fingerprint: old}.get
    block = decode([*old_values, None, *new_values], new, find_schema)
    assert column_values(block, "plays") == [7, None, 8]
    assert column_values(block, "name") == ["a", None, "b"]
    assert column_values(block, "share") == [0.5, None, 0.25]
    assert column_values(block, "added") == [None, None, 1.0]
    # a text does not convert to a number: null instead of a wrong value
    assert column_values(block, "kind") == [None, None, 3]
    assert block.event.tolist() == [10, UNKNOWN_TIME, 20]
    with pytest.raises(StoreError, match=f"unknown schema {old.fingerprint:08x}.*materialize"):
        decode([*old_values, *new_values], new, lambda _: None)


@pytest.mark.parametrize("order", [1, -1])
def test_a_view_that_only_changes_the_order_of_its_columns_is_another_schema(order: int) -> None:
    columns = [("a", "Int64"), ("b", "Int64")]
    schema, reversed_schema = Schema.of("v", columns), Schema.of("v", columns[::-1])
    assert schema.fingerprint != reversed_schema.fingerprint
    packed = pack(schema, [{"a": 1, "b": 2}], [1], [None])
    assert column_values(decode(packed, reversed_schema, {schema.fingerprint: schema}.get), "a") == [1]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (("Array(Float32)", 3), pa.array([[1.0, 2.0]]), "vectors of length 3 in v:x; found one of length 2"),
        (("Array(String)",), pa.array([["a", None]]), "lists without missing elements in v:x"),
        (("Int32",), pa.array([2**40]), "values of type Int32 in v:x"),
        (("Int64",), pa.array(["seven"]), "values of type Int64 in v:x"),
        (("UnixTimestamp",), pa.array([2**62]), "values of type UnixTimestamp in v:x"),
    ],
)
def test_values_that_do_not_fit_are_told(kind: tuple, values: pa.Array, message: str) -> None:
    schema = Schema.of("v", [("x", *kind)])
    with pytest.raises(InputError, match=f"{message}.*next: fix"):
        encode(schema, {"x": values}, pa.array([datetime(2026, 1, 1, tzinfo=UTC)]), None)


def test_other_units_and_types_of_arrow_are_brought_to_ours() -> None:
    schema = Schema.of("v", [("when", "UnixTimestamp"), ("n", "Int64"), ("s", "String"), ("v", "Array(Float32)", 2)])
    columns = {
        "when": pa.array([datetime(2026, 1, 1)], pa.timestamp("ns")),
        "n": pa.array([3], pa.int8()),
        "s": pa.array(["x"]).dictionary_encode(),
        "v": pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2)),
    }
    raw = encode(schema, columns, pa.array([datetime(2026, 1, 2)], pa.timestamp("s")), None)
    event, created, values = packed_value.read(raw[0], schema.text)
    second = 1_000_000
    assert (event, created) == (int(datetime(2026, 1, 2, tzinfo=UTC).timestamp()) * second, None)
    when = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * second
    assert values == {"when": when, "n": 3, "s": "x", "v": [1.0, 2.0]}
