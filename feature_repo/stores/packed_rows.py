"""Rows of a view as the online store keeps them: what ``materialize`` and pushes write."""

import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView, RepoConfig

from feature_repo.packed import entity_key
from feature_repo.packed.encode import encode, names
from feature_repo.stores.protobuf import key_types, messages, schema_of
from feature_repo.stores.source_path import source_of


def packed_rows(config: RepoConfig, view: FeatureView, table: pa.Table) -> tuple[list[bytes], list[bytes]]:
    """Names and values of the rows whose keys and time are there; nothing could find the others.

    Args:
        config: of the repository.
        view: whose rows.
        table: keys, features and times under the names of the view; a feature that is not there is null.

    Returns:
        (rows,) full names, see ``entity_key``, and (rows,) packed values.

    Raises:
        InputError: a value or a key does not fit its type.
        StoreError: the view has no batch source.
    """
    schema, source = schema_of(view), source_of(view)
    mapped = source.field_mapping or {}
    time = mapped.get(source.timestamp_field, source.timestamp_field)
    created = mapped.get(source.created_timestamp_column, source.created_timestamp_column)
    keys = {name: (dtype, table[name]) for name, dtype in key_types(view).items()}
    named = names(entity_key.prefix(config.project, view.name), keys)
    if isinstance(named, pa.Scalar):  # no keys: one row
        named = pa.array([named.as_py()] * len(table), pa.large_binary())
    usable = pc.and_(named.is_valid(), table[time].combine_chunks().is_valid())
    if not pc.all(usable).as_py():
        named, table = named.filter(usable), table.filter(usable)
    columns = {
        column.name: messages(view, column, table[column.name]) if column.kind == "message" else table[column.name]
        for column in schema.columns
        if column.name in table.column_names
    }
    known = table[created].combine_chunks() if created and created in table.column_names else None
    return named.to_pylist(), encode(schema, columns, table[time].combine_chunks(), known)
