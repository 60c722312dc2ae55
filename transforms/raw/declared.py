"""The raw tables of a project: the declared ones, and one for every kind of events without."""

from collections.abc import Mapping
from functools import cache

import dataframely as dy

from feature_repo.contract import Contract, contract_of
from feature_repo.home import Home
from feature_repo.windows import EventSource
from transforms.raw.table import RawTable, Timed, date_column, key_column

_COLUMNS = {"String": dy.String, "Int64": dy.Int64, "Float64": dy.Float64, "Bool": dy.Bool}
"""Type of an event's column → the column of a raw table."""


def raw_tables(home: Home) -> Mapping[str, RawTable]:
    """Every raw table of the project to which a data folder belongs, by name; the same object at each call."""
    return raw_tables_of(contract_of(home))


@cache
def raw_tables_of(contract: Contract) -> Mapping[str, RawTable]:
    """Every raw table of the definitions of a project, by name."""
    declared = contract.find(RawTable, "raw")
    derived = {name: table_of(source) for name, source in contract.events.items() if name not in declared}
    return dict(sorted({**declared, **derived}.items()))


def table_of(source: EventSource) -> RawTable:
    """The raw table that follows from a kind of events: its columns, its key with the time, its ranges.

    >>> from feature_repo.windows import EventSource
    >>> orders = EventSource("orders", columns={"customer_id": "String", "cents": "Int64"}, key=("customer_id",))
    >>> table = table_of(orders)
    >>> table.key, list(table.columns)
    (('customer_id', 'event_timestamp'), ['event_timestamp', 'created_timestamp', 'customer_id', 'cents'])
    """
    columns = {name: _column(source, name, dtype) for name, dtype in source.columns.items()}
    schema = type(f"{source.name.title().replace('_', '')}Rows", (Timed,), columns)
    return RawTable(
        source.name,
        schema,
        key=(*source.key, "event_timestamp"),
        personal=source.personal,
        sensitive=source.sensitive,
        retention=source.retention,
        purposes=source.purposes,
    )


def _column(source: EventSource, name: str, dtype: str) -> dy.Column:
    is_key = name in source.key
    if is_key and dtype == "String":
        return key_column()
    if dtype == "Date":
        return date_column(nullable=not is_key)
    low, high = source.limits(name) or (None, None)
    limits = {} if low is None else {"min": low, "max": high}
    return _COLUMNS[dtype](nullable=not is_key, **limits)
