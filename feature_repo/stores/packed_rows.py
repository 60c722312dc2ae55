"""Packs rows of a view for the online store, for ``materialize`` and pushes."""

import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView, RepoConfig

from feature_repo.packed import entity_key
from feature_repo.packed.encode import encode, names
from feature_repo.stores.protobuf import key_types, messages, schema_of
from feature_repo.stores.restricted_rows import of_restricted
from feature_repo.stores.source_path import source_of


def packed_rows(config: RepoConfig, view: FeatureView, table: pa.Table) -> tuple[list[bytes], list[bytes]]:
    """Packs the rows that have keys and an event time; other rows are skipped, because no lookup could find them.

    Rows of restricted people are skipped, too: nothing of them is online.

    Args:
        config: configuration of the repository.
        view: the view of the rows.
        table: keys, features and times with the names of the view; missing features are null.

    Returns:
        (rows,) full names (see ``entity_key``) and (rows,) packed values.

    Raises:
        InputError: a value or a key does not fit its type.
        StoreError: the view has no batch source.
    """
    schema, source = schema_of(view), source_of(view)
    field_mapping = source.field_mapping or {}
    time = field_mapping.get(source.timestamp_field, source.timestamp_field)
    created = field_mapping.get(source.created_timestamp_column, source.created_timestamp_column)
    keys = {name: (dtype, table[name]) for name, dtype in key_types(view).items()}
    full_names = names(entity_key.prefix(config.project, view.name), keys)
    if isinstance(full_names, pa.Scalar):  # no join keys: all rows have one name
        full_names = pa.array([full_names.as_py()] * len(table), pa.large_binary())
    usable = pc.and_(full_names.is_valid(), table[time].combine_chunks().is_valid())
    restricted = of_restricted(table, keys)
    if restricted is not None:
        usable = pc.and_not(usable, restricted)
    if not pc.all(usable).as_py():
        full_names, table = full_names.filter(usable), table.filter(usable)
    columns = {
        column.name: messages(view, column, table[column.name]) if column.kind == "message" else table[column.name]
        for column in schema.columns
        if column.name in table.column_names
    }
    created_times = table[created].combine_chunks() if created and created in table.column_names else None
    return full_names.to_pylist(), encode(schema, columns, table[time].combine_chunks(), created_times)
