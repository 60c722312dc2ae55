"""Keys and values are read as Feast writes them, for every type; torn bytes are an error, never another value."""

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _mmh3
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import FloatList, StringList, Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given

from feature_repo.errors import StoreError
from feature_repo.stores import redis_layout

int64 = st.integers(-(2**63), 2**63 - 1)
float32 = st.floats(width=32)

VALUES: dict[str, tuple[Any, Any]] = {
    "String": (st.text(), lambda value: Value(string_val=value)),
    "Int64": (int64, lambda value: Value(int64_val=value)),
    "Float64": (st.floats(), lambda value: Value(double_val=value)),
    "Float32": (float32, lambda value: Value(float_val=value)),
    "Bool": (st.booleans(), lambda value: Value(bool_val=value)),
    "UnixTimestamp": (int64.filter(lambda value: value != -(2**63)), lambda value: Value(unix_timestamp_val=value)),
    "Array(String)": (st.lists(st.text()), lambda value: Value(string_list_val=StringList(val=value))),
    "Array(Float32)": (st.lists(float32), lambda value: Value(float_list_val=FloatList(val=value))),
}

EXAMPLES: dict[str, Any] = {
    "String": "x",
    "Int64": 1,
    "Float64": 1.0,
    "Float32": 1.0,
    "Bool": True,
    "UnixTimestamp": 1,
    "Array(String)": ["x"],
    "Array(Float32)": [1.0],
}


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, np.ndarray):
        return found.dtype == np.float32 and np.array_equal(found, np.array(expected, np.float32), equal_nan=True)
    if isinstance(expected, float) and math.isnan(expected):
        return math.isnan(found)
    return type(found) is type(expected) and found == expected


@pytest.mark.parametrize("dtype", VALUES)
def test_what_feast_writes_is_what_is_read(dtype: str) -> None:
    strategy, message = VALUES[dtype]
    decode = redis_layout.decoder(dtype)

    @given(strategy)
    def check(value: Any) -> None:
        assert same(decode(message(value).SerializeToString()), value)

    check()
    assert decode(Value().SerializeToString()) is None


@pytest.mark.parametrize("dtype", VALUES)
def test_torn_or_foreign_bytes_never_give_a_value_of_another_kind(dtype: str) -> None:
    decode = redis_layout.decoder(dtype)
    kinds = {
        "String": str,
        "Int64": int,
        "UnixTimestamp": (int, type(None)),
        "Float64": float,
        "Float32": float,
        "Bool": bool,
    }

    @given(st.binary(min_size=1, max_size=40))
    def check(raw: bytes) -> None:
        try:
            value = decode(raw)
        except StoreError:
            return
        assert isinstance(value, kinds.get(dtype, (list, np.ndarray)))

    check()
    other = "Int64" if dtype != "Int64" else "String"
    with pytest.raises(StoreError, match=f"a value of type {other}"):
        redis_layout.decoder(other)(VALUES[dtype][1](EXAMPLES[dtype]).SerializeToString())


def test_feasts_missing_time_is_missing() -> None:
    assert redis_layout.decoder("UnixTimestamp")(Value(unix_timestamp_val=-(2**63)).SerializeToString()) is None


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=3, unique_by=lambda pair: pair[0]))
def test_keys_are_feasts(pairs: list[tuple[str, str]]) -> None:
    pairs.sort()
    key = EntityKey(join_keys=[k for k, _ in pairs], entity_values=[Value(string_val=v) for _, v in pairs])
    expected = serialize_entity_key(key, entity_key_serialization_version=3) + b"project"
    assert redis_layout.entity_key("project", [k for k, _ in pairs], [v for _, v in pairs]) == expected


@given(st.text(min_size=1), st.text(min_size=1))
def test_fields_are_feasts(view: str, feature: str) -> None:
    assert redis_layout.feature_field(view, feature) == _mmh3(f"{view}:{feature}")


@given(st.integers(-(2**40), 2**40), st.integers(0, 999_999_999))
def test_times_are_feasts(seconds: int, nanos: int) -> None:
    raw = Timestamp(seconds=seconds, nanos=nanos).SerializeToString()
    assert redis_layout.decode_time(raw) == pytest.approx(seconds + nanos / 1e9, abs=1e-3)
